// SPDX-License-Identifier: Apache-2.0

public import Base
import ConnectorKit
import CrowdSec
public import Engine
import HTTPClient
import Hashing
public import Settings
import Storage
public import Telemetry

/// OpenCTI asks about an IP address → CrowdSec CTI → what it knows goes back into OpenCTI.
///
/// A drop-in for OpenCTI's connector “CrowdSec”.
public struct CrowdSecEnrichmentConnector: Connector {
    public static let declaration = ConnectorSettings(
        name: "crowdsec", aliases: ["connector-crowdsec", "opencti-connector-crowdsec", "crowdsec-enrichment"],
        title: "CrowdSec CTI → OpenCTI",
        summary:
            "Enriches IPv4 and IPv6 observables of OpenCTI with what CrowdSec's CTI knows of them: reputation, scenarios, "
            + "techniques, CVEs, targeted countries, sightings.",
        settings: CrowdSecSettings.all, rules: [CrowdSecSettings.versionRule])

    let context: ConnectorContext
    let connections: Connections

    public init(_ context: ConnectorContext) throws {
        self.context = context
        connections = Connections(context)
    }

    public static func declareMetrics(in metrics: Metrics) {
        EnrichmentShell.declareMetrics(in: metrics)
        _ = Events(log: .silent, metrics: metrics, health: nil, flow: "")
    }

    public var flowName: String { context.name }
    /// The platform: what is set there is set for all flows.
    public var targetName: String { "opencti/\(context.settings[OpenCTISettings.url].text)" }

    public func run(until stop: StopSignal) async throws {
        try await shell(try await handler()).run(until: stop)
    }

    func shell(_ handler: some EnrichmentHandler) -> EnrichmentShell {
        let settings = context.settings
        return EnrichmentShell(
            context,
            profile: .init(
                name: settings[CrowdSecSettings.name], scope: settings[CrowdSecSettings.scope],
                concurrency: settings[CrowdSecSettings.maxConcurrent]), handler: handler)
    }

    func handler() async throws -> CrowdSecHandler {
        let store = context.store
        let ledger = EnrichmentLedger(
            store: store, flow: try await store.number(of: flowName, in: .flow),
            target: try await store.number(of: targetName, in: .target), fencingToken: context.fencingToken)
        // Nothing is known to be wrong until somebody asks.
        let health = context.health.component("\(context.name)/crowdsec")
        health.report(.ok)
        let events = Events(
            log: context.log.with(.field("flow", context.name)), metrics: context.metrics, health: health,
            flow: context.name)
        return CrowdSecHandler(
            options: EnrichmentOptions(context.settings), lookups: try lookups(), ledger: ledger, events: events)
    }

    /// Look-ups behind the gate and the cache that all flows of this key share.
    func lookups() throws -> CTILookups {
        let lifetime = context.settings[CrowdSecSettings.cacheLifetime]
        let cache = context.shared.part("crowdsec-cache/\(lifetime)/\(account)") {
            AnswerCache(lifetime: .seconds(lifetime), time: context.time)
        }
        return CTILookups(client: try client(), cache: cache)
    }

    func client() throws -> CrowdSecClient {
        let settings = context.settings
        return try connections.configured("crowdsec") {
            let transport = try connections.transport("crowdsec", settings[CrowdSecSettings.verification]) { http in
                http.timeouts.connect = .seconds(10)
                http.limits.connectionsPerHost = settings[CrowdSecSettings.maxConcurrent]
            }
            let configuration = try CrowdSecClient.Configuration(
                baseURL: settings[CrowdSecSettings.url].text, key: connections.rereading(CrowdSecSettings.key),
                userAgent: "sallyport-crowdsec/\(BuildInfo.version)")
            let attempts = settings[CrowdSecSettings.attempts]
            let gate = context.shared.part("crowdsec-gate/\(attempts)/\(account)") {
                LookupGate(time: context.time, attempts: attempts)
            }
            return CrowdSecClient(
                transport: transport, configuration: configuration, gate: gate, time: context.time)
        }
    }

    /// Names the key for what is shared without holding it.
    private var account: String {
        let settings = context.settings
        let url = settings[CrowdSecSettings.url].text
        return KeyHasher().digest(url, settings[CrowdSecSettings.key].reveal()).uuidDescription
    }

    // MARK: Questions

    public func keys(of value: String) -> [Digest128] { [EnrichmentLedger.key(of: value)] }

    public func source(of id: String) async throws -> Digest128? {
        id.hasPrefix("ipv4-addr--") || id.hasPrefix("ipv6-addr--") ? EnrichmentLedger.source(of: id) : nil
    }

    public func describe(_ contribution: [UInt8]) -> [(field: String, text: String)] {
        EnrichmentLedger.Contribution(encoded: contribution)?.described ?? []
    }
}
