// SPDX-License-Identifier: Apache-2.0

public import Base
import ConnectorKit
public import Engine
import HarfangLab
import Hashing
import JSON
import OpenCTI
import STIX
import Settings
import Storage
import Telemetry

extension HarfangLabIncidentsConnector {
    /// One run with a sink that sends nothing; the store is a scratch copy, and no work is begun.
    public func plan(
        _ report: @escaping @Sendable (PlannedChange) -> Void, until stop: StopSignal
    ) async throws -> Accounting {
        let version = try await connections.openCTIAndVersion().version
        let flow = try await context.store.number(of: flowName, in: .flow)
        let target = try await context.store.number(of: targetName, in: .target)
        let checkpoints = Checkpoints(try await planned(flow))
        let status = FlowStatus()
        let translator = try translator(version)
        var parts = try parts(
            translator, checkpoints, RunWork(NoWorks(), name: ""), status, .silent)
        parts.runsOnce = true
        try await self.flow(
            IncidentSource(parts, after: nil), PlanSink(report: report), status, flow, target, .silent, until: stop)
        return status.snapshot.accounting
    }

    private func planned(_ flow: Int64) async throws -> JSONObject? {
        try await context.store.values(flow: flow)[Self.kept].flatMap { try? JSONValue(parsing: $0) }?.object
    }

    /// An import keeps no entries; its history is found by an event's id, or `threat 41`.
    public func source(of id: String) async throws -> Digest128? {
        KeyHasher().digest(id.hasPrefix("threat ") ? id : "event \(id)")
    }

    /// Platform, token and capabilities, the console and what the token may read. Reads only.
    public func check(_ report: @Sendable (CheckLine) -> Void) async {
        do {
            try await PlatformCheck(context).run(needing: [], report)
            let console = try connections.harfangLab(names)
            await ConsoleCheck(console).run(report)
            let start = StartDate(context.time.now).earlier(by: .seconds(3600)).description
            _ = try await console.alerts(AlertFilter(statuses: nil, types: nil), from: start)
            report(.init(.ok, "harfanglab.events", "Security events can be read."))
            if context.settings[HarfangLabIncidentsSettings.importsThreats] {
                _ = try await console.threats(from: start)
                report(.init(.ok, "harfanglab.threats", "Threats can be read."))
            }
        } catch {
            report(.init(failure: error, of: "harfanglab"))
        }
    }
}

private struct NoWorks: WorkReporting {
    func begin(_ name: String) async throws -> String? { nil }
    func end(_ work: String, _ message: String, isError: Bool) async throws {}
}

/// Takes every record for sent and reports what it would be.
private struct PlanSink: FlowSink {
    let report: @Sendable (PlannedChange) -> Void

    func deliver(_ batch: OperationBatch) async -> [OperationResult] { [] }

    func append(_ batch: RecordBatch) async -> RecordResult {
        for record in batch.records {
            let objects = (try? JSONValue(parsing: record))?.array ?? []
            let first = objects.first
            report(
                PlannedChange(
                    action: "create",
                    subject: "\(first?["type"]?.string ?? "object"): \(first?["name"]?.string ?? "")",
                    detail: [("objects", "\(objects.count)"), ("id", first?["id"]?.string ?? "")], reason: ""))
        }
        return .appended(refused: [:])
    }
}
