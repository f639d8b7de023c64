// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON

/// The envelope around every answer: `{meta, resources, errors}`. `resources` and `errors` may be lists, null or missing,
/// which all mean the same when they hold nothing; a 2xx may carry errors and a 4xx none.
/// Source: Falcon API surface, 2.
struct FalconEnvelope<Row: Sendable>: Sendable {
    var rows: [Row] = []
    var errors: [FalconMessage] = []
    /// The cursor of the next page.
    var after: String?
    /// Where the page ended or the next begins, as the service has it: hosts count on, users repeat the question, the
    /// scroll and the graph have opaque text.
    var offset: String?
    var total: Int64?
    /// How many entities a write has changed.
    var affected: Int64?
    var traceID: String?
}

extension FalconEnvelope where Row == Never {
    static func traceID(_ headers: HTTPHeaders) -> String? {
        headers["X-Cs-Traceid"].flatMap { $0.isEmpty ? nil : String($0.prefix(100)) }
    }
}

extension FalconEnvelope {
    /// - Parameter row: reads one resource; `nil` leaves it out.
    init(_ root: JSONElement, headers: HTTPHeaders, row: @Sendable (JSONElement) -> Row?) throws(Malformed) {
        guard root.kind == .object else { throw Malformed(reason: "it is no object") }
        let meta = root["meta"]
        traceID = FalconEnvelope<Never>.traceID(headers) ?? meta?["trace_id"]?.string
        if let pagination = meta?["pagination"] {
            after = pagination["after"]?.string.flatMap { $0.isEmpty ? nil : $0 }
            total = pagination["total"]?.int
            offset = pagination["offset"].flatMap { $0.string ?? $0.int.map(String.init) }
                .flatMap { $0.isEmpty ? nil : $0 }
        }
        affected = meta?["writes"]?["resources_affected"]?.int
        switch root["resources"]?.kind {
        case nil, .null: break
        case .array: root["resources"]?.forEachElement { if let read = row($0) { rows.append(read) } }
        // Reports answer with a single object or text.
        default: if let single = root["resources"].flatMap(row) { rows = [single] }
        }
        root["errors"]?.forEachElement { errors.append(FalconMessage($0)) }
        if meta == nil, root["resources"] == nil, root["errors"] == nil {
            throw Malformed(reason: "it has neither meta, resources nor errors")
        }
    }

    struct Malformed: Error { let reason: String }
}

extension FalconMessage {
    fileprivate init(_ element: JSONElement) {
        self.init(
            code: element["code"]?.int.map { Int(clamping: $0) } ?? 0,
            message: element["message"]?.string ?? element.string ?? "no reason given", id: element["id"]?.string)
    }
}
