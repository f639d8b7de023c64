// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import JSON
import SimulatorKit
import Synchronization

/// The simulated console behind the shared server.
final class HarfangLabVendor: SimulatedVendor {
    struct State {
        var settings: HarfangLabConfiguration
        var tables: [RuleCollection: RuleTable] = [:]
        var events = EventTable()
        var second: (start: Duration, calls: Int) = (.zero, 0)

        init(_ configuration: HarfangLabConfiguration, at now: Instant) {
            settings = configuration
            for collection in RuleCollection.allCases { tables[collection] = RuleTable(collection) }
            guard configuration.alerts > 0 || configuration.threats > 0 else { return }
            EventSeed(seed: configuration.options.seed, now: now).fill(
                &events, &tables, alerts: configuration.alerts, threats: configuration.threats)
        }

        mutating func with<Result>(
            _ collection: RuleCollection, _ body: (inout RuleTable) throws(RuleTable.Refusal) -> Result
        ) throws(RuleTable.Refusal) -> Result {
            try body(&tables[collection, default: RuleTable(collection)])
        }
    }

    private let initial: HarfangLabConfiguration
    private let clock: SimulatorClock
    private let state: Mutex<State>

    init(_ configuration: HarfangLabConfiguration, clock: SimulatorClock) {
        initial = configuration
        self.clock = clock
        state = Mutex(State(configuration, at: clock.now))
    }

    func operation(of request: ServerRequest) -> String { ConsoleOperation(request).name }

    func answer(to request: ServerRequest, operation: String) -> Answer {
        let operation = ConsoleOperation(request)
        // Read outside the lock: it is most of the work.
        let body = request.body.isEmpty ? nil : request.json
        let uptime = clock.uptime
        let now = clock.now.description
        return .now(
            state.withLock { state in
                if let limit = state.settings.requestsPerSecond {
                    if uptime - state.second.start >= .seconds(1) { state.second = (uptime, 0) }
                    state.second.calls += 1
                    if state.second.calls > limit { return refusal(status: 429, message: nil, retryAfter: 1) }
                }
                let words = (request.headers["Authorization"] ?? "").split(separator: " ")
                guard words.count == 2, words[0] == "Token", state.settings.tokens.contains(String(words[1])) else {
                    return Self.detail(401, "Invalid token.")
                }
                if operation.writes, state.settings.isReadOnly {
                    return Self.detail(403, "You do not have permission to perform this action.")
                }
                if !request.body.isEmpty, body == nil { return Self.detail(400, "JSON parse error") }
                return Console(request: request, body: body ?? .null, now: now).answer(operation, &state)
            })
    }

    static func detail(_ status: Int, _ text: String) -> ServerResponse {
        .json(["detail": .string(text)], status: status)
    }

    func refusal(status: Int, message: String?, retryAfter: Int) -> ServerResponse {
        let usual = [
            401: "Invalid token.", 403: "You do not have permission to perform this action.", 404: "Not found.",
            429: "Request was throttled.",
        ]
        var response = Self.detail(status, message ?? usual[status] ?? "A server error occurred.")
        if status == 429 { response.headers["Retry-After"] = "\(retryAfter)" }
        return response
    }

    func administer(_ router: inout Router) { HarfangLabAdmin(vendor: self).add(to: &router) }

    func reset() { state.withLock { $0 = State(initial, at: clock.now) } }

    var now: Instant { clock.now }

    func withState<Result: Sendable>(_ body: (inout State) -> Result) -> Result { state.withLock { body(&$0) } }
}
