// SPDX-License-Identifier: Apache-2.0

public import Base
import ConnectorKit
public import Engine
import Falcon
import HTTPClient
public import Settings
import Storage
public import Telemetry
import VMRay

/// Falcon's detections and quarantined files → VMRay → comments, indicators, containment and cases at Falcon.
///
/// A drop-in for `vmray/crowdstrike-falcon`.
public struct SandboxTriageConnector: Connector {
    public static let declaration = ConnectorSettings(
        name: "vmray", aliases: ["crowdstrike-falcon", "cs_connector", "vmray-crowdstrike-falcon", "sandbox-triage"],
        title: "CrowdStrike Falcon ↔ VMRay",
        summary:
            "Gives the files of Falcon's detections and quarantine to VMRay's sandbox, and tells Falcon what it found: "
            + "comments and status, indicators, quarantine, containment, cases.",
        settings: TriageSettings.all, rules: TriageSettings.rules, adapter: OriginalFiles.adapter)

    let context: ConnectorContext
    let connections: Connections

    public init(_ context: ConnectorContext) throws {
        self.context = context
        connections = Connections(context)
    }

    public static func declareMetrics(in metrics: Metrics) {
        Connections.declareMetrics(in: metrics)
        _ = TriageEvents(log: .silent, metrics: metrics, flow: "")
    }

    public var flowName: String { context.name }
    public var targetName: String { "falcon/\(connections.tenant)" }

    public var runsOnce: Bool { context.settings[TriageSettings.runtimeMode] == .cli }

    // MARK: Running

    public func run(until stop: StopSignal) async throws {
        let events = events(context.log.with(.field("flow", context.name)))
        for text in TriageSettings.remarks(context.settings) { events.remark(text) }
        do {
            guard Self.isDryRun(context.settings) else {
                wipeDownloads()
                let parts = try await parts(context.store, events)
                return try await runsOnce ? run(parts, until: stop) : serve(parts, until: stop)
            }
            // What a dry run notes lasts as long as the process.
            let scratch = try await SQLiteStore.open(path: ":memory:")
            var parts = try await parts(scratch, events)
            parts.rehearse = { change in
                let detail = change.detail.map { "\($0.field)=\($0.text)" }.joined(separator: " ")
                events.would(change.action, change.subject, detail + " " + change.reason)
            }
            try await run(parts, until: stop)
            await scratch.close()
        } catch is CancellationError where stop.isRaised {}
    }

    /// Runs, and takes up what people ask for meanwhile.
    private func serve(_ parts: TriageParts, until stop: StopSignal) async throws {
        let desk = RequestDesk(parts.book, time: context.time)
        var parts = parts
        parts.requests = desk
        try await withThrowingTaskGroup(of: Void.self) { [parts] group in
            group.addTask { try await run(parts, until: stop) }
            group.addTask { try await desk.watch(until: stop) }
            try await group.waitForAll()
        }
        try await desk.close()
    }

    private func run(_ parts: TriageParts, until stop: StopSignal) async throws {
        let health = context.health.component(context.name)
        var pause: Duration = .seconds(1)
        var quotaRuns = 0
        while !stop.isRaised {
            do { try await begin(parts) } catch let error as any ActionableError {
                health.report(.notReady("\(error.code): \(error.description)"))
                if runsOnce { throw ConnectorError.refused(code: error.code, reason: error.description) }
                parts.events.cannotBegin(error, pause: pause)
                await stop.wait(atMost: pause, on: context.time)
                pause = min(pause * 2, .seconds(300))
                continue
            }
            pause = .seconds(1)
            let end = runsOnce ? nil : context.time.uptime + context.settings[TriageSettings.timeSpan]
            let summary = try await stop.grace(.seconds(10), on: context.time) {
                try await triageRun(parts).go(end: end, until: stop)
            }
            parts.events.ended(summary, at: context.time.now)
            quotaRuns = summary.hasSpentQuota ? quotaRuns + 1 : 0
            health.report(status(summary, quotaRuns, isStopped: await parts.containment.isTripped))
            if stop.isRaised { return }
            if runsOnce {
                guard summary.isComplete else {
                    throw ConnectorError.incomplete(reason: "Not everything could be done: \(summary.failure)")
                }
                return
            }
            if summary.unfinished == 0 { try await rest(parts, until: stop) }
        }
    }

    /// Both sides must answer before anything is begun. Source: VMRay, 3 (step 2).
    private func begin(_ parts: TriageParts) async throws {
        try await parts.falcon.authenticate()
        parts.events.began(version: try await parts.vmray.systemVersion())
    }

    /// The pause between two runs, unless a person asks for something before.
    private func rest(_ parts: TriageParts, until stop: StopSignal) async throws {
        let end = context.time.uptime + context.settings[TriageSettings.timeSpan]
        while !stop.isRaised, context.time.uptime < end {
            if await parts.requests?.isAsked == true { return }
            await stop.wait(atMost: min(.seconds(1), end - context.time.uptime), on: context.time)
        }
    }

    private func status(_ summary: RunSummary, _ quotaRuns: Int, isStopped: Bool) -> ComponentStatus {
        if isStopped {
            return .notReady(
                "The ceiling of containments or releases was reached. Look at the alerts, then run `sallyport approve`."
            )
        }
        if let source = summary.failedSources.first { return .notReady("The source \(source.rawValue) can't be read.") }
        if quotaRuns > 1 { return .notReady("VMRay's quota is spent.") }
        if let reason = SampleOutcome.effectsFailed.mention(in: summary) { return .degraded(reason) }
        if context.settings[TriageSettings.verification] == .off {
            return .degraded("VMRay's certificate is not verified (VMRAY_SSL_VERIFY).")
        }
        if context.isStateEphemeral {
            return .degraded("The state folder does not outlive this container: give it a volume.")
        }
        return .ok
    }

    func triageRun(_ parts: TriageParts) -> TriageRun {
        TriageRun(
            parts: parts, sources: context.settings[TriageSettings.dataSources],
            timeSpan: context.settings[TriageSettings.timeSpan])
    }

    // MARK: Parts

    func events(_ log: Log) -> TriageEvents { TriageEvents(log: log, metrics: context.metrics, flow: context.name) }

    func parts(_ store: any StateStore, _ events: TriageEvents) async throws -> TriageParts {
        let settings = context.settings
        let falcon = try connections.falcon()
        let vmray = try vmrayClient()
        let book = try await SampleBook(
            store, flow: flowName, target: targetName, fencingToken: context.fencingToken, time: context.time)
        let containment = try await ContainmentDesk(
            falcon, book, neverContain: settings[TriageSettings.neverContain],
            ceiling: settings[TriageSettings.containMax], time: context.time)
        return TriageParts(
            policy: TriagePolicy(settings), options: SubmissionOptions(settings), falcon: falcon,
            detections: FileDetections(falcon, mode: settings[TriageSettings.legacyAPI].mode), vmray: vmray,
            depot: try depot(falcon), book: book, containment: containment, guards: context.guards, events: events,
            limits: StepLimits(transfers: settings[TriageSettings.maxConcurrent]), time: context.time)
    }

    func vmrayClient() throws -> VMRayClient {
        let settings = context.settings
        return try connections.configured("vmray") {
            var verification = settings[TriageSettings.verification]
            if verification == .system, let file = settings[TriageSettings.authorities] {
                verification = .certificates(file)
            }
            let transport = try connections.transport("vmray", verification) { http in
                http.limits.connectionsPerHost = 2 * settings[TriageSettings.maxConcurrent] + 16
            }
            let configuration = try VMRayClient.Configuration(
                baseURL: settings[TriageSettings.url], key: settings[TriageSettings.apiKey],
                keyType: settings[TriageSettings.apiKeyType].clientType,
                connectorName: settings[TriageSettings.connectorName])
            return VMRayClient(transport: transport, configuration: configuration, time: context.time)
        }
    }

    // MARK: Questions

    public func keys(of value: String) -> [Digest128] {
        [SampleBook.digest(value), SampleBook.digest(value.lowercased())]
    }

    public func source(of id: String) async throws -> Digest128? {
        let hash = id.lowercased()
        return IndicatorRule.isSHA256(hash) ? SampleBook.digest(hash) : nil
    }
}

extension SampleOutcome {
    fileprivate func mention(in summary: RunSummary) -> String? {
        summary.outcomes[self].map { "\($0) samples: \(explanation)" }
    }
}
