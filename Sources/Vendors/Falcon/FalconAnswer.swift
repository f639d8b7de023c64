// SPDX-License-Identifier: Apache-2.0

public import JSON

/// What an API answered, as it stands in its envelope, for callers that hand it on: entities have more fields than any
/// model of them, and new ones appear freely.
public struct FalconAnswer: Sendable, Hashable {
    public var resources: [JSONValue]
    /// Failures of single entities beside a success.
    public var errors: [FalconMessage]
    /// How many entities a write has changed, where the API counts instead of naming them.
    public var affected: Int64?
    public var traceID: String?

    public init(
        resources: [JSONValue] = [], errors: [FalconMessage] = [], affected: Int64? = nil, traceID: String? = nil
    ) {
        self.resources = resources
        self.errors = errors
        self.affected = affected
        self.traceID = traceID
    }

    /// Joins the answers of the parts of one request.
    public mutating func merge(_ other: FalconAnswer) {
        resources += other.resources
        errors += other.errors
        if let more = other.affected { affected = (affected ?? 0) + more }
        traceID = other.traceID ?? traceID
    }
}

extension FalconAnswer {
    init(_ envelope: FalconEnvelope<JSONValue>) {
        self.init(
            resources: envelope.rows, errors: envelope.errors, affected: envelope.affected, traceID: envelope.traceID)
    }
}

/// Entities read by the caller, and what was said of those that are missing.
public struct FalconRows<Row: Sendable>: Sendable {
    public let rows: [Row]
    public let errors: [FalconMessage]
}

/// A page of ids from a search that counts offsets.
public struct FalconIDPage: Sendable, Hashable {
    public let ids: [String]
    public let total: Int64?
    /// What to ask for next; `nil` after the last page.
    public let next: String?
}

extension FalconClient {
    /// Sends a call and gives its answer whole; errors beside a success stay in it.
    func answer(_ call: FalconCall) async throws(FalconError) -> FalconAnswer {
        FalconAnswer(try await send(call) { $0.value })
    }

    /// One page of ids.
    ///
    /// The next offset is the larger of what the answer says and what was sent plus the ids: some endpoints answer with
    /// the next offset, others repeat the question. An empty page, or one that reaches the total, is the last.
    func idPage(_ call: FalconCall, from offset: Int64) async throws(FalconError) -> FalconIDPage {
        let envelope = try await list(call) { $0.string }
        let end = offset + Int64(envelope.rows.count)
        let isLast = envelope.rows.isEmpty || envelope.total.map { end >= $0 } ?? true
        let told = envelope.offset.flatMap { Int64($0) } ?? 0
        return FalconIDPage(
            ids: envelope.rows, total: envelope.total, next: isLast ? nil : String(Swift.max(told, end)))
    }

    /// `{"ids": […]}`
    static func idsBody(_ ids: some Sequence<String>, key: String = "ids") -> [UInt8] {
        var writer = JSONWriter(reserving: 4096)
        writer.beginObject()
        writer.key(key)
        writer.beginArray()
        for id in ids { writer.string(id) }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    /// `ids=…&ids=…`
    static func idsQuery(_ ids: some Sequence<String>) -> [(name: String, value: String)] {
        ids.map { (name: "ids", value: $0) }
    }

    /// - Throws: ``FalconError/configuration(_:)`` when one call does not take so many.
    static func check(_ ids: [String], atMost limit: Int) throws(FalconError) {
        guard !ids.isEmpty, !ids.contains(where: \.isEmpty) else {
            throw .configuration("No ids were given, or one is empty; nothing was sent.")
        }
        guard ids.count <= limit else {
            throw .configuration("\(ids.count) ids do not fit into one call of Falcon, which takes \(limit).")
        }
    }
}
