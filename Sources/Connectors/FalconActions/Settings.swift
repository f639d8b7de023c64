// SPDX-License-Identifier: Apache-2.0

import ConnectorKit
import Settings

/// What an operator can say. Source: Sekoia.io module, 0.1 and 5.
enum FalconActionsSettings {
    enum LegacyAPI: String, SettingChoice {
        case auto
        case force
        case off
        var settingDoc: String {
            switch self {
            case .auto: "today's API first, the literal call for what it did not answer"
            case .force: "the literal call only"
            case .off: "never the literal call"
            }
        }
    }
    enum Adopt: String, SettingChoice {
        case own
        case any
        var settingDoc: String {
            switch self {
            case .own: "IOCs of this API client, and those with the source `Sekoia.io`"
            case .any: "everybody's: hand-made ones are overwritten"
            }
        }
    }

    static let legacyAPI = Setting<LegacyAPI>(
        "actions.legacy_api", default: .auto,
        "Which API answers for behaviours and incidents, whose own API CrowdStrike removes.")
    static let batchSize = Setting<Int>(
        "actions.ioc_batch_size", default: 200, "Indicators in one create or update."
    ).within(1...2000)
    static let adopt = Setting<Adopt>(
        "actions.adopt", default: .own,
        "Whose IOCs with the same value `push_iocs_*`, `block_ioc` and `monitor_ioc` may take over.")
    static let ownOnly = Setting<Bool>(
        "actions.delete_own_only", default: false,
        "Whether `delete_indicators` looks first whose an IOC is, and leaves those of others. That takes one more call and the "
            + "scope “IOC Management: Read”, which the original's action does not need.")

    static let own: [any AnySetting] = [legacyAPI, batchSize, adopt, ownOnly]
    static let all: [any AnySetting] =
        SymphonySettings.falcon + own + SymphonySettings.platform + SymphonySettings.withoutEffect
}
