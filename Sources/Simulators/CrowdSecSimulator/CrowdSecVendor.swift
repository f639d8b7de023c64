// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import JSON
import NetAddress
import SimulatorKit
import Synchronization

/// The service's answers. Strict: what a client should not send is refused, not overlooked.
final class CrowdSecVendor: SimulatedVendor {
    private struct Usage {
        /// Day number and addresses returned on it, by key.
        var day: Int64 = 0
        var spent: [String: Int] = [:]
        var second: Int64 = 0
        var inSecond = 0
        /// How often each address was asked for.
        var asked: [String: Int] = [:]
    }

    private let initial: CrowdSecConfiguration
    private let clock: SimulatorClock
    private let settings: Mutex<CrowdSecConfiguration>
    private let usage = Mutex(Usage())

    init(_ configuration: CrowdSecConfiguration, clock: SimulatorClock) {
        initial = configuration
        self.clock = clock
        settings = Mutex(configuration)
    }

    func operation(of request: ServerRequest) -> String {
        request.method == "GET" && Self.address(in: request) != nil ? "smoke" : "unknown"
    }

    private static let prefix = "/v2/smoke/"

    /// The path's last part as it was written: percent-encoded colons are no colons to this service.
    private static func address(in request: ServerRequest) -> String? {
        guard request.rawPath.hasPrefix(prefix) else { return nil }
        let rest = request.rawPath.dropFirst(prefix.count)
        return rest.isEmpty || rest.contains("/") ? nil : String(rest)
    }

    func answer(to request: ServerRequest, operation: String) -> Answer {
        .now(serve(request))
    }

    private func serve(_ request: ServerRequest) -> ServerResponse {
        let settings = settings.withLock { $0 }
        guard request.method == "GET", let text = Self.address(in: request) else {
            return Self.message(403, "Missing Authentication Token")
        }
        guard let key = request.headers["x-api-key"], settings.keys.contains(key) else {
            return Self.message(403, "Forbidden")
        }
        guard request.rawQuery.isEmpty, request.body.isEmpty, let agent = request.headers["User-Agent"], !agent.isEmpty,
            let address = IPAddress(parsing: text)
        else { return Self.message(400, "Bad Request") }
        if isTooFast(settings) { return Self.message(429, "Too Many Requests") }
        let asked = usage.withLock { usage in
            usage.asked[text.lowercased(), default: 0] += 1
            return usage.asked[text.lowercased(), default: 0]
        }
        if let prepared = settings.answers[text.lowercased()] {
            return prepared[min(asked, prepared.count) - 1].response
        }
        let isRecorded = address.isGlobal || address.isDocumentation
        var invented = InventedItem(text.lowercased(), seed: initial.options.seed)
        guard isRecorded, let item = invented.json() else {
            return Self.message(404, "IP address information not found")
        }
        guard takeToken(of: key, settings) else { return Self.message(429, "Limit Exceeded") }
        return .json(item)
    }

    private func isTooFast(_ settings: CrowdSecConfiguration) -> Bool {
        guard let limit = settings.requestsPerSecond else { return false }
        let second = clock.uptime.components.seconds
        return usage.withLock { usage in
            if usage.second != second { (usage.second, usage.inSecond) = (second, 0) }
            usage.inSecond += 1
            return usage.inSecond > limit
        }
    }

    private func takeToken(of key: String, _ settings: CrowdSecConfiguration) -> Bool {
        let day = clock.now.milliseconds / 86_400_000
        return usage.withLock { usage in
            if usage.day != day { (usage.day, usage.spent) = (day, [:]) }
            if let quota = settings.dailyQuota, usage.spent[key, default: 0] >= quota { return false }
            usage.spent[key, default: 0] += 1
            return true
        }
    }

    private static func message(_ status: Int, _ text: String) -> ServerResponse {
        .json(["message": .string(text)], status: status)
    }

    func refusal(status: Int, message: String?, retryAfter: Int) -> ServerResponse {
        let usual = [
            400: "Bad Request", 403: "Forbidden", 404: "IP address information not found", 429: "Too Many Requests",
            502: "Bad Gateway", 503: "Service Unavailable", 504: "Endpoint request timed out",
        ]
        return Self.message(status, message ?? usual[status] ?? "Internal server error")
    }

    // MARK: Admin

    func administer(_ router: inout Router) {
        router.post("/_admin/answers") { [self] request in
            guard let table = request.json.flatMap({ PreparedAnswer.table($0) }) else {
                return .now(.problem(#"send {"192.0.2.10":[{"status":200,"body":{…}}]}"#))
            }
            settings.withLock { $0.answers.merge(table) { $1 } }
            usage.withLock { usage in for address in table.keys { usage.asked[address] = nil } }
            return .now(.done())
        }
        router.get("/_admin/usage") { [self] _ in
            let (spent, asked) = usage.withLock { ($0.spent.values.reduce(0, +), $0.asked) }
            var addresses: JSONObject = [:]
            for (address, count) in asked.sorted(by: { $0.key < $1.key }) { addresses[address] = .int(count) }
            return .now(
                .json([
                    "tokens": .int(spent), "requests": .int(asked.values.reduce(0, +)), "addresses": .object(addresses),
                ]))
        }
        router.post("/_admin/settings") { [self] request in
            guard let changes = request.json?.object else { return .now(.problem("send an object of settings")) }
            let problem = settings.withLock { settings in
                var changed = settings
                let problem = changed.apply(changes)
                if problem == nil { settings = changed }
                return problem
            }
            return .now(problem.map { .problem($0) } ?? .done())
        }
    }

    func reset() {
        settings.withLock { $0 = initial }
        usage.withLock { $0 = Usage() }
    }
}
