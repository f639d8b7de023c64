// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON
import SimulatorKit
import Synchronization

/// The asset API: `POST /api/v2/asset-management/asset-connector/{id}` and `GET /api/v1/tasks/{id}`.
///
/// Source: Sekoia.io module, 3.1.
final class AssetLedger: Sendable {
    static let pushPath = "/api/v2/asset-management/asset-connector/"
    static let taskPath = "/api/v1/tasks/"
    static let maxKept = 10_000

    private struct State {
        var pushes = 0
        var items = 0
        var refused = 0
        /// How many times each asset came.
        var seen: [String: Int] = [:]
        var kept: [JSONValue] = []
        var tasks = 0
    }
    private let state = Mutex(State())

    func reset() { state.withLock { $0 = State() } }

    static func operation(of request: ServerRequest) -> String? {
        switch request.method {
        case "POST" where request.path.hasPrefix(pushPath): "assets_push"
        case "GET" where request.path.hasPrefix(taskPath): "task_get"
        default: nil
        }
    }

    /// `nil` for what is no request to this API.
    func answer(to request: ServerRequest, _ operation: String, _ settings: SekoiaConfiguration) -> Verdict? {
        guard operation == "assets_push" || operation == "task_get" else { return nil }
        guard request.headers["Authorization"] == "Bearer " + settings.assetKey else {
            return .refused(401, "The api key is not valid")
        }
        guard operation == "assets_push" else { return .taken(["status": "FINISHED"]) }
        guard let body = try? JSONValue(parsing: request.body), body["version"]?.int == 1,
            let items = body["items"]?.array
        else { return .refused(400, "invalid body") }
        let identities = items.map { $0["device"]?["uid"]?.string ?? $0["user"]?["uid"]?.string }
        let isPoisoned = settings.poison.contains { text in items.contains { $0.text.contains(text) } }
        guard !isPoisoned, !identities.contains(nil) else {
            state.withLock { $0.refused += 1 }
            return .refused(400, "an asset is not acceptable")
        }
        let task = state.withLock { state in
            state.pushes += 1
            state.items += items.count
            for case let identity? in identities { state.seen[identity, default: 0] += 1 }
            if settings.keepsEvents { state.kept += items.prefix(max(0, Self.maxKept - state.kept.count)) }
            state.tasks += 1
            return state.tasks
        }
        return .taken(settings.answersWithTasks ? ["task_id": .string("task-\(task)")] : [:])
    }

    enum Verdict {
        case taken(JSONValue)
        case refused(Int, String)
    }

    var summary: JSONValue {
        state.withLock { state in
            [
                "pushes": .int(state.pushes), "assets": .int(state.items), "distinct": .int(state.seen.count),
                "repeats": .int(state.items - state.seen.count), "refused": .int(state.refused),
            ]
        }
    }

    var kept: [JSONValue] { state.withLock { $0.kept } }
}
