// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Engine
import HTTPClient
import Sekoia
import Settings
import Telemetry

/// Where the events of a flow go: how lines are laid out, and who takes them.
struct Destination: Sendable {
    let frame: LineFrame
    let sink: any RelaySink
    private let end: @Sendable () async -> Void

    init(frame: LineFrame, sink: any RelaySink, end: @escaping @Sendable () async -> Void = {}) {
        self.frame = frame
        self.sink = sink
        self.end = end
    }

    func close() async { await end() }

    /// - Throws: ``ConnectorError/configuration(setting:reason:)``.
    static func open(
        _ context: ConnectorContext, session: SymphonySession, events: Events, connections: Connections
    ) async throws -> Destination {
        let settings = context.settings
        switch settings[FalconTelemetrySettings.target] {
        case .sekoia:
            let frame = IntakeFrame(key: settings[FalconTelemetrySettings.intakeKey] ?? Secret(""))
            let intake: SekoiaIntake
            do { intake = try Self.intake(context, session) } catch {
                throw ConnectorError.configuration(setting: "sekoia.intake_url", reason: error.description)
            }
            let sink = PostSink(
                "Sekoia's intake", frame: .strings(frame), events: events, pulse: session.pulse, time: context.time
            ) { await intake.send($0) }
            return Destination(frame: .strings(frame), sink: sink)
        case .file:
            let target = try FileTarget(
                path: settings[FalconTelemetrySettings.filePath]?.text ?? "",
                maxBytes: settings[FalconTelemetrySettings.fileSize].bytes,
                kept: settings[FalconTelemetrySettings.fileCount], events: events, pulse: session.pulse,
                time: context.time)
            return Destination(frame: .lines, sink: target)
        case .stdout:
            return Destination(
                frame: .lines, sink: OutputTarget(events: events, pulse: session.pulse, time: context.time))
        case .http:
            let endpoint = Endpoint(
                transport: session.transport, url: settings[FalconTelemetrySettings.endpoint]?.text ?? "",
                token: settings[FalconTelemetrySettings.endpointToken], time: context.time)
            let sink = PostSink(
                "The endpoint", frame: .lines, events: events, pulse: session.pulse, time: context.time
            ) { await endpoint.send($0) }
            return Destination(frame: .lines, sink: sink)
        case .kafka:
            let target = try KafkaTarget(
                brokers: settings[FalconTelemetrySettings.brokers] ?? "",
                topic: settings[FalconTelemetrySettings.topic] ?? "",
                options: settings[FalconTelemetrySettings.kafkaOptions], events: events, pulse: session.pulse,
                time: context.time)
            return Destination(frame: .lines, sink: target) { await target.close() }
        }
    }

    static func intake(_ context: ConnectorContext, _ session: SymphonySession) throws(SekoiaError) -> SekoiaIntake {
        let settings = context.settings
        let url = settings[FalconTelemetrySettings.intakeServer] ?? settings[FalconTelemetrySettings.intakeURL]
        return try SekoiaIntake(
            transport: session.transport, url: url, userAgent: "sallyport-\(BuildInfo.version)", time: context.time)
    }

    /// A body of lines that do not come from the stream: dead letters, vertices.
    func batch(of lines: [[UInt8]]) -> RelayBatch {
        var batcher = LineBatcher(.init(partition: "", flow: 0, frame: frame))
        return batcher.body(lines)
    }

    func batch(of line: [UInt8]) -> RelayBatch { batch(of: [line]) }
}
