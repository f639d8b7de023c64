// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import HTTPClient
import OCSF
import Sekoia
import Storage
import Telemetry
import TestKit
import Testing

@testable import FalconInventories

@Suite("Bringing assets to Sekoia") struct PusherTests {
    private let people = (0..<40).map { InventoryEvent(.user(User(uid: "u\($0)", name: "n")), time: .zero) }

    /// Pushes everything to a platform that answers so, request by request; gives the dead letters and the metrics.
    private func push(_ status: @escaping @Sendable (Int) -> Int) async throws -> (letters: Int, metrics: String) {
        let requests = Recorder<Void>()
        let transport = ScriptedTransport { _ in
            requests.append(())
            return .status(status(requests.elements.count), "{}")
        }
        let time = TestTime(jumping: true)
        let metrics = Metrics(time: time)
        let store = try await SQLiteStore.open(path: ":memory:")
        let flow = try await store.number(of: "users", in: .flow)
        let target = try await store.number(of: "sekoia/assets", in: .target)
        var options = Pusher.Options()
        options.batchSize = 10
        options.inFlight = 1
        let pusher = Pusher(
            try SekoiaAssets(transport: transport, connectorID: "c", key: { Secret("k") }, time: time), options,
            events: InventoryEvents(log: .silent, metrics: metrics, flow: "f"), store: store,
            place: (flow: flow, target: target, fencingToken: 0), time: time, stop: StopSignal())
        try await pusher.push(people)
        return (try await store.deadLetters(DeadLetterQuery()).count, metrics.text())
    }

    // covers: assets:refused-all
    @Test func `puts no whole inventory aside when the platform refuses everything`() async throws {
        let (letters, metrics) = try await push { $0 < 100 ? 400 : 200 }
        #expect(letters == 16)
        #expect(metrics.contains(#"sallyport_inventory_assets_total{flow="f",outcome="delivered"} 24"#))
    }

    // covers: assets:status
    @Test func `sends again what was answered with neither success nor a refusal of items`() async throws {
        let (letters, metrics) = try await push { $0 % 2 == 0 ? 200 : 202 }
        #expect(letters == 0)
        #expect(metrics.contains(#"sallyport_inventory_assets_total{flow="f",outcome="delivered"} 40"#))
    }
}
