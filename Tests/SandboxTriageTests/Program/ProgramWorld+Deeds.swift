// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

@testable import SandboxTriage

/// What the servers were asked to do, in the form of the cases.
extension ProgramWorld {
    func deeds() async throws -> [Deed] {
        let submitted = try await requests(.vmray).filter { $0["path"] == "/rest/sample/submit" }.map {
            Deed(submit: $0)
        }
        let deeds = try await requests(.falcon).compactMap { Deed(request: $0) }
        let start = deeds.firstIndex { $0.operation != "sample_download" } ?? deeds.count
        var vetoed: [String: Set<String>] = [:]
        let book = try await book()
        for hash in Scenario.words.keys {
            for (key, state) in try await book.record(hash)?.effects ?? [:] {
                if case .vetoed(let reason) = state { vetoed[reason, default: []].insert(key.subject) }
            }
        }
        return Deed.merged(deeds[..<start] + submitted + deeds[start...])
            + vetoed.map { Deed("vetoed", ids: $0.value, fields: [$0.key]) }
    }

    /// How often something was asked, `GET /rest/continuation/<id>`.
    func count(_ call: String) async throws -> Int {
        let parts = call.split(separator: " ").map(String.init)
        let path = parts[1].prefix { $0 != "<" }
        return try await (requests(.falcon) + requests(.vmray)).count { request in
            request["method"]?.string == parts[0]
                && (path.endIndex == parts[1].endIndex
                    ? request["path"]?.string == parts[1] : request["path"]?.string?.hasPrefix(path) == true)
        }
    }
}

extension Deed {
    fileprivate init(submit request: JSONValue) {
        let text = request["body"]?.string ?? ""
        func field(_ name: String) -> String {
            guard let mark = text.firstRange(of: "name=\"\(name)\"") else { return "" }
            guard let gap = text[mark.upperBound...].firstRange(of: "\r\n\r\n") else { return "" }
            return String(text[gap.upperBound...].prefix { $0 != "\r\n" })
        }
        let mark = text.firstRange(of: "filename=\"")
        let hash = mark.map { String(text[$0.upperBound...].prefix { $0 != "\"" }) } ?? ""
        self.init(
            "vmray_submit", ids: [hash],
            fields: ["comment", "tags", "analyzer_mode", "user_config"].map(field))
    }

    /// `nil` for what only reads.
    fileprivate init?(request: JSONValue) {
        let body = request["body"]
        func texts(_ list: JSONValue?) -> Set<String> { Set((list?.array ?? []).compactMap(\.string)) }
        func parameter(_ name: String) -> String? {
            body?["action_parameters"]?.array?.first { $0["name"]?.string == name }?["value"]?.string
        }
        switch "\(request["method"]?.string ?? "") \(request["path"]?.string ?? "")" {
        case "GET /samples/entities/samples/v3": self.init("sample_download", ids: texts(request["query"]?["ids"]))
        case "PATCH /alerts/entities/alerts/v3":
            self.init(
                "alert_update", ids: texts(body?["composite_ids"]),
                fields: [parameter("append_comment") ?? "", parameter("update_status") ?? "-"])
        case "POST /iocs/entities/indicators/v1":
            self.init(expected: ["op": "ioc_create", "indicators": body?["indicators"] ?? []], composite: nil)
        case "PATCH /quarantine/entities/quarantined-files/v1":
            self.init(
                "quarantine_update", ids: texts(body?["ids"]),
                fields: [body?["action"]?.string ?? "", body?["comment"]?.string ?? ""])
        case "POST /devices/entities/devices-actions/v2":
            self.init("contain", ids: texts(body?["ids"]), fields: [parameter("note") ?? ""])
        case "POST /message-center/entities/case/v2":
            self.init("case_create", fields: ["message_center"], request: body)
        case "PUT /cases/entities/cases/v2": self.init("case_create", fields: ["cases"], request: body)
        case "GET /iocs/queries/indicators/devices/v1":
            self.init("host_lookup", ids: texts(request["query"]?["value"]))
        default: return nil
        }
    }
}
