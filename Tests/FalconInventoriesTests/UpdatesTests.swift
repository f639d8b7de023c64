// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import JSON
import OCSF
import Storage
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import FalconInventories

@Suite("Changed and gone hosts") struct UpdatesTests {
    /// Hosts with the date of their last change, three to a page.
    private final class Estate: Sendable {
        struct State {
            var modified: [String: String] = [:]
            var hidden: [String: String] = [:]
        }
        let state = Mutex(State())

        func change(_ ids: [String], at moment: String) {
            state.withLock { state in for id in ids { state.modified[id] = moment } }
        }
        func hide(_ id: String, at moment: String) {
            state.withLock { state in
                state.modified[id] = nil
                state.hidden[id] = moment
            }
        }

        func show(_ id: String, at moment: String) {
            state.withLock { state in
                state.hidden[id] = nil
                state.modified[id] = moment
            }
        }

        func answer(_ call: ScriptedTransport.Recorded) -> ScriptedTransport.Answer {
            if call.request.url.hasSuffix("/oauth2/token") {
                return .status(201, #"{"access_token":"token","expires_in":1799,"token_type":"bearer"}"#)
            }
            let parts = URLParts(call.request.url)
            let query = Dictionary(parts?.query.map { ($0.name, $0.value) } ?? []) { first, _ in first }
            let path = parts?.path ?? ""
            let state = state.withLock { $0 }
            if path.hasSuffix("/entities/devices/v2") {
                let ids = (try? JSONValue(parsing: call.body))?["ids"]?.array?.compactMap(\.string) ?? []
                return envelope(
                    ids.map {
                        [
                            "device_id": .string($0), "hostname": .string("host-\($0)"),
                            "modified_timestamp": .string(state.modified[$0] ?? ""),
                        ]
                    }, [:])
            }
            let table = path.contains("devices-hidden") ? state.hidden : state.modified
            let filter = (query["filter"] ?? "").split(separator: "'", omittingEmptySubsequences: false).map(
                String.init)
            let chosen = table.filter { _, modified in
                switch filter[0] {
                case "modified_timestamp:>=": modified >= filter[1]
                case "modified_timestamp:>": modified > filter[1]
                case "": true
                default: modified == filter[1]
                }
            }.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.map(\.key)
            let offset = Int(query["offset"] ?? "0") ?? 0
            let page = chosen.dropFirst(offset).prefix(3)
            return envelope(
                page.map { .string($0) }, ["offset": .int(offset + page.count), "total": .int(chosen.count)])
        }

        private func envelope(_ resources: [JSONValue], _ pagination: JSONValue) -> ScriptedTransport.Answer {
            let body: JSONValue = [
                "meta": ["query_time": 0.1, "trace_id": "t", "pagination": pagination],
                "resources": .array(resources), "errors": [],
            ]
            return .status(200, body.text)
        }
    }

    private let estate = Estate()
    private let sent = Recorder<String>()
    /// Those that are sent as no longer managed.
    private let unmanaged = Recorder<String>()
    private let time: TestTime
    private let metrics: Metrics

    init() {
        time = TestTime(jumping: true)
        metrics = Metrics(time: time)
    }

    private func inventory() async throws -> DeviceInventory {
        let transport = ScriptedTransport { [estate] in estate.answer($0) }
        let falcon = try FalconClient(
            transport: transport,
            credentials: FalconCredentials(
                clientID: "ed578da6b8d84d1e9312e833e493773a", clientSecret: Secret("s3cret")),
            baseURL: "https://api.crowdstrike.com", time: time)
        let store = try await SQLiteStore.open(path: ":memory:")
        let flow = try await store.number(of: "devices", in: .flow)
        let events = InventoryEvents(log: .silent, metrics: metrics, flow: "f")
        return DeviceInventory(
            falcon: falcon, mapping: DeviceMapping(), groups: GroupCache(falcon, events: events, time: time),
            checkpoints: try await Checkpoints.open(store, flow: flow, context: nil), events: events, time: time,
            emit: { [sent, unmanaged] list in
                for case .device(let device) in list.map(\.subject) {
                    sent.append(device.uid)
                    if device.isManaged == false { unmanaged.append(device.uid) }
                }
            }, isResumable: true)
    }

    // covers: inv:updates-same-moment
    @Test func `sends every host of a moment in which more changed than a page holds, each once`() async throws {
        let devices = try await inventory()
        #expect(try await devices.updates(since: Instant(milliseconds: 1_771_059_600_000)) == 0)
        let crowd = (10...20).map { "d\($0)" }
        estate.change(["a1", "a2"], at: "2026-02-14T10:00:00Z")
        estate.change(crowd, at: "2026-02-14T10:00:01Z")
        estate.change(["z1", "z2", "z3", "z4"], at: "2026-02-14T10:00:02Z")
        #expect(try await devices.updates(since: time.now) == 17)
        #expect(sent.elements.sorted() == (["a1", "a2"] + crowd + ["z1", "z2", "z3", "z4"]).sorted())
        #expect(try await devices.updates(since: time.now) == 0)
        // The same second goes on after the cycle that has seen its begin.
        estate.change(["late"], at: "2026-02-14T10:00:02Z")
        #expect(try await devices.updates(since: time.now) == 1)
        #expect(sent.elements.last == "late")
        estate.change(["z4"], at: "2026-02-14T10:00:03Z")
        #expect(try await devices.updates(since: time.now) == 1)
    }

    // covers: inv:gone-once, inv:gone-unmanaged
    @Test func `sends a host that has left the lists once as no longer managed, and as managed when it is back`()
        async throws
    {
        let devices = try await inventory()
        estate.hide("before", at: "2026-01-01T00:00:00Z")
        _ = try await devices.updates(since: Instant(milliseconds: 1_771_059_600_000))
        // Hiding moves no date: the one that is hidden last has the oldest of all.
        for id in ["old-1", "old-2", "old-3", "old-4"] { estate.hide(id, at: "2025-02-14T11:00:00Z") }
        #expect(try await devices.updates(since: time.now) == 4)
        for _ in 0..<3 { #expect(try await devices.updates(since: time.now) == 0) }
        #expect(unmanaged.elements == ["old-1", "old-2", "old-3", "old-4"] && sent.elements == unmanaged.elements)
        #expect(metrics.text().contains(#"sallyport_inventory_gone_total{flow="f"} 4"#))
        estate.show("old-2", at: "2025-02-14T11:00:00Z")
        #expect(try await devices.updates(since: time.now) == 1)
        #expect(sent.elements.last == "old-2" && unmanaged.elements.count == 4)
        #expect(
            await devices.checkpoints.value(Checkpoints.goneDevices) == #"["before","old-1","old-3","old-4"]"#)
    }
}
