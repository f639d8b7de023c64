// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import OpenCTI
import Synchronization
import Testing

/// What the loop was told and asked.
private final class Journal: Sendable {
    private let entries = Mutex<[String]>([])
    let state = Mutex<JSONObject?>(["start_from": "5-0", "recover_until": false])
    var all: [String] { entries.withLock { $0 } }

    func note(_ event: PingLoop.Event) {
        let text =
            switch event {
            case .ok: "ok"
            case .replaced(let state): "replaced \(state.map { JSONValue.object($0).text } ?? "nil")"
            case .registered: "registered"
            case .failed(let error): "failed \(error.code)"
            }
        entries.withLock { $0.append(text) }
    }
}

@Suite("Ping loop") struct PingLoopTests {
    private static let profile = ConnectorProfile(id: "c-1", name: "Falcon", kind: .stream, usesBroker: false)

    private func loop(
        _ platform: Platform, _ journal: Journal, version: PlatformVersion = PlatformVersion(6, 8, 10)
    ) async throws -> PingLoop {
        platform.transport.answer(
            .data(#"{"registerConnector":{"id":"c-1","connector_state":"","connector_user_id":"u"}}"#))
        let registration = try await platform.client.register(Self.profile, on: version)
        return PingLoop(
            client: platform.client, profile: Self.profile, registration: registration, version: version,
            time: platform.time, state: { journal.state.withLock { $0 } },
            handle: { event in
                if case .replaced(let state) = event { journal.state.withLock { $0 = state } }
                journal.note(event)
            })
    }

    private static func pong(_ state: String) -> ScriptedTransport.Answer {
        .data(#"{"pingConnector":{"id":"c-1","connector_state":\#(JSONValue.string(state).text)}}"#)
    }

    /// Runs the loop for a number of pings.
    private func run(_ loop: PingLoop, _ platform: Platform, pings: Int) async {
        platform.time.grant(sleeps: pings - 1)
        await loop.run()
    }

    // covers: octi:ping, state:never-ahead
    @Test func `pings at once and every 40 s with the durable state`() async throws {
        let times = Mutex<[Duration]>([])
        let clock = ManualTime()
        let transport = ScriptedTransport { _ in
            times.withLock { $0.append(clock.uptime) }
            return Self.pong(#"{"start_from":"5-0","recover_until":false}"#)
        }
        let client = OpenCTIClient(
            transport: transport, configuration: try .init(url: "http://h", token: Secret("t")), time: clock)
        let journal = Journal()
        transport.answer(.data(#"{"registerConnector":{"id":"c-1"}}"#))
        let version = PlatformVersion(6, 8, 10)
        let registration = try await client.register(Self.profile, on: version)
        let loop = PingLoop(
            client: client, profile: Self.profile, registration: registration, version: version, time: clock,
            state: { journal.state.withLock { $0 } }, handle: { journal.note($0) })
        clock.grant(sleeps: 2)
        await loop.run()
        #expect(times.withLock { $0 } == [.seconds(1000), .seconds(1040), .seconds(1080)])
        let variables = try JSONValue(parsing: transport.requests[1].body)["variables"]
        #expect(variables?["state"]?.string == #"{"start_from":"5-0","recover_until":false}"#)
        #expect(variables?["connectorInfo"]?["queue_threshold"]?.double == 500)
        #expect(journal.all.first == "ok")
    }

    @Test func `puts a reset into force before the next ping`() async throws {
        let platform = try Platform { _ in Self.pong("null") }
        let journal = Journal()
        let loop = try await loop(platform, journal)
        platform.transport.answer(Self.pong(""))
        await run(loop, platform, pings: 2)
        #expect(journal.all.first == "replaced nil")
        let second = try platform.bodies()[2]
        #expect(second["variables"]?["state"]?.string == "null")
    }

    // covers: octi:ping-errors, octi:ping-unknown
    @Test func `survives failures and registers again when unknown`() async throws {
        let platform = try Platform { _ in Self.pong(#"{"start_from":"5-0","recover_until":false}"#) }
        let journal = Journal()
        let loop = try await loop(platform, journal)
        platform.transport.answer(.status(502))
        platform.transport.answer(.failure(.cannotConnect(url: "u", reason: "refused")))
        platform.transport.answer(.error("FUNCTIONAL_ERROR", "No connector found with the specified ID"))
        platform.transport.answer(.data(#"{"registerConnector":{"id":"c-1","connector_state":null}}"#))
        await run(loop, platform, pings: 4)
        #expect(
            Array(journal.all.prefix(5)) == [
                "failed opencti.status", "failed http.connect", "failed opencti.refused", "registered", "ok",
            ])
    }

    @Test func `says a last word that wins over another state`() async throws {
        let platform = try Platform()
        let journal = Journal()
        let loop = try await loop(platform, journal)
        platform.transport.answer(Self.pong(#"{"start_from":"1-0"}"#))
        platform.transport.answer(Self.pong(#"{"start_from":"5-0","recover_until":false}"#))
        await loop.force()
        #expect(journal.all == ["ok"])
        #expect(platform.transport.requests.count == 3)
    }

    @Test func `honours a reset in its last word`() async throws {
        let platform = try Platform()
        let journal = Journal()
        let loop = try await loop(platform, journal)
        platform.transport.answer(Self.pong(""))
        await loop.force()
        #expect(journal.all == ["replaced nil"])
        #expect(platform.transport.requests.count == 2)
    }

    @Test func `leaves out what an old platform does not know`() async throws {
        let platform = try Platform()
        let journal = Journal()
        let loop = try await loop(platform, journal, version: PlatformVersion(6, 1))
        platform.transport.answer(Self.pong(""))
        await loop.force()
        let ping = try platform.bodies()[1]
        #expect(ping["variables"]?["connectorInfo"] == nil)
        #expect(ping["query"]?.string?.contains("connectorInfo") == false)
    }
}
