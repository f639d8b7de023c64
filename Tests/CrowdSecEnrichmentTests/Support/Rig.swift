// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import CrowdSec
import HTTPClient
import JSON
import OpenCTI
import STIX
import Settings
import Storage
import Synchronization
import Telemetry
import TestKit

@testable import CrowdSecEnrichment

/// The handler between a scripted service, a pretended platform and a state in memory.
struct Rig: Sendable {
    static let noon = Instant(milliseconds: 1_781_524_800_000)  // 2026-06-15T12:00:00Z

    let transport = ScriptedTransport()
    let time: TestTime
    let platform: PretendedPlatform
    let ledger: EnrichmentLedger
    let handler: CrowdSecHandler

    init(
        _ options: EnrichmentOptions = EnrichmentOptions(), platform: PretendedPlatform = PretendedPlatform(),
        lifetime: Duration = .zero
    ) async throws {
        self.platform = platform
        time = TestTime(jumping: true, start: Self.noon)
        let store = try await SQLiteStore.open(path: ":memory:")
        ledger = EnrichmentLedger(
            store: store, flow: try await store.number(of: "crowdsec", in: .flow),
            target: try await store.number(of: "opencti", in: .target), fencingToken: 0)
        let client = CrowdSecClient(
            transport: transport, configuration: try .init(key: { Secret("cs-cti-key-EXAMPLE") }),
            gate: LookupGate(time: time), time: time)
        handler = CrowdSecHandler(
            options: options,
            lookups: CTILookups(client: client, cache: AnswerCache(lifetime: lifetime, time: time)), ledger: ledger,
            events: Events(log: .silent, metrics: Metrics(), health: nil, flow: "crowdsec"))
    }

    func enrich(_ request: EnrichmentRequest) async throws -> EnrichmentOutcome {
        try await handler.enrich(request, on: platform)
    }

    /// As the shell does it: enriches and, once everything stands on the platform, says so.
    func run(_ request: EnrichmentRequest) async throws -> EnrichmentEffects? {
        guard case .enriched(let effects, _) = try await enrich(request) else { return nil }
        try await handler.applied(effects, to: request)
        return effects
    }

    static let required = [
        "OPENCTI_URL": "http://opencti:8080", "OPENCTI_TOKEN": "token",
        "CONNECTOR_ID": "6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11",
    ]

    static func settings(_ environment: [String: String]) throws -> ResolvedSettings {
        let declaration = CrowdSecEnrichmentConnector.declaration
        let input = SettingsInput(environment: required.merging(environment) { $1 })
        return try SettingsCatalogue(connectors: [declaration]).dropIn(declaration, input: input).flows[0].settings
    }
}

/// What the platform knows and is told.
final class PretendedPlatform: PlatformDirectory {
    let version: PlatformVersion?
    let organizations: [String: String]
    let objects: [String: JSONValue]
    let created = Recorder<String>()
    let read = Recorder<String>()

    init(
        version: String = "7.260817.0", organizations: [String: String] = [:], objects: [String: JSONValue] = [:]
    ) {
        self.version = PlatformVersion(parsing: version)
        self.organizations = organizations
        self.objects = objects
    }

    func organization(named name: String, description: String) async throws -> String {
        if let known = organizations[name] { return known }
        created.append("\(name)|\(description)")
        return ObjectIDs().identity(name: name, identityClass: "organization")
    }

    func stix(_ id: String) async throws -> JSONValue? {
        read.append(id)
        return objects[id]
    }
}

extension EnrichmentRequest {
    /// A request about an address as a platform of today sends it.
    init(
        _ address: String, type: String = "IPv4-Addr", description: String? = nil, labels: [String] = [],
        tlp: [String] = [], playbook: PlaybookStep? = nil, draftID: String? = nil, at time: Instant = Rig.noon
    ) {
        let stixType = type.lowercased()
        var object = STIXObject.observable(stixType, value: address)
        var octi: JSONObject = ["extension_type": "property-extension", "type": .string(type)]
        if let description { octi["description"] = .string(description) }
        if !labels.isEmpty { octi["labels"] = .array(labels.map { .string($0) }) }
        object["extensions"] = ["extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba": .object(octi)]
        self.init(
            entityID: object.id, entityType: type, entity: object,
            markings: tlp.map { Marking(standardID: "marking-definition--\($0)", type: "TLP", definition: $0) },
            workID: "work_1", playbook: playbook, draftID: draftID, time: time)
    }
}

extension EnrichmentEffects {
    var references: [String] {
        writes.compactMap { if case .externalReference(let reference, _) = $0 { reference.url } else { nil } }
    }
    var labels: [PlatformLabel] {
        writes.flatMap { write -> [PlatformLabel] in
            if case .addLabels(let labels) = write { labels } else { [] }
        }
    }
    var removed: [String] {
        writes.flatMap { write -> [String] in
            if case .removeLabels(let labels) = write { labels } else { [] }
        }
    }
    func types() -> [String] { objects.map(\.type) }
    func object(_ type: String) -> STIXObject? { objects.first { $0.type == type } }
}
