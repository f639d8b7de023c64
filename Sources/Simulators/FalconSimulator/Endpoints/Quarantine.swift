// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// Files that sensors have put aside (Falcon API, 8).
extension Entities {
    mutating func answerQuarantine(_ operation: FalconOperation, _ call: EntityCall) -> ServerResponse? {
        switch operation {
        case .quarantineQuery:
            do throws(Refusal) {
                let ids = try call.selected(quarantinedFiles.rows).compactMap { $0["id"]?.string }
                return call.page(ids, most: 5000, window: 10_000)
            } catch { return call.refuse(400, error.message) }
        case .quarantineDetails: return call.entities(call.ids(), limit: 1000) { quarantinedFiles[$0] }
        case .quarantineUpdate: return updateQuarantine(call)
        default: return nil
        }
    }

    private mutating func updateQuarantine(_ call: EntityCall) -> ServerResponse {
        let ids = call.ids()
        guard !ids.isEmpty, ids.count <= 500 else { return call.refuse(400, "ids: 1 to 500 are allowed") }
        let states = ["release": "released", "unrelease": "quarantined", "delete": "deleted"]
        guard let state = states[call.body?["action"]?.string ?? ""] else {
            return call.refuse(400, "action must be one of release, unrelease, delete")
        }
        var envelope = Envelope()
        envelope.hasResources = false
        envelope.poweredBy = "quarantine-manager"
        for id in ids where quarantinedFiles[id] == nil {
            envelope.problems.append(.init(code: 404, message: "quarantined file not found", id: id))
        }
        let known = ids.filter { quarantinedFiles[$0] != nil }
        for id in known {
            quarantinedFiles[id]?["state"] = .string(state)
            quarantinedFiles[id]?["date_updated"] = .string(EntityText.timestamp(call.caller.now / 1000))
        }
        envelope.affected = known.count
        if known.isEmpty { envelope.status = 404 }
        return envelope.response(call.caller.trace)
    }
}
