// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import TestKit
import Vectors

@testable import CrowdSec

/// The service behind a script, a clock that jumps, and a client of it.
struct Service: Sendable {
    let transport: ScriptedTransport
    let time: TestTime
    let gate: LookupGate
    let client: CrowdSecClient

    init(
        _ answers: [ScriptedTransport.Answer] = [], time: TestTime = TestTime(jumping: true),
        baseURL: String = CrowdSecClient.Configuration.defaultBaseURL, attempts: Int = 6
    ) throws {
        self.time = time
        transport = ScriptedTransport()
        for answer in answers { transport.answer(answer) }
        gate = LookupGate(time: time, attempts: attempts)
        client = CrowdSecClient(
            transport: transport,
            configuration: try .init(baseURL: baseURL, key: { Secret("cs-cti-key-EXAMPLE") }),
            gate: gate, time: time)
    }

    var slept: [Int64] { time.slept.map { $0.components.seconds } }

    /// The sequence of answers of that name in `crowdsec-smoke.json`.
    static func sequence(_ name: String) throws -> [ScriptedTransport.Answer] {
        let file = try JSONValue(parsing: Array(Vectors.data("crowdsec-smoke.json")))
        return (file["answers"]?[name]?.array ?? []).map { answer in
            var headers = HTTPHeaders()
            for (name, value) in answer["headers"]?.object ?? [:] { headers.append(name, value.string ?? "") }
            let body = answer["body"].map { $0.string ?? $0.text } ?? ""
            return .status(Int(answer["status"]?.int ?? 0), headers: headers, body)
        }
    }

    static let limit: ScriptedTransport.Answer = .status(429, #"{"message":"Limit Exceeded"}"#)
    static let throttle: ScriptedTransport.Answer = .status(429, #"{"message":"Too Many Requests"}"#)
    static let down: ScriptedTransport.Answer = .status(503, #"{"message":"Service Unavailable"}"#)
    static let item: ScriptedTransport.Answer = .status(200, #"{"ip":"192.0.2.1","reputation":"safe"}"#)
}
