// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON
import Synchronization

/// How many requests each operation has had, by status, and on demand the requests themselves.
public final class RequestLog: Sendable {
    private struct State {
        var counts: [String: [Int: Int]] = [:]
        var isRecording: Bool
        var recorded: [[UInt8]] = []
        var recordedBytes = 0
        var dropped = 0
    }
    /// Memory for recorded requests; beyond it the newest are only counted.
    private static let maxRecordedBytes = 64 << 20
    private let startsRecording: Bool
    private let state: Mutex<State>

    init(isRecording: Bool) {
        startsRecording = isRecording
        state = Mutex(State(isRecording: isRecording))
    }

    var isRecording: Bool {
        get { state.withLock { $0.isRecording } }
        set { state.withLock { $0.isRecording = newValue } }
    }

    /// - Parameter status: 0 for a request whose answer was broken off before its head.
    func count(_ operation: String, status: Int) {
        state.withLock { $0.counts[operation, default: [:]][status, default: 0] += 1 }
    }

    /// One line: method, path, query, headers without authorisation, body (as JSON where it is JSON), status.
    func record(_ request: ServerRequest, operation: String, status: Int) {
        guard isRecording else { return }
        var writer = JSONWriter(reserving: request.body.count + 300)
        writer.beginObject()
        writer.key("operation")
        writer.string(operation)
        writer.key("method")
        writer.string(request.method)
        writer.key("path")
        writer.string(request.path)
        writer.key("query")
        writer.beginObject()
        var seen: Set<String> = []
        for item in request.query.items where seen.insert(item.name).inserted {
            writer.key(item.name)
            writer.value(.array(request.query.all(item.name).map { .string($0) }))
        }
        writer.endObject()
        writer.key("headers")
        writer.beginObject()
        for field in request.headers.fields where field.name.lowercased() != "authorization" {
            writer.key(field.name.lowercased())
            writer.string(field.value)
        }
        writer.endObject()
        writer.key("body")
        if request.body.isEmpty {
            writer.null()
        } else if request.path.hasPrefix("/oauth2/") {
            // The form holds the client's secret.
            writer.string("[redacted]")
        } else if let value = try? JSONValue(parsing: request.body) {
            writer.value(value)
        } else {
            writer.string(String(decoding: request.body, as: UTF8.self))
        }
        writer.key("status")
        writer.int(status)
        writer.endObject()
        writer.endLine()
        let line = writer.bytes
        state.withLock { state in
            if state.recordedBytes + line.count > Self.maxRecordedBytes {
                state.dropped += 1
            } else {
                state.recorded.append(line)
                state.recordedBytes += line.count
            }
        }
    }

    func lines() -> [[UInt8]] { state.withLock { $0.recorded } }

    /// `{"total":12,"operations":{"indicator_create_v1":{"total":3,"statuses":{"201":2,"400":1}}},"recorded":0,"dropped":0}`
    func json() -> JSONValue {
        state.withLock { state in
            var operations = JSONObject()
            var total = 0
            for (name, statuses) in state.counts.sorted(by: { $0.key < $1.key }) {
                var byStatus = JSONObject()
                for (status, count) in statuses.sorted(by: { $0.key < $1.key }) {
                    byStatus["\(status)"] = .int(count)
                }
                let sum = statuses.values.reduce(0, +)
                total += sum
                operations[name] = ["total": .int(sum), "statuses": .object(byStatus)]
            }
            return [
                "total": .int(total), "operations": .object(operations), "recorded": .int(state.recorded.count),
                "dropped": .int(state.dropped),
            ]
        }
    }

    func reset() {
        state.withLock { $0 = State(isRecording: startsRecording) }
    }
}
