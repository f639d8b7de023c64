// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Storage

/// What must be known of an event to find its vertices: a job's payload.
///
/// Source: Sekoia.io module, 2.1.
struct VertexWalk: Sendable, Hashable {
    enum Kind: String, Sendable {
        /// `EppDetectionSummaryEvent` with a composite id.
        case alert
        /// `DetectionSummaryEvent` with a detect id.
        case detection
    }
    var kind: Kind
    /// The vertices' `detectionIdString`.
    var id: String
    /// An alert that also names its detection.
    var detectID: String?
    /// As they stand in the event; JSON.
    var severityName: JSONValue
    var severityCode: JSONValue

    /// `nil` for events that have no vertices.
    init?(_ metadata: JSONElement, _ event: JSONElement?) {
        guard let type = metadata["eventType"], let event else { return nil }
        let composite = event["CompositeId"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        let detect = event["DetectId"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        if type.equals("EppDetectionSummaryEvent"), let composite {
            kind = .alert
            id = composite
            detectID = detect
        } else if type.equals("DetectionSummaryEvent"), let detect {
            kind = .detection
            id = detect
            detectID = detect
        } else {
            return nil
        }
        severityName = event["SeverityName"]?.value ?? .null
        severityCode = event["Severity"]?.value ?? .null
    }

    init?(payload: [UInt8]) {
        guard let json = try? JSONValue(parsing: payload),
            let kind = json["kind"]?.string.flatMap(Kind.init(rawValue:)),
            let id = json["id"]?.string
        else { return nil }
        self.kind = kind
        self.id = id
        detectID = json["detect_id"]?.string
        severityName = json["severity_name"] ?? .null
        severityCode = json["severity_code"] ?? .null
    }

    func job(runner: String, flow: Int64, offset: UInt64?, at now: Instant) -> Job {
        var payload: JSONObject = ["kind": .string(kind.rawValue), "id": .string(id)]
        if let detectID { payload["detect_id"] = .string(detectID) }
        payload["severity_name"] = severityName
        payload["severity_code"] = severityCode
        // An event that is read again after a crash meets its own job.
        return Job(
            runner: runner, id: "\(id)/\(offset ?? 0)", flow: flow, step: "walk", due: now, attempts: 0,
            payload: JSONValue.object(payload).bytes, created: now)
    }

    /// One vertex as an event. Key order and missing spaces as the original's.
    func line(vertex: JSONValue, sourceVertexID: String, edgeType: String) -> [UInt8] {
        let value: JSONValue = [
            "metadata": [
                "detectionIdString": .string(id), "eventType": "Vertex",
                "edge": ["sourceVertexId": .string(sourceVertexID), "type": .string(edgeType)],
                "severity": ["name": severityName, "code": severityCode],
            ],
            "event": vertex,
        ]
        return value.bytes
    }
}
