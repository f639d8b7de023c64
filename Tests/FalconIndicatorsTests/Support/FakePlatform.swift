// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import OpenCTI
import Telemetry
import TestKit

@testable import ConnectorKit
@testable import Engine
@testable import FalconIndicators

/// A platform whose live stream is a script.
struct FakePlatform {
    let transport: ScriptedTransport
    let client: OpenCTIClient
    let time: TestTime

    init(
        time: TestTime = TestTime(jumping: true),
        answering: @escaping @Sendable (ScriptedTransport.Recorded) -> ScriptedTransport.Answer = { _ in .status(503) }
    ) throws {
        self.time = time
        transport = ScriptedTransport { answering($0) }
        client = OpenCTIClient(
            transport: transport,
            configuration: try .init(url: "https://cti.example", token: Secret("t0ken"), userAgent: "sallyport"),
            time: time)
    }

    /// One connection of the stream, its frames in one piece so that one read takes them all.
    func stream(_ frames: [String]) {
        transport.answer(
            .stream([frames.joined()], headers: ["Content-Type": "text/event-stream; charset=utf-8"], failure: nil))
    }

    static func frame(_ id: String?, _ event: String, _ data: String) -> String {
        (id.map { "id: \($0)\n" } ?? "") + "event: \(event)\ndata: \(data)\n\n"
    }

    func source(
        _ policy: IndicatorTranslator.Policy = .init(), model: IOCModel, from start: StreamStart = StreamStart(),
        recoversEverything: Bool = false, metrics: Metrics = Metrics(), progress: StreamState? = nil
    ) -> LiveStreamSource<IndicatorTranslator> {
        let stream = LiveStream(
            LiveStreamOptions(id: "7d0e4f52-6f6f-4f0e-9c51-2f0a7c1d9b33"), client: client, from: start, time: time,
            seed: 1)
        return LiveStreamSource<IndicatorTranslator>(
            stream: stream, translator: IndicatorTranslator(policy, model: model),
            progress: progress ?? StreamState(ConnectorState(startFrom: start.position, recoverUntil: nil)),
            events: StreamEvents(log: .silent, metrics: metrics, name: "Test", flow: "flow"), status: FlowStatus(),
            time: time, recoversEverything: recoversEverything)
    }
}
