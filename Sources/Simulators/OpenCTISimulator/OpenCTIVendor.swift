// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import Hashing
import JSON
import SimulatorKit
import Synchronization

/// The simulated platform behind the shared server.
final class OpenCTIVendor: SimulatedVendor {
    let clock: SimulatorClock
    private let initial: OpenCTIConfiguration
    private let platform: Mutex<Platform>
    private let streams = Mutex<[ObjectIdentifier: Pull]>([:])
    private let connections = Atomic<UInt64>(0)
    private let sharedBus = Mutex<SimulatedBus?>(nil)

    init(_ configuration: OpenCTIConfiguration, clock: SimulatorClock) {
        let key = SigningKey()
        var configuration = configuration
        configuration.keySet = SimulatedBus.keySet(of: key)
        initial = configuration
        self.clock = clock
        platform = Mutex(Platform(configuration))
        let bus = SimulatedBus(configuration.broker, key: key, vendor: self)
        sharedBus.withLock { $0 = bus }
    }

    /// The message bus; `nil` once closed.
    var bus: SimulatedBus? { sharedBus.withLock { $0 } }

    /// Lets go of the broker; breaks the circle between both.
    func closeBus() async {
        let bus = sharedBus.withLock { bus in
            defer { bus = nil }
            return bus
        }
        await bus?.close()
    }

    /// Works on the platform, then lets every stream look for news.
    func change<Result: Sendable, Failure: Error>(
        _ body: (inout Platform) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let result = read { (platform: inout Platform) -> Swift.Result<Result, Failure> in
            do throws(Failure) { return .success(try body(&platform)) } catch { return .failure(error) }
        }
        for pull in streams.withLock({ Array($0.values) }) { pull.wake() }
        return try result.get()
    }

    func read<Result: Sendable>(_ body: (inout Platform) -> Result) -> Result {
        platform.withLock { body(&$0) }
    }

    // MARK: Requests

    func operation(of request: ServerRequest) -> String {
        let path = relative(request.path)
        switch (request.method, path) {
        case ("POST", "/graphql"): return GraphQLEndpoint.operation(in: request)
        case ("GET", _) where path == "/stream" || path.hasPrefix("/stream/"): return "stream"
        case ("GET", "/health"): return "health"
        default: return "unknown"
        }
    }

    func answer(to request: ServerRequest, operation: String) -> Answer {
        let path = relative(request.path)
        switch (request.method, path) {
        case ("POST", "/graphql"):
            return graphQL(request, operation)
        case ("GET", "/stream"): return .now(stream("live", request))
        case ("GET", _) where path.hasPrefix("/stream/"): return .now(stream(String(path.dropFirst(8)), request))
        case ("GET", "/health"): return .now(.json(["status": "unauthorized"], status: 401))
        // The web interface answers every path (OpenCTI protocol, 4.2).
        case ("GET", _), ("HEAD", _):
            let page =
                "<!doctype html>\n<html><head><title>OpenCTI</title></head><body><div id=\"root\"></div></body></html>\n"
            return .now(ServerResponse(contentType: "text/html; charset=utf-8", bytes: Array(page.utf8)))
        default: return .now(.json(["status": "error", "error": "Path not found"], status: 404))
        }
    }

    /// Registrations and pings see to the queues first, as at the platform.
    private func graphQL(_ request: ServerRequest, _ operation: String) -> Answer {
        let answer = GraphQLEndpoint(request, now: clock.now).answer { read($0) }
        if operation == "stixCoreObjectEdit" { return .later { await self.flushOutbox(answer) } }
        guard operation == "registerConnector" || operation == "pingConnector", let bus, bus.address != nil else {
            return .now(answer)
        }
        let variables = request.json?["variables"]
        let connector = variables?["input"]?["id"]?.string ?? variables?["id"]?.string
        guard let connector, read({ $0.connectors[connector] }) != nil else { return .now(answer) }
        return .later {
            await bus.assertQueues(of: connector)
            return answer
        }
    }

    private func flushOutbox(_ answer: ServerResponse) async -> ServerResponse {
        let waiting = read { platform in
            defer { platform.outbox = [] }
            return platform.outbox.map { connector, message in
                (connector, platform.connectors[connector]?.input["listen_callback_uri"]?.string, message)
            }
        }
        for (connector, callback, message) in waiting {
            do { try await bus?.send([message], to: connector, callback: callback) } catch {
                return .json(["status": "error", "error": .string("\(error)")], status: 500)
            }
        }
        return answer
    }

    /// The path below the one where the platform is mounted.
    private func relative(_ path: String) -> String {
        let base = initial.basePath
        guard !base.isEmpty else { return path }
        return path.hasPrefix(base + "/") ? String(path.dropFirst(base.utf8.count)) : ""
    }

    static func token(_ request: ServerRequest) -> String {
        let header = request.headers["Authorization"] ?? ""
        return header.prefix(7).lowercased() == "bearer " ? String(header.dropFirst(7)) : ""
    }

    func refusal(status: Int, message: String?, retryAfter: Int) -> ServerResponse {
        let usual = [429: "Too many requests, please try again later."]
        let text = message ?? usual[status] ?? "Internal server error"
        var response: ServerResponse =
            status == 429
            ? .json(["message": .string(text)], status: status)
            : .json(["status": "error", "error": .string(text)], status: status)
        if status == 429 || status == 503 { response.headers["Retry-After"] = "\(retryAfter)" }
        return response
    }

    // MARK: The live stream

    private func stream(_ id: String, _ request: ServerRequest) -> ServerResponse {
        let parameters = StreamParameters(request)
        let now = clock.now.milliseconds
        let token = Self.token(request)
        return read { platform in
            if let refusal = platform.refusal(ofStream: id, token: token) { return Self.refused(refusal.0, refusal.1) }
            guard parameters.recover == nil || parameters.start != nil else {
                return Self.refused(500, "Error in stream \(id): Recovery mode is only possible with a start date.")
            }
            let cursor = platform.open(parameters, now: now)
            let plain = PlainCursor(
                platform.plain, parameters, refusesRecovery: platform.configuration.refusesRecovery)
            let number = connections.add(1, ordering: .relaxed).newValue
            let digits = String(number, radix: 16)
            let connection =
                "7d0e4f52-6f6f-4f0e-9c51-" + String(repeating: "0", count: max(0, 12 - digits.utf8.count)) + digits
            let body = StreamBody(
                self, cursor, plain, connection: connection, cut: platform.nextCut(),
                configuration: platform.configuration)
            return ServerResponse(
                headers: [
                    "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-transform",
                    "Connection": "keep-alive",
                ], body: .stream(body))
        }
    }

    /// The reason stands in the status line only, the body is empty.
    private static func refused(_ status: Int, _ reason: String) -> ServerResponse {
        var response = ServerResponse(status: status)
        response.reason = reason
        return response
    }

    func register(_ body: StreamBody, _ pull: Pull) {
        streams.withLock { $0[ObjectIdentifier(body)] = pull }
        platform.withLock { platform in
            platform.tallies.connections += 1
            platform.tallies.openConnections += 1
        }
    }

    func unregister(_ body: StreamBody) {
        guard streams.withLock({ $0.removeValue(forKey: ObjectIdentifier(body)) }) != nil else { return }
        platform.withLock { $0.tallies.openConnections -= 1 }
    }

    func welcome(_ connection: String) -> String { platform.withLock { $0.welcome(connection: connection) } }

    func gather(_ cursor: inout Cursor, into bytes: inout [UInt8], limit: Int, ends: inout [Int]) -> Bool {
        let (uptime, now) = (clock.uptime, clock.now.milliseconds)
        return platform.withLock { platform in
            platform.advance(uptime: uptime, now: now)
            return platform.gather(&cursor, into: &bytes, limit: limit, ends: &ends)
        }
    }

    func count(events: Int, bytes: Int) {
        platform.withLock { platform in
            platform.tallies.events += events
            platform.tallies.bytes += bytes
        }
    }

    /// The position of a consumer that has had everything: the platform's clock. Later events get later ids.
    func idle(at position: Position) -> Position {
        let now = Position(milliseconds: clock.now.milliseconds)
        return platform.withLock { platform in
            platform.log.issued(max(position, now))
            return max(position, now)
        }
    }

    /// A consumer has had all that stood there: the feed's live part may begin.
    func startLive() {
        let uptime = clock.uptime
        platform.withLock { platform in
            if platform.configuration.feed?.startsByHand == false { platform.startLive(at: uptime) }
        }
    }

    /// When, on the clock's uptime, something will happen by itself.
    var nextEventDue: Duration? { platform.withLock { $0.nextStepDue } }

    // MARK: Admin

    func administer(_ router: inout Router) { OpenCTIAdmin(vendor: self).add(to: &router) }

    /// The lines of the expected table. Those of the end are kept: they follow from the seed alone.
    func expected(isPermanent: Bool, isNow: Bool) -> [[UInt8]] {
        let (feed, known, generation) = read { ($0.feed, $0.finalLines[isPermanent], $0.generation) }
        if isNow { return feed?.table.lines(isPermanent: isPermanent) ?? [] }
        if let known { return known }
        let lines = feed?.finalTable.lines(isPermanent: isPermanent) ?? []
        read { if $0.generation == generation { $0.finalLines[isPermanent] = lines } }
        return lines
    }

    func reset() { begin(initial) }

    /// Begins anew with another feed.
    func load(_ feed: FeedConfiguration) {
        var configuration = read { $0.configuration }
        configuration.feed = feed
        begin(configuration)
    }

    private func begin(_ configuration: OpenCTIConfiguration) {
        change { platform in
            let (open, generation) = (platform.tallies.openConnections, platform.generation)
            platform = Platform(configuration)
            platform.tallies.openConnections = open
            platform.generation = generation + 1
        }
    }
}
