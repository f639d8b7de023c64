// SPDX-License-Identifier: Apache-2.0

import Base
import CRdKafka
import ConnectorKit
import Engine
import Telemetry
import TestKit
import Testing

@testable import FalconTelemetry

/// librdkafka's own cluster of three brokers over real sockets, and a consumer that knows nothing of our producer.
@Suite("Events in Kafka") struct KafkaTests {
    // covers: destination:kafka-stop
    @Test(.timeLimit(.minutes(1))) func `ends at once while the brokers do not answer`() async throws {
        let time = SystemTime()
        let metrics = Metrics(time: time)
        let target = try KafkaTarget(
            brokers: "127.0.0.1:1", topic: "t", options: Secret("message.timeout.ms=0"),
            events: Events(log: .silent, metrics: metrics, flow: "f", key: Secret(""), time: time),
            pulse: SymphonyPulse(time: time, threshold: .zero), time: time)
        var batch = RelayBatch(partition: "p", bytes: Array("{}\n".utf8), start: 0, ends: [2], separator: 1)
        batch.position = 1
        let appending = Task { [batch] in await target.append(batch) }
        appending.cancel()
        guard case .retry = await appending.value else {
            Issue.record("nobody has taken it")
            return
        }
        await target.close()
    }

    /// Brokers of a cluster, for as long as the object lives.
    private final class Cluster {
        let brokers: String
        private let owner: OpaquePointer
        private let cluster: OpaquePointer

        init() throws {
            owner = try #require(Self.handle(RD_KAFKA_PRODUCER, []))
            cluster = try #require(rd_kafka_mock_cluster_new(owner, 3))
            brokers = String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
        }
        deinit {
            rd_kafka_mock_cluster_destroy(cluster)
            rd_kafka_destroy(owner)
        }

        static func handle(_ kind: rd_kafka_type_t, _ properties: [(String, String)]) -> OpaquePointer? {
            let configuration = rd_kafka_conf_new()
            for (name, value) in properties { rd_kafka_conf_set(configuration, name, value, nil, 0) }
            return rd_kafka_new(kind, configuration, nil, 0)
        }

        /// The next requests to append fail so.
        func refuse(_ errors: [rd_kafka_resp_err_t]) {
            let produce: Int16 = 0
            var errors = errors
            rd_kafka_mock_push_request_errors_array(cluster, produce, errors.count, &errors)
        }

        /// Every message of a topic, until as many have been read as are expected and the partitions have no more.
        func messages(_ topic: String, partitions: Int32 = 4) throws -> [String] {
            let consumer = try #require(
                Self.handle(
                    RD_KAFKA_CONSUMER,
                    [("bootstrap.servers", brokers), ("group.id", "reader"), ("enable.partition.eof", "true")]))
            rd_kafka_poll_set_consumer(consumer)
            let list = rd_kafka_topic_partition_list_new(partitions)
            for partition in 0..<partitions {
                let entry = rd_kafka_topic_partition_list_add(list, topic, partition)
                entry?.pointee.offset = Int64(RD_KAFKA_OFFSET_BEGINNING)
            }
            rd_kafka_assign(consumer, list)
            rd_kafka_topic_partition_list_destroy(list)
            var texts: [String] = []
            var ended: Set<Int32> = []
            while ended.count < partitions, let message = rd_kafka_consumer_poll(consumer, 30_000) {
                if message.pointee.err == RD_KAFKA_RESP_ERR__PARTITION_EOF {
                    ended.insert(message.pointee.partition)
                } else if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
                    let bytes = UnsafeRawBufferPointer(start: message.pointee.payload, count: message.pointee.len)
                    texts.append(String(decoding: bytes, as: UTF8.self))
                }
                rd_kafka_message_destroy(message)
            }
            rd_kafka_consumer_close(consumer)
            rd_kafka_destroy(consumer)
            return texts
        }
    }

    private let time = TestTime(jumping: true)

    private func target(_ cluster: Cluster) throws -> KafkaTarget {
        try KafkaTarget(
            brokers: cluster.brokers, topic: "events", options: Secret("topic.metadata.refresh.interval.ms=50"),
            events: Events(log: .silent, metrics: Metrics(time: time), flow: "f", key: Secret("k"), time: time),
            pulse: SymphonyPulse(time: time, threshold: .zero), time: SystemTime())
    }

    private func batch(_ range: Range<Int>) -> RelayBatch {
        var batcher = LineBatcher(.init(partition: "", flow: 1, frame: .lines))
        return batcher.body(range.map { Array(#"{"n":\#($0)}"#.utf8) })
    }

    private static func lines(_ range: Range<Int>) -> [String] { range.map { #"{"n":\#($0)}"# } }

    // covers: destination:kafka-read-back
    @Test func `a consumer reads every event as it came, each once`() async throws {
        let cluster = try Cluster()
        let target = try target(cluster)
        for start in stride(from: 0, to: 2000, by: 500) {
            #expect(await target.append(batch(start..<start + 500)) == .appended(refused: [:]))
        }
        await target.close()
        #expect(try cluster.messages("events").sorted() == Self.lines(0..<2000).sorted())
    }

    // covers: destination:kafka-faults
    @Test func `brokers in trouble cost no event and repeat none`() async throws {
        let cluster = try Cluster()
        cluster.refuse([
            RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        ])
        let target = try target(cluster)
        #expect(await target.append(batch(0..<300)) == .appended(refused: [:]))
        await target.close()
        #expect(try cluster.messages("events").sorted() == Self.lines(0..<300).sorted())
    }
}
