// SPDX-License-Identifier: Apache-2.0

public import Base
import ConnectorKit
public import Engine
import HarfangLab
import OpenCTI
import Telemetry

extension HarfangLabIntelConnector {
    /// The same flow with a sink that writes nothing. The context's store is a scratch copy, so nothing is kept either, and
    /// neither registration nor ping changes the platform.
    public func plan(
        _ report: @escaping @Sendable (PlannedChange) -> Void, until stop: StopSignal
    ) async throws -> Accounting {
        let openCTI = try connections.openCTI()
        let version: PlatformVersion?
        do { version = try await openCTI.platformVersion() } catch {
            throw ConnectorError.refused(code: error.code, reason: error.description)
        }
        let job = LiveStreamJob(context, profile: profile, log: .silent)
        let prepared = try await prepare(job, try await job.toldState(flowName), makesLists: false)
        let status = FlowStatus()
        let sink = PlanSink(inner: sink(prepared, openCTI, version, .silent), report: report)
        let checker = RuleCheckProcess(time: context.time, log: .silent)
        try await flow(
            job, prepared, openCTI, version, StreamState(prepared.beginning.start.state), status,
            BoundedChannel(capacity: 1), checker, .silent, until: stop, sink: sink, stopsWhenCaughtUp: true)
        await checker.stop()
        return status.snapshot.accounting
    }

    public func keys(of value: String) -> [Digest128] {
        var subjects = IOCRuleType.allCases.map { RuleSubject.ioc($0, value) }
        let name = IntelTranslator.ruleName(value)
        subjects += [.sigma(name), .yara(name)]
        return Array(Set(subjects.map { model.key($0) }))
    }

    /// The ledger knows indicators by the platform's internal id. A STIX id changes with the pattern: the platform says
    /// which indicator has it now.
    public func source(of id: String) async throws -> Digest128? {
        if let uuid = Digest128(uuid: id) { return uuid }
        guard id.hasPrefix("indicator--") else { return nil }
        let client = try connections.openCTI()
        do throws(OpenCTIError) {
            return try await client.indicator(id).map { model.source($0.id) }
        } catch {
            throw ConnectorError.refused(code: error.code, reason: error.description)
        }
    }

    public func describe(_ contribution: [UInt8]) -> [(field: String, text: String)] {
        RuleContent(encoded: contribution)?.described ?? []
    }
}

/// Takes every operation for granted and reports it.
private struct PlanSink: FlowSink {
    let inner: RuleSink
    let report: @Sendable (PlannedChange) -> Void

    func deliver(_ batch: OperationBatch) async -> [OperationResult] {
        batch.operations.map { operation in
            let content = RuleContent(encoded: operation.content)
            report(
                PlannedChange(
                    action: operation.isMark ? "mark" : operation.kind.description,
                    subject: content.map { "\($0.subject.label):\($0.subject.text)" } ?? operation.key.description,
                    detail: content?.described ?? [],
                    reason: operation.isBlind ? "if the console holds it for this indicator" : ""))
            return .applied(remoteID: operation.remoteID.isEmpty ? "planned" : operation.remoteID)
        }
    }

    func holding(_ key: Digest128, removal: [UInt8], source: Digest128) async -> FlowCore.Holding {
        await inner.holding(key, removal: removal, source: source)
    }
}
