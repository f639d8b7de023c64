// SPDX-License-Identifier: Apache-2.0

import Falcon
import JSON

extension FalconActions {
    func hostAction(_ arguments: Arguments) async throws -> ActionResult {
        let name = arguments.text("action_name") ?? ""
        guard let action = HostAction(rawValue: name) else {
            throw ActionError.arguments("There is no action “\(name)” for hosts.")
        }
        return try await hostAction(action, arguments.ids)
    }

    /// Asks for a change of hosts. One that already is as wanted, or on its way, counts as done.
    func hostAction(_ action: HostAction, _ ids: [String]) async throws -> ActionResult {
        try await inParts(
            ids, of: FalconClient.maxHostActionIDs,
            onConflict: { id in try await settled(id, action) },
            call: { ids throws(FalconError) in try await falcon.perform(action, on: ids) })
    }

    /// The host's resource if it is as wanted.
    private func settled(_ id: String, _ action: HostAction) async throws -> JSONValue? {
        guard let wanted = action.statuses, let status = try? await status(of: id), wanted.contains(status) else {
            return nil
        }
        return ["id": .string(id), "path": .string("/devices/entities/devices/v1?ids=\(id)")]
    }

    private func status(of id: String) async throws(FalconError) -> String? {
        try await falcon.devices([id]).resources.first?["status"]?.string
    }

    /// Ids by filter: pages of 5,000, and beyond 10,000 by the scroll, which has no end.
    func queryDevices(_ arguments: Arguments) async throws -> ActionResult {
        let filter = arguments.text("filter")
        // Compat: the seed's bar; the hosts API writes a dot.
        let sort = arguments.text("sort").map { $0.replacing("|", with: ".") }
        let wanted = arguments.int("limit")
        var result = ActionResult()
        var offset: Int64?
        if let text = arguments.text("offset"), !text.isEmpty {
            guard let number = Int64(text), number >= 0 else {
                return try await scroll(filter, sort, wanted, cursor: text, skipping: 0)
            }
            offset = number
        }
        while true {
            let left = wanted.map { $0 - Int64(result.resources.count) }
            let page = left.map { min($0, Int64(FalconClient.maxDevicePage)) }
            if (offset ?? 0) + (page ?? 1) > FalconClient.maxDeviceOffset {
                let rest = try await scroll(
                    filter, sort, left, cursor: nil, skipping: offset ?? 0)
                result.resources += rest.resources
                result.offset = rest.offset
                result.total = rest.total ?? result.total
                return result
            }
            let answer = try await falcon.queryDevices(filter, sort: sort, limit: page.map { Int($0) }, offset: offset)
            result.resources += answer.ids.map { .string($0) }
            result.total = answer.total ?? result.total
            result.offset = answer.next
            guard let wanted, Int64(result.resources.count) < wanted, let next = answer.next.flatMap({ Int64($0) })
            else { return result }
            offset = next
        }
    }

    private func scroll(
        _ filter: String?, _ sort: String?, _ wanted: Int64?, cursor: String?, skipping: Int64
    ) async throws -> ActionResult {
        var result = ActionResult()
        var cursor = cursor
        var toSkip = Int(clamping: skipping)
        while true {
            let left = wanted.map { Int(clamping: $0) - result.resources.count + toSkip }
            let page = max(1, min(left ?? FalconClient.maxScrollPage, FalconClient.maxScrollPage))
            let answer = try await falcon.scrollDevices(filter, sort: sort, limit: page, cursor: cursor)
            result.resources += answer.ids.dropFirst(toSkip).map { .string($0) }
            toSkip = max(0, toSkip - answer.ids.count)
            result.total = answer.total ?? result.total
            result.offset = answer.next
            guard let next = answer.next else { return result }
            if let wanted, Int64(result.resources.count) >= wanted { return result }
            if wanted == nil, !result.resources.isEmpty { return result }
            cursor = next
        }
    }

    /// The first version of the call, and the second where a tenant has only that.
    func loginHistory(_ ids: [String]) async throws -> ActionResult {
        do throws(FalconError) {
            let first = Array(ids.prefix(FalconClient.maxLoginHistory))
            var result = ActionResult(try await falcon.loginHistory(first))
            let rest = Array(ids.dropFirst(first.count))
            if !rest.isEmpty {
                let more = await unfailing(rest) { ids throws(FalconError) in try await falcon.loginHistory(ids) }
                result.resources += more.resources
                result.errors += more.errors
            }
            return result
        } catch {
            if !error.isGone {
                guard error.isAboutItems else { throw error }
                return try await inParts(ids, of: FalconClient.maxLoginHistory) { ids throws(FalconError) in
                    try await falcon.loginHistory(ids)
                }
            }
        }
        return try await inParts(ids, of: FalconClient.maxLoginHistoryV2) { ids throws(FalconError) in
            try await falcon.loginHistoryV2(ids)
        }
    }

    /// The parts behind one that went well: what fails of them is told, not thrown.
    private func unfailing(
        _ ids: [String], _ call: ([String]) async throws(FalconError) -> FalconAnswer
    ) async -> ActionResult {
        do {
            return try await inParts(ids, of: FalconClient.maxLoginHistory, call: call)
        } catch {
            var result = ActionResult()
            let message = (error as? FalconError).map { ($0.status, $0.description) } ?? (0, "\(error)")
            result.errors = ids.map { FalconMessage(code: message.0, message: message.1, id: $0) }
            return result
        }
    }
}

extension HostAction {
    /// What a host's `status` is when it is as wanted; `nil` where the status does not say.
    var statuses: Set<String>? {
        switch self {
        case .contain: ["contained", "containment_pending"]
        case .liftContainment: ["normal", "lift_containment_pending"]
        default: nil
        }
    }
}
