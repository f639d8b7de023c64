// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// On which hosts a value was seen, and by which processes; loaded by tests.
struct Sightings: Sendable {
    private struct Key: Hashable, Sendable {
        let type: String
        let value: String
    }
    /// Host id → process ids.
    private var hosts: [Key: [(host: String, processes: [String])]] = [:]

    /// `{"type":"sha256","value":"…","devices":{"<host id>":["<process id>"]}}`
    mutating func add(_ value: JSONValue) -> Bool {
        guard let type = value["type"]?.string, let text = value["value"]?.string,
            let devices = value["devices"]?.object
        else { return false }
        hosts[Key(type: type, value: text.lowercased()), default: []] += devices.map { device in
            (device.key, (device.value.array ?? []).compactMap(\.string))
        }
        return true
    }

    func answer(to operation: FalconOperation, _ query: QueryItems, _ caller: Caller) -> ServerResponse? {
        switch operation {
        case .deviceCount, .legacyDeviceCount, .devices, .legacyDevices, .processes, .legacyProcesses: break
        case .processDetails: return details(query.all("ids"), caller)
        default: return nil
        }
        guard let type = query["type"], let value = query["value"], !type.isEmpty, !value.isEmpty else {
            return Envelope.refused(400, ["type and value are required"]).response(caller.trace)
        }
        let found = hosts[Key(type: type, value: value.lowercased())] ?? []
        switch operation {
        case .deviceCount: return count(found.count, type, value, caller, id: nil)
        case .legacyDeviceCount: return count(found.count, type, value, caller, id: "\(type):\(value)")
        case .devices, .legacyDevices: return list(found.map(\.host), query, caller)
        default:
            guard let device = query["device_id"], !device.isEmpty else {
                return Envelope.refused(400, ["device_id is required"]).response(caller.trace)
            }
            return list(found.filter { $0.host == device }.flatMap(\.processes), query, caller)
        }
    }

    private func count(_ count: Int, _ type: String, _ value: String, _ caller: Caller, id: String?) -> ServerResponse {
        Envelope().response(caller.trace) { writer in
            writer.beginObject()
            if let id {
                writer.key("id")
                writer.string(id)
            }
            writer.key("type")
            writer.string(type)
            writer.key("value")
            writer.string(value)
            writer.key("device_count")
            writer.int(count)
            writer.key("limit_exceeded")
            writer.bool(false)
            writer.endObject()
        }
    }

    private func list(_ ids: [String], _ query: QueryItems, _ caller: Caller) -> ServerResponse {
        let limit = query["limit"].flatMap { Int($0) } ?? 100
        guard (1...100).contains(limit) else {
            return Envelope.refused(400, ["invalid limit: must be between 1 and 100"]).response(caller.trace)
        }
        let offset = query["offset"].flatMap { Int($0) } ?? 0
        let page = ids.dropFirst(offset).prefix(limit)
        let end = offset + page.count
        var envelope = Envelope()
        envelope.paging = .init(
            limit: limit, offsetText: end < ids.count ? "\(end)" : "", after: end < ids.count ? "\(end)" : nil)
        return envelope.response(caller.trace) { writer in
            for id in page { writer.string(id) }
        }
    }

    private func details(_ ids: [String], _ caller: Caller) -> ServerResponse {
        guard !ids.isEmpty else { return Envelope.refused(400, ["ids is required"]).response(caller.trace) }
        var known: [String: String] = [:]
        for (host, processes) in hosts.values.joined() { for process in processes { known[process] = host } }
        var envelope = Envelope()
        envelope.problems = ids.filter { known[$0] == nil }.map {
            .init(code: 404, message: "process not found", id: $0)
        }
        return envelope.response(caller.trace) { writer in
            for id in ids {
                guard let host = known[id] else { continue }
                writer.value([
                    "command_line": "sample.exe -a", "device_id": .string(host), "file_name": "sample.exe",
                    "process_id": .string(id), "process_id_local": .string(String(id.split(separator: ":").last ?? "")),
                    "start_timestamp": "2026-01-01T00:00:00Z", "start_timestamp_raw": "133800000000000000",
                    "stop_timestamp": "", "stop_timestamp_raw": "",
                ])
            }
        }
    }
}
