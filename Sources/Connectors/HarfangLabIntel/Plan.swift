// SPDX-License-Identifier: Apache-2.0

public import Base
import ConnectorKit
public import Engine
import HarfangLab
import Telemetry

extension HarfangLabIntelConnector {
    /// The same flow with a sink that writes nothing. The context's store is a scratch copy, so nothing is kept either, and
    /// neither registration nor ping changes the platform.
    public func plan(
        _ report: @escaping @Sendable (PlannedChange) -> Void, until stop: StopSignal
    ) async throws -> Accounting {
        let (openCTI, version) = try await connections.openCTIAndVersion()
        let job = LiveStreamJob(context, profile: profile, log: .silent)
        let prepared = try await prepare(job, try await job.toldState(flowName), makesLists: false)
        let status = FlowStatus()
        let sink = PlanningSink(instead: sink(prepared, openCTI, version, .silent), report: report) { operation in
            let content = RuleContent(encoded: operation.content)
            return .init(
                subject: content.map { "\($0.subject.label):\($0.subject.text)" } ?? operation.key.description,
                detail: content?.described ?? [],
                condition: operation.isBlind ? "if the console holds it for this indicator" : "")
        }
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

    public func source(of id: String) async throws -> Digest128? {
        try await connections.indicatorSource(of: id) { model.source($0) }
    }

    public func describe(_ contribution: [UInt8]) -> [(field: String, text: String)] {
        RuleContent(encoded: contribution)?.described ?? []
    }
}
