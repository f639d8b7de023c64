// SPDX-License-Identifier: Apache-2.0

public import Base
import ConnectorKit
public import Engine
import Telemetry

extension FalconIndicatorsConnector {
    /// The same flow with a sink that writes nothing. The context's store is a scratch copy, so nothing is kept either, and
    /// neither registration nor ping changes the platform.
    public func plan(
        _ report: @escaping @Sendable (PlannedChange) -> Void, until stop: StopSignal
    ) async throws -> Accounting {
        let (openCTI, version) = try await connections.openCTIAndVersion()
        let job = LiveStreamJob(context, profile: profile, log: .silent)
        let prepared = try await prepare(job, try await job.toldState(flowName), .silent)
        let status = FlowStatus()
        let sink = PlanningSink(instead: sink(prepared, openCTI, version, .silent), report: report) { operation in
            let content = IOCContent(encoded: operation.content)
            return .init(
                subject: content.map { "\($0.type):\($0.value)" } ?? operation.key.description,
                detail: content?.described ?? [])
        }
        try await flow(
            job, prepared, openCTI, version, StreamState(prepared.beginning.start.state), status,
            BoundedChannel(capacity: 1), .silent, until: stop, sink: sink, stopsWhenCaughtUp: true)
        return status.snapshot.accounting
    }

    public func keys(of value: String) -> [Digest128] {
        let candidates = IOCType.allCases.compactMap { type in
            IndicatorValue.canonical(value, as: type).map { model.key(type, $0) }
        }
        return Array(Set(candidates))
    }

    public func source(of id: String) async throws -> Digest128? {
        try await connections.indicatorSource(of: id) { model.source($0) }
    }

    public func describe(_ contribution: [UInt8]) -> [(field: String, text: String)] {
        guard let content = IOCContent(encoded: contribution) else { return [] }
        return content.described
    }
}

extension IOCContent {
    var described: [(field: String, text: String)] {
        var fields: [(field: String, text: String)] = [
            ("type", type.description), ("value", value), ("action", action.description),
            ("severity", severity.description), ("platforms", platforms.names.joined(separator: ", ")),
        ]
        if case .at(let end) = expiration { fields.append(("expiration", end.description)) }
        if !tags.isEmpty { fields.append(("tags", tags.joined(separator: ", "))) }
        if !description.isEmpty { fields.append(("description", description)) }
        return fields
    }
}
