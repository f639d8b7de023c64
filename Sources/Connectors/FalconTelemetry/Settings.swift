// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Falcon
import Sekoia
import Settings

/// What an operator can say. The names of the original's configuration stay; those it does not have are of the same form.
///
/// Source: Sekoia.io module, 0.1, 1 and 2.
enum FalconTelemetrySettings {
    enum Target: String, SettingChoice {
        case sekoia
        case file
        case stdout
        case http
        case kafka
        var settingDoc: String {
            switch self {
            case .sekoia: "Sekoia's intake"
            case .file: "newline-delimited files, moved aside when they are full"
            case .stdout: "standard output, a line an event"
            case .http: "an HTTP endpoint that takes newline-delimited JSON"
            case .kafka: "a topic, a message an event"
            }
        }
    }
    enum LegacyAPI: String, SettingChoice {
        case auto
        case force
        case off
        var settingDoc: String {
            switch self {
            case .auto: "alerts first, the decommissioned detections API for what they do not know"
            case .force: "only the decommissioned API"
            case .off: "never the decommissioned API"
            }
        }
    }

    static let target = Setting<Target>("event_stream.destination", default: .sekoia, "Where the events go.")
    static let intakeKey = Setting<Secret?>(
        "sekoia.intake_key", "Key of the intake; required for the destination `sekoia`."
    ).at(.connection("sekoia", "intake_key"))
    static let intakeServer = Setting<String?>(
        "sekoia.intake_server", "The intake's URL, if it is not the platform's."
    ).at(.connection("sekoia", "intake_server"))
    static let intakeURL = Setting<String>(
        "sekoia.intake_url", default: SekoiaIntake.publicURL, "The intake's URL as the platform gives it."
    ).at(.connection("sekoia", "intake_url")).variable("INTAKE_URL")

    static let start = Setting<String>(
        "event_stream.start_from", default: "oldest",
        "Where to begin without a checkpoint: `oldest`, `newest`, an offset, or a time (RFC 3339)."
    ).checking { text in
        StartFrom(text) == nil
            ? InvalidValue(
                "says no start", remedy: "Give oldest, newest, an offset, or a time such as 2026-01-31T00:00:00Z.")
            : nil
    }
    static let appID = Setting<String?>(
        "event_stream.app_id",
        "Base of the four appIds under which the stream is read; a letter is added. Without it one is drawn and kept."
    ).checking { text in
        guard let text, !(1...31).contains(text.utf8.count) || !text.utf8.allSatisfy(Self.isAlphanumeric) else {
            return nil
        }
        return InvalidValue("is no base of an appId", remedy: "Give 1 to 31 letters and digits.")
    }
    static let eventTypes = Setting<[String]>(
        "event_stream.event_types", default: [], "Only these `eventType`s, filtered by Falcon; empty for all.")
    static let batchSize = Setting<Int>("event_stream.batch_size", default: 1000, "Events in one body.")
        .within(1...10_000)
    static let batchBytes = Setting<ByteCount>(
        "event_stream.batch_bytes", default: .mebibytes(1), "Bytes of one body."
    )
    static let linger = Setting<Duration>(
        "event_stream.linger", default: .milliseconds(500), "The longest an event waits for a full body; up to 1 s."
    )
    static let inFlight = Setting<Int>(
        "event_stream.in_flight", default: 9,
        "Bodies under way at once, the only ones that can come twice after a crash; 1 keeps strict order."
    ).within(1...64)

    // `0`, `no` and other words for no: the original took everything but `false` for yes.
    static let vertices = Setting<Bool>(
        "event_stream.vertices", default: false, "Follow detections with their ThreatGraph vertices."
    ).variable("ACTIVATE_VERTICLES_COLLECTION")
    static let vertexCalls = Setting<Int>(
        "event_stream.vertex_calls_per_second", default: 20, "Request budget of the vertices; the tenant's is 100."
    ).within(1...100).relevant(when: vertices)
    static let edgeTypes = Setting<[String]>(
        "event_stream.vertex_edge_types", default: [], "Only these edge types; empty for all that the tenant knows."
    ).relevant(when: vertices)
    static let legacyAPI = Setting<LegacyAPI>(
        "event_stream.legacy_api", default: .auto, "How detections of the old kind are looked up."
    ).relevant(when: vertices)

    static let filePath = Setting<FilePath?>(
        "event_stream.file", "The file of the destination `file`; its folder must exist.")
    static let fileSize = Setting<ByteCount>(
        "event_stream.file_size", default: .mebibytes(256), "The size at which it is moved aside.")
    static let fileCount = Setting<Int>(
        "event_stream.file_count", default: 0, "How many moved files are kept; 0 keeps all."
    ).within(0...10_000)
    static let endpoint = Setting<EndpointURL?>(
        "event_stream.url", "The endpoint of the destination `http`; bodies are posted to it.")
    static let endpointToken = Setting<Secret?>(
        "event_stream.url_token", "Bearer token for it, if it wants one.")
    static let brokers = Setting<String?>(
        "event_stream.kafka_brokers", "Bootstrap servers of the destination `kafka`: `host:9092,host:9092`.")
    static let topic = Setting<String?>("event_stream.kafka_topic", "Its topic.")
    static let kafkaOptions = Setting<Secret?>(
        "event_stream.kafka_options",
        "Further properties of librdkafka, `name=value` separated by `;`: `security.protocol=sasl_ssl;sasl.username=…`."
    )

    static let own: [any AnySetting] = [
        target, intakeKey, intakeServer, intakeURL, start, appID, eventTypes, batchSize, batchBytes, linger, inFlight,
        vertices, vertexCalls, edgeTypes, legacyAPI, filePath, fileSize, fileCount, endpoint, endpointToken, brokers,
        topic, kafkaOptions,
    ]
    static let all = SymphonySettings.falcon + SymphonySettings.platform + own + SymphonySettings.withoutEffect

    static let rules: [ConnectorSettings.Rule] = [
        { settings in
            switch settings[target] {
            case .sekoia where settings[intakeKey]?.isEmpty ?? true:
                .init(intakeKey, "The destination needs an intake key.", remedy: "Set sekoia.intake_key.")
            case .file where settings[filePath] == nil:
                .init(filePath, "The destination needs a file.", remedy: "Set event_stream.file.")
            case .http where settings[endpoint] == nil:
                .init(endpoint, "The destination needs a URL.", remedy: "Set event_stream.url.")
            case .kafka where settings[brokers] == nil || settings[topic] == nil:
                .init(brokers, "The destination needs brokers and a topic.", remedy: "Set both.")
            default: nil
            }
        },
        { settings in
            settings[linger] > .seconds(1)
                ? .init(linger, "A quiet tenant's events would come late.", remedy: "Give at most 1s.") : nil
        },
    ]

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}

/// Where a stream without a checkpoint begins.
enum StartFrom: Sendable, Hashable {
    case feed(FeedStart)
    /// From the oldest event, leaving out those before it.
    case time(Instant)

    init?(_ text: String) {
        switch text.lowercased() {
        case "oldest": self = .feed(.oldest)
        case "newest": self = .feed(.newest)
        default:
            if let offset = UInt64(text) {
                self = .feed(.offset(offset))
            } else if let time = Instant(parsing: text) {
                self = .time(time)
            } else {
                return nil
            }
        }
    }
}
