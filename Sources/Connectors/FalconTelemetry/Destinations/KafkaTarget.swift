// SPDX-License-Identifier: Apache-2.0

import Base
import CRdKafka
import ConnectorKit
import Engine
import Synchronization

/// A Kafka topic through librdkafka's idempotent producer: a message an event, without a key, so that they spread over the
/// partitions. A batch is taken once all brokers that must have it have it (`acks=all`).
final class KafkaTarget: RelaySink {
    /// What waits for its delivery reports.
    private final class Pending: Sendable {
        struct State {
            var left: Int
            var refused: [Int: String] = [:]
            var failed: [Int: String] = [:]
            var continuation: CheckedContinuation<Void, Never>?
        }
        let state: Mutex<State>

        init(_ count: Int) { state = Mutex(State(left: count)) }

        func settle(_ index: Int, _ error: rd_kafka_resp_err_t) {
            let waiting: CheckedContinuation<Void, Never>? = state.withLock { state in
                state.left -= 1
                if error != RD_KAFKA_RESP_ERR_NO_ERROR {
                    let text = String(cString: rd_kafka_err2str(error))
                    if KafkaTarget.isFinal(error) { state.refused[index] = text } else { state.failed[index] = text }
                }
                guard state.left == 0 else { return nil }
                defer { state.continuation = nil }
                return state.continuation
            }
            waiting?.resume()
        }

        func wait() async {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state in
                    if state.left == 0 { return true }
                    state.continuation = continuation
                    return false
                }
                if isDone { continuation.resume() }
            }
        }
    }

    /// What one message's report names: which batch, and which event of it.
    private final class Ticket: Sendable {
        let pending: Pending
        let index: Int
        init(_ pending: Pending, _ index: Int) {
            self.pending = pending
            self.index = index
        }
    }

    // Safe because: librdkafka's handles may be used from any thread; they are destroyed after the polling has ended.
    private struct Handles: @unchecked Sendable {
        let producer: OpaquePointer
        let topic: OpaquePointer
    }

    private let handles: Handles
    private let isStopped = Atomic<Bool>(false)
    private let events: Events
    private let pulse: SymphonyPulse
    private let time: any TimeSource
    private let ended = BoundedChannel<Void>(capacity: 1)

    /// - Parameter options: `name=value;name=value`, librdkafka's own properties.
    /// - Throws: ``ConnectorError/configuration(setting:reason:)`` for a property that librdkafka does not take.
    init(
        brokers: String, topic: String, options: Secret?, events: Events, pulse: SymphonyPulse, time: any TimeSource
    ) throws(ConnectorError) {
        self.events = events
        self.pulse = pulse
        self.time = time
        var properties = [
            ("bootstrap.servers", brokers), ("client.id", "sallyport"), ("enable.idempotence", "true"),
            ("acks", "all"), ("message.timeout.ms", "30000"), ("queue.buffering.max.kbytes", "16384"),
            ("linger.ms", "5"), ("compression.codec", "lz4"), ("log_level", "3"),
        ]
        for pair in (options?.reveal() ?? "").split(separator: ";") {
            let parts = pair.split(separator: "=", maxSplits: 1).map { String($0).trimmed }
            guard parts.count == 2 else {
                throw .configuration(setting: "event_stream.kafka_options", reason: "Give name=value;name=value.")
            }
            properties.append((parts[0], parts[1]))
        }
        let configuration = rd_kafka_conf_new()
        var text = [CChar](repeating: 0, count: 512)
        for (name, value) in properties {
            guard rd_kafka_conf_set(configuration, name, value, &text, text.count) == RD_KAFKA_CONF_OK else {
                rd_kafka_conf_destroy(configuration)
                // The text may quote the value, and that may be a password.
                throw .configuration(
                    setting: "event_stream.kafka_options", reason: "librdkafka does not take the property “\(name)”.")
            }
        }
        rd_kafka_conf_set_dr_msg_cb(configuration) { _, message, _ in
            guard let message, let context = message.pointee._private else { return }
            let ticket = Unmanaged<Ticket>.fromOpaque(context).takeRetainedValue()
            ticket.pending.settle(ticket.index, message.pointee.err)
        }
        guard let producer = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, &text, text.count) else {
            rd_kafka_conf_destroy(configuration)
            throw .configuration(
                setting: "event_stream.kafka_options",
                reason:
                    "librdkafka: \(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))."
            )
        }
        guard let handle = rd_kafka_topic_new(producer, topic, nil) else {
            rd_kafka_destroy(producer)
            throw .configuration(setting: "event_stream.kafka_topic", reason: "“\(topic)” is no topic.")
        }
        handles = Handles(producer: producer, topic: handle)
        // Reports are handed over here; the library's own threads do the rest.
        startThread(named: "kafka") { [self] in
            while !isStopped.load(ordering: .acquiring) { rd_kafka_poll(handles.producer, 100) }
            rd_kafka_flush(handles.producer, 2000)
            rd_kafka_topic_destroy(handles.topic)
            rd_kafka_destroy(handles.producer)
            _ = ended.offer(())
        }
    }

    func close() async {
        isStopped.store(true, ordering: .releasing)
        _ = await ended.receive()
    }

    func input(_ index: Int, of batch: RelayBatch) -> [UInt8] { Array(batch.bytes[batch.range(index)]) }

    func append(_ batch: RelayBatch) async -> RecordResult {
        let begin = time.uptime
        var refused: [Int: String] = [:]
        var open = Array(0..<batch.count)
        while !open.isEmpty {
            let pending = Pending(open.count)
            for index in open { await produce(batch, index, pending) }
            await withTaskCancellationHandler {
                await pending.wait()
            } onCancel: { [handles] in
                // Brokers that do not answer would hold the end up for as long as a message may take.
                rd_kafka_purge(handles.producer, Int32(RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT))
            }
            let (done, failed) = pending.state.withLock { ($0.refused, $0.failed) }
            refused.merge(done) { first, _ in first }
            if let reason = failed.values.first {
                pulse.failed()
                let text = "Kafka does not take events: \(reason)"
                events.retry(failed.count, mayRepeat: false, reason: text, wait: .seconds(2))
                // Nothing of it was taken: the whole batch may come again, and health says why.
                if failed.count == batch.count || Task.isCancelled {
                    return .retry(after: .seconds(2), code: "relay.unavailable", reason: text)
                }
                try? await time.sleep(for: .seconds(2))
            }
            open = failed.keys.sorted()
        }
        pulse.pushed()
        events.delivered(batch, refused: refused.count, in: time.uptime - begin)
        return .appended(refused: refused)
    }

    private func produce(_ batch: RelayBatch, _ index: Int, _ pending: Pending) async {
        let range = batch.range(index)
        while true {
            let ticket = Unmanaged.passRetained(Ticket(pending, index))
            let result = batch.bytes.withUnsafeBytes { bytes in
                rd_kafka_produce(
                    handles.topic, RD_KAFKA_PARTITION_UA, Int32(RD_KAFKA_MSG_F_COPY),
                    UnsafeMutableRawPointer(mutating: bytes.baseAddress.map { $0 + range.lowerBound }), range.count,
                    nil, 0,
                    ticket.toOpaque())
            }
            if result == 0 { return }
            let error = rd_kafka_last_error()
            ticket.release()
            // Its queue is full: the brokers set the pace.
            if error == RD_KAFKA_RESP_ERR__QUEUE_FULL, !Task.isCancelled {
                try? await time.sleep(for: .milliseconds(5))
                continue
            }
            return pending.settle(index, error)
        }
    }

    /// Errors of the message itself.
    private static func isFinal(_ error: rd_kafka_resp_err_t) -> Bool {
        [
            RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_MSG, RD_KAFKA_RESP_ERR_INVALID_RECORD,
            RD_KAFKA_RESP_ERR__BAD_MSG,
        ].contains(error)
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
