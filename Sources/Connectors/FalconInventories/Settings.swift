// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Sekoia
import Settings

/// What an operator can say. The names of the original's configuration stay.
///
/// Source: Sekoia.io module, 0.1 and 3.
enum InventorySettings {
    enum UserSource: String, SettingChoice {
        case auto
        case identity
        case console
        var settingDoc: String {
            switch self {
            case .auto: "the directories where the API client may read them, the console's users otherwise"
            case .identity: "users of the directories that Identity Protection watches"
            case .console: "people who may sign in to the Falcon console"
            }
        }
    }

    static let apiKey = Setting<Secret>("sekoia.api_key", "Key of Sekoia's API, which may write assets.")
        .or("sekoia.sekoia_api_key").at(.connection("sekoia", "api_key"))
    static let url = Setting<String?>("sekoia.url", "Sekoia's API, if it is not the public one.")
        .or("sekoia.sekoia_base_url").at(.connection("sekoia", "url"))
    static let frequency = Setting<Duration>(
        "inventory.frequency", default: .seconds(10_800), "From the begin of a cycle to that of the next.")
    static let batchSize = Setting<Int>("inventory.batch_size", default: 100, "Assets in one call.").within(1...5000)
    static let sendsUpdates = Setting<Bool>(
        "inventory.send_updates", default: false,
        "Send what has changed since the last cycle, too. The original sends new assets only.")
    static let isStrict = Setting<Bool>(
        "inventory.ocsf_strict", default: false,
        "Write OCSF as the schema has it (vendor, captions, required members), not as the original does.")
    static let domainControllers = Setting<Bool>(
        "inventory.domain_controllers_are_servers", default: false,
        "Whether domain controllers are of the type Server. The original has them as Unknown.")
    static let userSource = Setting<UserSource>("inventory.user_source", default: .auto, "Which users are sent.")

    // The SDK's variables, which win over the configuration.
    static let sdkFrequency = Setting<Duration?>("asset_connector.frequency", "As `inventory.frequency`; wins over it.")
        .at(.dropIn)
    static let sdkBatchSize = Setting<Int?>("asset_connector.batch_size", "As `inventory.batch_size`; wins over it.")
        .at(.dropIn).within(1...5000)
    static let sdkURL = Setting<String>(
        "asset_connector.production_base_url", default: SekoiaAssets.publicURL, "Sekoia's API where none is configured."
    ).at(.dropIn)
    static let rateLimitWait = Setting<Duration>(
        "asset_connector.rate_limit_wait", default: .seconds(3600),
        "The pause after a 429 that does not say how long."
    ).at(.flow("rate_limit_wait"))
    static let pollInterval = Setting<Duration>(
        "asset_connector.task_poll_interval", default: .seconds(5), "Between questions after the platform's work."
    ).at(.flow("task_poll_interval"))
    static let pollTimeout = Setting<Duration>(
        "asset_connector.task_poll_timeout", default: .seconds(300), "How long the platform's work is waited for."
    ).at(.flow("task_poll_timeout"))

    private static let common: [any AnySetting] =
        SymphonySettings.falcon + [apiKey, url, frequency, batchSize, sendsUpdates, isStrict]
    private static let rest: [any AnySetting] =
        [sdkFrequency, sdkBatchSize, sdkURL, rateLimitWait, pollInterval, pollTimeout] + SymphonySettings.platform
        + SymphonySettings.withoutEffect
    static let devices: [any AnySetting] = common + [domainControllers] + rest
    static let users: [any AnySetting] = common + [userSource] + rest
}
