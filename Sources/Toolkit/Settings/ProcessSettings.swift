// SPDX-License-Identifier: Apache-2.0

/// The settings of the process, whatever it runs: log, state, the listener for health, metrics and console, guardrails.
public enum ProcessSettings {
    /// In the order of the documents.
    public static let all: [any AnySetting] =
        LogSettings.all + StateSettings.all + ListenerSettings.all
        + GuardrailSettings.all
}

public enum LogSettings {
    public enum Level: String, SettingChoice {
        case debug
        case info
        case warning
        case error

        public static let synonyms: [String: Level] = ["warn": .warning]
    }

    public enum Form: String, SettingChoice {
        case auto
        case pretty
        case json
        case logfmt
        case opencti

        public var settingDoc: String {
            switch self {
            case .auto: "`pretty` on a terminal, else `json`; in drop-in use the original's form"
            case .pretty: "for people"
            case .json: "one JSON object a line"
            case .logfmt: "`name=value` pairs"
            case .opencti: "the JSON of the OpenCTI connectors"
            }
        }
    }

    public static let level = Setting<Level>("sallyport.log_level", default: .info, "The lowest level that is written.")
        .at(.global("log", "level"))
    public static let form = Setting<Form>("sallyport.log_format", default: .auto, "The form of a line.")
        .at(.global("log", "format"))
    public static let file = Setting<FilePath?>(
        "sallyport.log_file", "A file to write to instead of standard error; moved aside when it is full."
    )
    .at(.global("log", "file")).example("/var/log/sallyport/sallyport.log")
    public static let fileSize = Setting<ByteCount>(
        "sallyport.log_file_size", default: .mebibytes(64),
        "The size at which the log file is moved aside; 0 leaves that to logrotate (with SIGHUP)."
    ).at(.global("log", "file_size"))
    public static let fileCount = Setting<Int>(
        "sallyport.log_file_count", default: 5, "How many moved log files are kept."
    ).at(.global("log", "file_count")).within(0...1000)

    public static let all: [any AnySetting] = [level, form, file, fileSize, fileCount]
}

public enum StateSettings {
    public static let folder = Setting<FilePath>(
        "sallyport.state_dir", default: "/var/lib/sallyport",
        "The folder of the state: checkpoints, ledger, dead letters, history. Give it a volume."
    ).at(.global("state", "dir"))

    public static let all: [any AnySetting] = [folder]
}

public enum ListenerSettings {
    public static let address = Setting<ListenAddress>(
        "sallyport.http_listen", default: "127.0.0.1:9120",
        "Where `/health/live`, `/health/ready`, `/metrics` and the console are served. Port 0 takes a free one."
    ).at(.global("http", "listen"))
    public static let isOn = Setting<Bool>(
        "sallyport.http_enable", default: true, "Whether that listener is opened at all."
    ).at(.global("http", "enable"))

    public static let all: [any AnySetting] = [isOn, address]
}

public enum GuardrailSettings {
    public static let isOn = Setting<Bool>(
        "sallyport.guardrails", default: true,
        "Refuse what no feed should ever block. `off` is for comparisons with the originals and is said loudly at start."
    ).at(.global("guardrails", "enable"))
    public static let deleteCeiling = Setting<Int>(
        "sallyport.guardrails_delete_ceiling", default: 1000,
        "A flow stops and waits for `sallyport approve` when it would remove more entries than this **and** more than the "
            + "share below within an hour."
    ).at(.global("guardrails", "delete_ceiling")).within(0...100_000_000)
    public static let deleteShare = Setting<Double>(
        "sallyport.guardrails_delete_share", default: 0.2, "That share of our entries at the target: 0.2 is a fifth."
    ).at(.global("guardrails", "delete_share")).within(0...1)

    public static let all: [any AnySetting] = [isOn, deleteCeiling, deleteShare]
}
