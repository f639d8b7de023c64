// SPDX-License-Identifier: Apache-2.0

public import Base
import JSON
public import Settings

#if canImport(Glibc)
    import Glibc
#endif

/// Settings of every connector that Sekoia's platform can start, and how its parameters become settings.
///
/// Source: Sekoia.io module, 0.1.
public enum SymphonySettings {
    /// The platform may keep the secret and hand it over only at start.
    public static let clientSecret = Setting<Secret?>(
        "crowdstrike.client_secret",
        "The API client's secret. On Sekoia's platform it is fetched from there at each start."
    ).at(.connection("falcon", "client_secret"))
    public static let baseURL = FalconSettings.baseURL.defaulting(to: "https://api.eu-1.crowdstrike.com")
        .or("crowdstrike.base_url")

    public static let token = Setting<Secret?>("symphony.token", "Bearer token of Sekoia's platform.")
        .at(.dropIn).variable("TOKEN")
    public static let callback = Setting<String?>("symphony.url_callback", "Where the platform is called back.")
        .at(.dropIn).variable("URL_CALLBACK")
    public static let logs = Setting<String?>(
        "symphony.url_logs", "Where log lines are posted; by default the callback's URL with `/logs`."
    ).at(.dropIn).variable("URL_LOGS")
    public static let secrets = Setting<String?>(
        "symphony.url_secrets", "Where secrets are fetched; by default the callback's URL with `/secrets`."
    ).at(.dropIn).variable("URL_SECRETS")
    public static let configurationID = Setting<String?>(
        "symphony.connector_configuration_uuid", "The platform's id of this connector's configuration."
    ).variable("CONNECTOR_CONFIGURATION_UUID")
    public static let livenessPort = Setting<Int?>(
        "symphony.liveness_port", "Port of the original's `/health`; 8000 in drop-in use, else none."
    ).variable("LIVENESS_PORT").within(0...65535)
    public static let metricsPort = Setting<Int?>(
        "symphony.metrics_port", "Port of the original's metrics; 8020 in drop-in use, else none."
    ).variable("METRICS_PORT").within(0...65535)
    public static let dataPath = Setting<FilePath?>(
        "symphony.data_path",
        "Folder of the original's `cache.json` and `context.json`, which are read at the first start and kept up to date; "
            + "`/symphony_data` in drop-in use, else none."
    ).variable("SYMPHONY_DATA_PATH")

    /// Without the Falcon connection.
    public static let platform: [any AnySetting] = [
        token, callback, logs, secrets, configurationID, livenessPort, metricsPort, dataPath,
    ]
    /// The Falcon tenant, as the module configuration names it.
    public static let falcon: [any AnySetting] = [
        baseURL, FalconSettings.clientID, clientSecret, FalconSettings.memberCID, FalconSettings.verification,
        FalconSettings.requestsPerMinute,
    ]
    /// Parameters that only name the run, and those of the data path: read where they are used.
    public static let withoutEffect: [any AnySetting] = [
        "sentry_dsn", "environment", "community_uuid", "playbook_uuid", "playbook_run_uuid", "node_run_uuid",
        "trigger_configuration_uuid",
    ].map {
        Setting<String?>("symphony.\($0)", "Of Sekoia's platform.").at(.dropIn).variable($0.uppercased())
            .ignored(because: "it only names the run on the platform")
    }

    /// Gives ``ConnectorSettings`` its way from the platform's parameters to variables: a member of the module's or the
    /// connector's configuration means the setting whose key ends in its name; the other keys their own variables.
    public static func adapter(for settings: [any AnySetting]) -> ConnectorSettings.Adapter {
        { input throws(SettingsError) in
            let parameters = SymphonyParameters(environment: input.environment)
            do throws(SymphonyError) {
                for configuration in [
                    try parameters.moduleConfiguration(), try parameters.connectorConfiguration(),
                ] {
                    for (name, value) in configuration {
                        guard let text = text(of: value), let setting = setting(named: name, in: settings) else {
                            continue
                        }
                        input.environment[setting.variables[0]] = text
                    }
                }
            } catch {
                throw SettingsError(problems: [
                    SettingsProblem(
                        severity: .error, key: nil, variable: nil, location: nil, what: error.description,
                        remedy: "Give it as the platform does.")
                ])
            }
            for key in [
                "token", "url_callback", "url_logs", "url_secrets", "connector_configuration_uuid", "liveness_port",
                "metrics_port", "intake_url",
            ] { if let text = parameters.text(key) { input.environment[key.uppercased()] = text } }
            let defaults = [
                "LIVENESS_PORT": "8000", "METRICS_PORT": "8020", "SYMPHONY_DATA_PATH": DataPath.defaultFolder,
            ]
            for (name, text) in defaults where input.environment[name] == nil { input.environment[name] = text }
            if input.environment["SALLYPORT_LOG_LEVEL"] == nil,
                let level = input.environment["LOG_LEVEL"].flatMap(level)
            {
                input.environment["SALLYPORT_LOG_LEVEL"] = level
            }
            // The module's own volume is the one that outlives the container.
            if input.environment["SALLYPORT_STATE_DIR"] == nil, let folder = input.environment["SYMPHONY_DATA_PATH"],
                access(folder, W_OK) == 0
            {
                input.environment["SALLYPORT_STATE_DIR"] = folder
            }
        }
    }

    /// The original's numbers, which are Python's: 10 debug, 20 info, 30 warning, 40 error.
    private static func level(_ text: String) -> String? {
        Int(text).map { $0 < 20 ? "debug" : $0 < 30 ? "info" : $0 < 40 ? "warning" : "error" }
    }

    private static func setting(named name: String, in settings: [any AnySetting]) -> (any AnySetting)? {
        settings.first { setting in
            ([setting.key] + setting.aliasKeys).contains { $0.split(separator: ".").last.map(String.init) == name }
        }
    }

    /// `nil` for null, which means unset, and for objects.
    private static func text(of value: JSONValue) -> String? {
        switch value {
        case .string(let text): text
        case .number(let number): number.text
        case .bool(let isOn): isOn ? "true" : "false"
        case .array(let elements): elements.compactMap { text(of: $0) }.joined(separator: ",")
        case .null, .object: nil
        }
    }
}
