// SPDX-License-Identifier: Apache-2.0

import Base
public import Engine
import JSON
import OpenCTI
import Settings
import Storage
public import Telemetry

/// Runs an ``EnrichmentHandler`` as a connector: registers, takes requests from the queue or over HTTP, counts attempts,
/// applies effects, reports works, and acknowledges last.
public struct EnrichmentShell: Sendable {
    /// What the platform is told of the connector, and the limits.
    public struct Profile: Sendable {
        /// How the platform shows it.
        public var name: String
        /// OpenCTI's entity types, such as `IPv4-Addr`; other entities are skipped with a message.
        public var scope: [String]
        /// Requests worked on at once = prefetch.
        public var concurrency: Int
        /// Whether playbooks may use it.
        public var isPlaybookCompatible: Bool

        public init(name: String, scope: [String], concurrency: Int = 32, isPlaybookCompatible: Bool = true) {
            self.name = name
            self.scope = scope
            self.concurrency = concurrency
            self.isPlaybookCompatible = isPlaybookCompatible
        }
    }

    let context: ConnectorContext
    let profile: Profile
    let handler: any EnrichmentHandler

    /// The connector declares ``OpenCTISettings/connection``, ``EnrichmentSettings/all`` and ``BundleSettings/all``.
    public init(_ context: ConnectorContext, profile: Profile, handler: any EnrichmentHandler) {
        self.context = context
        self.profile = profile
        self.handler = handler
    }

    /// Declares every metric that a run declares.
    public static func declareMetrics(in metrics: Metrics) {
        Connections.declareMetrics(in: metrics)
        BundlePush.declareMetrics(in: metrics)
        _ = EnrichmentEvents(log: .silent, metrics: metrics, flow: "")
    }

    /// `run` of the connector.
    public func run(until stop: StopSignal) async throws {
        let settings = context.settings
        let log = context.log.with(.field("flow", context.name))
        let client = try Connections(context).openCTI()
        let connector = connectorProfile
        let version: PlatformVersion?
        let registration: Registration
        do {
            version = try await client.platformVersion()
            registration = try await client.register(connector, on: version)
        } catch { throw ConnectorError.refused(code: error.code, reason: error.description) }
        if listensOverHTTP, !(version?.hasCallbacks ?? false) {
            throw ConnectorError.configuration(
                setting: "connector.listen_protocol",
                reason:
                    "`api` needs OpenCTI 6.5 or later; this one is \(version.map { "\($0)" } ?? "of unknown version").")
        }
        log.info(
            "Registered with OpenCTI",
            .field("opencti.version", version.map { "\($0)" } ?? "unknown"), .field("reduced", registration.isReduced))
        let push = try BundlePush(
            context, client: client, connector: connector, registration: registration, version: version)
        do {
            try await EnrichmentService(
                shell: self, client: client, connector: connector, registration: registration, version: version,
                push: push, log: log, flow: try await context.store.number(of: context.name, in: .flow),
                target: try await context.store.number(of: "opencti/\(settings[OpenCTISettings.url].text)", in: .target)
            ).run(until: stop)
        } catch {
            await push.close()
            throw error
        }
        await push.close()
    }

    var listensOverHTTP: Bool { context.settings[EnrichmentSettings.listenProtocol] == .api }
    private var pushesOverQueue: Bool {
        context.settings[BundleSettings.queueProtocol] == .amqp && context.settings[BundleSettings.sendsToQueue]
    }

    var connectorProfile: ConnectorProfile {
        let settings = context.settings
        var callback: String?
        if listensOverHTTP {
            let scheme = settings[EnrichmentSettings.listenTLS] ? "https" : "http"
            var uri =
                settings[EnrichmentSettings.listenURI]
                ?? "\(scheme)://127.0.0.1:\(settings[EnrichmentSettings.listenPort])"
            while uri.hasSuffix("/") { uri.removeLast() }
            callback = uri + settings[EnrichmentSettings.listenPath]
        }
        return ConnectorProfile(
            id: settings[OpenCTISettings.id], name: profile.name, kind: .internalEnrichment, scope: profile.scope,
            auto: settings[EnrichmentSettings.auto], onlyContextual: settings[EnrichmentSettings.onlyContextual],
            playbookCompatible: profile.isPlaybookCompatible, autoUpdate: settings[EnrichmentSettings.autoUpdate],
            enrichmentResolution: "none", listenCallbackURI: callback, version: BuildInfo.version,
            usesBroker: !listensOverHTTP || pushesOverQueue,
            usesStorage: settings[BundleSettings.sendsToS3])
    }

    /// `check` of the connector: platform, token, capabilities, broker or listener.
    public func check(_ report: @Sendable (CheckLine) -> Void) async {
        do {
            if listensOverHTTP { _ = try EnrichmentSettings.certificate(context.settings) }
            try await PlatformCheck(context).run(
                needing: [("KNOWLEDGE", "to read the entity"), ("KNOWLEDGE_KNUPDATE", "to write what was found")],
                wishing: [
                    ("SETTINGS_SETLABELS", "to create labels"), ("MODULES", "to read works after a crash"),
                ], registering: "to register and report works", report)
        } catch {
            report(.init(failure: error, of: "opencti"))
        }
    }
}
