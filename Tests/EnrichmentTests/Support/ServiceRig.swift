// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import HTTPClient
import JSON
import OpenCTI
import STIX
import Settings
import Storage
import Synchronization
import Telemetry
import TestKit

@testable import ConnectorKit
@testable import Messaging

/// A service without a way in, between a scripted platform, a state in memory, and a clock that a test moves.
struct ServiceRig: Sendable {
    static let work = "work_9b2f6c1e-3d4a-4f7b-8c1d-2e3f4a5b6c7d_2026-11-21T10:00:00.000Z"
    static let entity = "ipv4-addr--9ddd739e-87b1-587d-83f2-62ef1130af2f"

    let time: TestTime
    let transport: ScriptedTransport
    let store: SQLiteStore
    let service: EnrichmentService
    let parts: EnrichmentService.Parts

    init(
        _ environment: [String: String] = [:], time: TestTime = TestTime(), handler: any EnrichmentHandler,
        answering: @escaping @Sendable (String) -> String? = { _ in nil }
    ) async throws {
        self.time = time
        transport = ScriptedTransport { (recorded) throws(HTTPError) in
            .status(
                200, headers: ["Content-Type": "application/json"],
                answering(recorded.text) ?? Self.answer(recorded.text))
        }
        store = try await SQLiteStore.open(path: ":memory:")
        let context = ConnectorContext(
            name: "test", settings: try Self.settings(environment), store: store, log: .silent, metrics: Metrics(),
            health: Health(time: time), time: time, guards: .standard, ceiling: DeleteCeiling(), shared: SharedParts())
        let client = OpenCTIClient(
            transport: transport,
            configuration: try .init(url: "https://cti.example", token: Secret("t0ken"), userAgent: "sallyport/1.0"),
            time: time)
        let shell = EnrichmentShell(
            context, profile: .init(name: "Test", scope: ["IPv4-Addr"], concurrency: 2), handler: handler)
        let version = try await client.platformVersion()
        let connector = shell.connectorProfile
        let registration = try await client.register(connector, on: version)
        service = EnrichmentService(
            shell: shell, client: client, connector: connector, registration: registration, version: version,
            push: try BundlePush(
                context, client: client, connector: connector, registration: registration, version: version),
            log: .silent, flow: try await store.number(of: "test", in: .flow),
            target: try await store.number(of: "opencti", in: .target))
        parts = service.parts()
    }

    static func settings(_ environment: [String: String]) throws -> ResolvedSettings {
        let declaration = ConnectorSettings(
            name: "test", title: "Test", summary: "Test.",
            settings: OpenCTISettings.connection + [OpenCTISettings.name, OpenCTISettings.scope]
                + EnrichmentSettings.all
                + BundleSettings.all)
        let required = [
            "OPENCTI_URL": "https://cti.example", "OPENCTI_TOKEN": "t0ken", "CONNECTOR_NAME": "Test",
            "CONNECTOR_ID": "9b2f6c1e-3d4a-4f7b-8c1d-2e3f4a5b6c7d", "CONNECTOR_SCOPE": "IPv4-Addr",
            // Bundles take the way that needs no broker.
            "CONNECTOR_QUEUE_PROTOCOL": "api",
        ]
        let input = SettingsInput(environment: required.merging(environment) { $1 })
        return try SettingsCatalogue(connectors: [declaration]).dropIn(declaration, input: input).flows[0].settings
    }

    private static func answer(_ request: String) -> String {
        if request.contains("about") { return #"{"data":{"about":{"version":"7.260817.0"}}}"# }
        if request.contains("registerConnector") {
            return #"{"data":{"registerConnector":{"id":"9b2f6c1e","connector_state":null,"connector_user_id":"u"}}}"#
        }
        if request.contains("stixCoreObject") {
            return """
                {"data":{"stixCoreObject":{"id":"i","standard_id":"\(entity)","entity_type":"IPv4-Addr",\
                "parent_types":["Stix-Cyber-Observable"],"objectLabel":[],"objectMarking":[],\
                "externalReferences":{"edges":[]}}}}
                """
        }
        return #"{"data":{"workEdit":{"toReceived":"w","toProcessed":"w"},"stixBundlePush":true}}"#
    }

    /// As the platform asks; `tag` names a delivery of the queue.
    func parcel(tag: UInt64 = 1, mayBeRepeated: Bool = false) -> EnrichmentParcel {
        let body: JSONValue = [
            "internal": ["work_id": .string(Self.work)],
            "event": [
                "event_type": "INTERNAL_ENRICHMENT", "entity_id": .string(Self.entity), "entity_type": "IPv4-Addr",
                "stix_entity": .string(#"{"id":"\#(Self.entity)","type":"ipv4-addr","value":"203.0.113.7"}"#),
            ],
        ]
        return EnrichmentParcel(
            origin: .queue(Delivery.Tag(connection: 1, number: tag)), body: body.bytes,
            digest: Digest128(high: 1, low: tag), mayBeRepeated: mayBeRepeated, deliveryCount: 0, received: time.now,
            holdUntil: time.uptime + EnrichmentService.longestHold)
    }

    /// What was reported as processed: message, and whether in error.
    var reports: [(message: String, isError: Bool)] {
        transport.requests.compactMap { recorded in
            guard recorded.text.contains("toProcessed"), let body = try? JSONValue(parsing: recorded.body) else {
                return nil
            }
            return (
                body["variables"]?["message"]?.string ?? "", body["variables"]?["inError"]?.bool ?? false
            )
        }
    }

    func jobs(dueWithin duration: Duration) async throws -> [Job] {
        try await store.dueJobs(runner: parts.jobs.runner, at: time.now.advanced(by: duration), limit: 10)
    }
}

/// Does what a test says.
struct ScriptedHandler: EnrichmentHandler {
    let body: @Sendable (EnrichmentRequest) async throws -> EnrichmentOutcome

    init(_ body: @escaping @Sendable (EnrichmentRequest) async throws -> EnrichmentOutcome) { self.body = body }

    func enrich(
        _ request: EnrichmentRequest, on platform: any PlatformDirectory
    ) async throws -> EnrichmentOutcome { try await body(request) }
}
