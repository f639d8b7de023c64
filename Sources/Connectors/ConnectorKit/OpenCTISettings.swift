// SPDX-License-Identifier: Apache-2.0

public import Base
import OpenCTI
public import Settings

/// Settings of a connection to an OpenCTI platform, and those that every connector registered there has.
///
/// Source: OpenCTI protocol, 1.4 and 2.2.
public enum OpenCTISettings {
    public static let url = Setting<EndpointURL>(
        "opencti.url", "The platform's URL, with its base path if it has one."
    ).at(.connection("opencti", "url")).example("https://opencti.example")
    public static let token = Setting<Secret>(
        "opencti.token", "Token of the connector's user, which needs the capabilities CONNECTORAPI and TAXIIAPI."
    ).at(.connection("opencti", "token"))
    public static let verification = Setting<TLSVerification>(
        "opencti.ssl_verify", default: .system,
        "Whether the platform's certificate is checked, or the file of the CA to check it against. The original's own "
            + "default was false; here an explicit `false` is honoured with a warning."
    ).at(.connection("opencti", "ssl_verify"))
    public static let authorities = Setting<FilePath?>(
        "https.ca_certificates", "PEM text or a file of CA certificates that are trusted besides the system's."
    ).at(.connection("opencti", "ca_certificates"))
    public static let customHeaders = Setting<Secret?>(
        "opencti.custom_headers",
        "Headers sent with every request, `Name1:value1;Name2:value2`, as proxies may ask for."
    ).at(.connection("opencti", "custom_headers"))
    public static let jsonLogging = Setting<Bool>(
        "opencti.json_logging", default: true, "Log lines in the form of the OpenCTI connectors."
    ).at(.dropIn)

    public static let connection: [any AnySetting] = [
        url, token, verification, authorities, customHeaders, jsonLogging,
    ]

    public static let id = Setting<String>(
        "connector.id", "A UUIDv4 of your choice: the connector's identity and the key of its state on the platform."
    ).example("6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11")
    public static let scope = Setting<[String]>(
        "connector.scope", "Registered with the platform; nothing depends on it.")
    public static let name = Setting<String>("connector.name", "How the platform shows it; at least two characters.")
        .checking { $0.count < 2 ? InvalidValue("is shorter than two characters") : nil }

    public enum LogLevel: String, SettingChoice {
        case debug
        case info
        case warning
        case error
        public static let synonyms: [String: LogLevel] = ["warn": .warning]
    }
    public static let logLevel = Setting<LogLevel?>(
        "connector.log_level", "The lowest level that is written; without it, that of the process."
    ).at(.dropIn)

    public static let streamKind = Setting<String>("connector.type", default: "STREAM", "The kind of connector; fixed.")
        .at(.dropIn).checking { kind in
            kind.uppercased() == "STREAM"
                ? nil : InvalidValue("is not STREAM", remedy: "Leave it out: this connector reads a live stream.")
        }

    /// Variables that pycti reads and that mean nothing to a stream connector here: accepted in silence.
    public static let withoutEffect: [any AnySetting] = [
        ignored("connector.confidence_level", "the platform has ignored it since 6.0"),
        ignored("connector.auto", "it is for enrichment"), ignored("connector.auto_update", "it is for enrichment"),
        ignored("connector.only_contextual", "it is for enrichment"),
        ignored("connector.enrichment_resolution", "it is for enrichment"),
        ignored("connector.run_and_terminate", "a stream does not end"),
        ignored("connector.duration_period", "it is for imports"),
        ignored("connector.queue_threshold", "it is for imports"),
        ignored("connector.validate_before_import", "it is for imports"),
        ignored("connector.send_to_queue", "it is for imports"),
        ignored("connector.send_to_directory", "it is for imports"),
        ignored("connector.send_to_directory_path", "it is for imports"),
        ignored("connector.send_to_directory_retention", "it is for imports"),
        ignored("connector.queue_protocol", "nothing is sent to a queue"),
        ignored("connector.listen_protocol", "nothing is received from a queue"),
        ignored("connector.expose_metrics", "metrics are always offered at the process's own listener"),
        ignored("connector.metrics_port", "metrics are always offered at the process's own listener"),
        ignored("connector.ignore_types", "the original has not read it since 2024-05"),
    ]

    private static func ignored(_ key: String, _ reason: String) -> Setting<String?> {
        Setting<String?>(key, "Accepted for compatibility.").at(.dropIn).ignored(because: reason)
    }
}

/// Settings of the live stream that a connector reads.
public enum LiveStreamSettings {
    public static let id = Setting<String>(
        "connector.live_stream_id",
        "UUID of the live stream (Data sharing › Live streams), or `live` for everything (needs BYPASS)."
    )
    public static let listenDelete = Setting<Bool>(
        "connector.live_stream_listen_delete", default: true, "Whether deletions are sent.")
    public static let noDependencies = Setting<Bool>(
        "connector.live_stream_no_dependencies", default: true,
        "Whether only an element's references are sent ahead of it, not all of its relationships.")
    public static let withInferences = Setting<Bool>(
        "connector.live_stream_with_inferences", default: false, "Whether inferred elements are sent.")
    public static let recoverDate = Setting<String?>(
        "connector.live_stream_recover_iso_date",
        "Until when the platform replays its database at the first start; without it, now; `no` turns that off."
    ).checking { text in
        guard let text, !ConnectorState.disablesRecovery(text), EventID(position: text) == nil else { return nil }
        return InvalidValue("is neither a date nor a “no”", remedy: "Give an ISO date: 2026-01-31T00:00:00Z.")
    }
    public static let startTimestamp = Setting<String?>(
        "connector.live_stream_start_timestamp",
        "Where the first start begins, epoch milliseconds; without it, at the very beginning."
    ).checking { text in
        guard let text, EventID(position: text) == nil else { return nil }
        return InvalidValue(
            "is neither milliseconds nor an event id", remedy: "Give epoch milliseconds: 1711633413527.")
    }

    public static let all: [any AnySetting] = [
        id, listenDelete, noDependencies, withInferences, recoverDate, startTimestamp,
    ]
}
