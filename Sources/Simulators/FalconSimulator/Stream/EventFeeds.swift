// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import JSON
import SimulatorKit
import Synchronization

/// What the simulated stream offers.
public struct FeedConfiguration: Sendable {
    public var partitions = 1
    /// Generated events of each partition.
    public var events = 0
    /// Their size, about.
    public var eventBytes = 1300
    /// Events a second and partition; 0 for all at once.
    public var rate = 0.0
    public var firstOffset: UInt64 = 1_000_000_000
    public var step: UInt64 = 1
    /// Newline-delimited events to make the generated ones from; samples without.
    public var templates: [[UInt8]] = []
    /// After so long a session ends unless it was prolonged; also what the listing says.
    public var sessionSeconds = 1800
    /// An appId stays in use so long after its connection was lost.
    public var lingeringSeconds = 0
    /// Whether `offset=N` begins with event N itself.
    public var isInclusive = true
    public var heartbeat = Duration.seconds(5)

    public init() {}
}

/// The event stream of the simulated tenant: listing, sessions, feeds.
///
/// Source: Sekoia.io module, 1.1 to 1.3; Falcon API surface, 10.
final class EventFeeds: Sendable {
    struct Session: Sendable {
        let appID: String
        let partition: Int
        var token: String
        var expires: Duration
        /// A connection reads it now.
        var isOpen = false
        /// Without a connection it blocks its appId up to here.
        var blockedUntil: Duration = .zero
        var isDead = false
    }

    struct State: Sendable {
        var configuration: FeedConfiguration
        var partitions: [FeedPartition] = []
        var sessions: [String: Session] = [:]
        var nextToken: UInt64 = 1
        var connections = 0
        var eventsSent = 0
        var refreshes = 0
        var expiredSessions = 0
    }

    private let initial: FeedConfiguration
    private let clock: SimulatorClock
    private let state: Mutex<State>

    init(_ configuration: FeedConfiguration, clock: SimulatorClock) {
        initial = configuration
        self.clock = clock
        state = Mutex(Self.made(configuration, at: clock.uptime))
    }

    private static func made(_ configuration: FeedConfiguration, at now: Duration) -> State {
        var state = State(configuration: configuration)
        for number in 0..<configuration.partitions {
            state.partitions.append(partition(configuration, number, at: now))
        }
        return state
    }

    private static func partition(_ configuration: FeedConfiguration, _ number: Int, at now: Duration) -> FeedPartition
    {
        var partition = FeedPartition()
        if configuration.events > 0 {
            var templates = EventTemplate.mix(configuration.templates, mean: configuration.eventBytes)
            if templates.isEmpty {
                templates = SampleEvents.templates(size: configuration.eventBytes, random: UInt64(number + 1))
            }
            partition.generated = .init(
                templates: templates, count: configuration.events,
                firstOffset: configuration.firstOffset + UInt64(number) * 100_000_000,
                rate: configuration.rate, began: now, step: max(1, configuration.step))
        }
        return partition
    }

    func reset() { state.withLock { $0 = Self.made(initial, at: clock.uptime) } }

    // MARK: Calls

    func list(appID: String, origin: String, trace: String) -> ServerResponse {
        let isValid =
            (1...32).contains(appID.utf8.count)
            && appID.utf8.allSatisfy { byte in
                // The letter of the rule has neither, yet a client in production use sends both.
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
            }
        guard isValid else {
            return Envelope.refused(400, ["invalid appId: at most 32 alphanumeric characters"]).response(trace)
        }
        let now = clock.uptime
        let expiration = clock.now.advanced(by: .seconds(600)).description
        let (listed, seconds): ([(Int, String)], Int) = state.withLock { state in
            var listed: [(Int, String)] = []
            for number in state.partitions.indices {
                let key = "\(appID)/\(number)"
                if let session = state.sessions[key], session.isOpen || session.blockedUntil > now { continue }
                let token = "c2Vzc2lvbg\(state.nextToken)=="
                state.nextToken += 1
                state.sessions[key] = Session(
                    appID: appID, partition: number, token: token,
                    expires: now + .seconds(state.configuration.sessionSeconds))
                listed.append((number, token))
            }
            return (listed, state.configuration.sessionSeconds)
        }
        return Envelope().response(trace) { writer in
            for (number, token) in listed {
                let feed: JSONValue = [
                    "dataFeedURL": .string("\(origin)/sensors/entities/datafeed/v1/\(number)?appId=\(appID)"),
                    "sessionToken": ["token": .string(token), "expiration": .string(expiration)],
                    "refreshActiveSessionURL": .string(
                        "\(origin)/sensors/entities/datafeed-actions/v1/\(number)?appId=\(appID)"
                            + "&action_name=refresh_active_stream_session"),
                    "refreshActiveSessionInterval": .int(seconds),
                ]
                writer.value(feed)
            }
        }
    }

    func refresh(partition: Int, appID: String, trace: String) -> ServerResponse {
        let isKnown = state.withLock { state in
            guard var session = state.sessions["\(appID)/\(partition)"], session.isOpen, !session.isDead else {
                return false
            }
            session.expires = clock.uptime + .seconds(state.configuration.sessionSeconds)
            state.sessions["\(appID)/\(partition)"] = session
            state.refreshes += 1
            return true
        }
        guard isKnown else { return Envelope.refused(400, ["no active stream session found"]).response(trace) }
        return Envelope().response(trace)
    }

    /// `GET dataFeedURL`: `Authorization: Token …`, `offset`, `whence=2`, `eventType=A,B`.
    func read(partition: Int, _ request: ServerRequest, trace: String) -> ServerResponse {
        let appID = request.query["appId"] ?? ""
        let header = request.headers["Authorization"] ?? ""
        let token = header.hasPrefix("Token ") ? String(header.dropFirst(6)) : ""
        let now = clock.uptime
        let key = "\(appID)/\(partition)"
        let types = Set((request.query["eventType"] ?? "").split(separator: ",").map(String.init))
        enum Opening {
            case status(Int)
            case at(Int)
        }
        let opening: Opening = state.withLock { state in
            guard state.partitions.indices.contains(partition) else { return .status(404) }
            guard var session = state.sessions[key], session.token == token, !session.isDead else {
                return .status(401)
            }
            // The token opens one connection at a time.
            guard !session.isOpen else { return .status(409) }
            session.isOpen = true
            session.expires = now + .seconds(state.configuration.sessionSeconds)
            state.sessions[key] = session
            state.connections += 1
            let events = state.partitions[partition]
            if let offset = request.query["offset"].flatMap({ UInt64($0) }) {
                return .at(events.index(atOrAfter: state.configuration.isInclusive ? offset : offset + 1))
            }
            return .at(request.query["whence"] == "2" ? events.count(at: now) : 0)
        }
        switch opening {
        case .status(let status):
            let words = [401: "access denied, invalid session token", 404: "no such partition", 409: "stream in use"]
            return Envelope.refused(status, [words[status] ?? ""], hasResources: false).response(trace)
        case .at(let index):
            var response = ServerResponse(
                headers: ["Content-Type": "application/json", "X-Cs-Traceid": trace],
                body: .stream(FeedBody(self, partition: partition, key: key, token: token, from: index, types: types)))
            response.isCompressible = false
            return response
        }
    }

    // MARK: For bodies

    /// What a body may send now.
    enum Supply {
        case events(FeedPartition, available: Int, time: Int64)
        case over
    }

    func supply(_ partition: Int, key: String, token: String) -> Supply {
        let now = clock.uptime
        let wall = clock.now.milliseconds
        return state.withLock { state in
            guard state.partitions.indices.contains(partition), var session = state.sessions[key],
                session.token == token, !session.isDead
            else { return .over }
            if session.expires <= now {
                session.isDead = true
                state.sessions[key] = session
                state.expiredSessions += 1
                return .over
            }
            let events = state.partitions[partition]
            return .events(events, available: events.count(at: now), time: wall)
        }
    }

    func closed(key: String, token: String, sent: Int) {
        let now = clock.uptime
        state.withLock { state in
            state.eventsSent += sent
            guard var session = state.sessions[key], session.token == token else { return }
            session.isOpen = false
            session.isDead = true
            session.blockedUntil = now + .seconds(state.configuration.lingeringSeconds)
            state.sessions[key] = session
        }
    }

    /// Whether an event of the stream names this alert.
    func names(_ compositeID: String) -> Bool {
        state.withLock { state in
            state.partitions.contains { partition in
                partition.generated?.templates.contains { $0.compositeID == compositeID } == true
                    || partition.given.contains { $0.compositeID == compositeID }
            }
        }
    }

    var heartbeat: Duration { state.withLock { $0.configuration.heartbeat } }
    var time: any TimeSource { clock }

    // MARK: Admin

    func change<Result: Sendable>(_ body: (inout State) -> Result) -> Result { state.withLock { body(&$0) } }

    func setPartitions(_ count: Int) {
        let now = clock.uptime
        state.withLock { state in
            while state.partitions.count > count { state.partitions.removeLast() }
            while state.partitions.count < count {
                state.partitions.append(Self.partition(state.configuration, state.partitions.count, at: now))
            }
        }
    }

    /// New generated events in place of everything.
    func generate(_ changes: (inout FeedConfiguration) -> Void) {
        let now = clock.uptime
        state.withLock { state in
            changes(&state.configuration)
            for number in state.partitions.indices {
                state.partitions[number] = Self.partition(state.configuration, number, at: now)
            }
        }
    }

    /// Sessions end as if nobody had prolonged them.
    func killSessions() {
        state.withLock { state in
            for key in state.sessions.keys {
                state.sessions[key]?.isDead = true
                state.expiredSessions += 1
            }
        }
    }

    func json() -> JSONValue {
        let now = clock.uptime
        return state.withLock { state in
            [
                "partitions": .array(
                    state.partitions.map {
                        ["events": .int($0.count(at: now)), "last_offset": .int($0.lastOffset)]
                    }),
                "open": .int(state.sessions.values.count { $0.isOpen }), "connections": .int(state.connections),
                "refreshes": .int(state.refreshes), "expired_sessions": .int(state.expiredSessions),
                "sent": .int(state.eventsSent),
                "app_ids": .array(Set(state.sessions.values.map(\.appID)).sorted().map { .string($0) }),
            ]
        }
    }
}
