// SPDX-License-Identifier: Apache-2.0

import ConnectorKit
import NetAddress
import Settings

/// What an operator can say. The names are the original's; those it does not have are of the same form.
///
/// Source: OpenCTI → CrowdStrike Endpoint Security, 2.
enum FalconIndicatorsSettings {
    enum AddressAction: String, SettingChoice {
        case noAction = "no_action"
        case detect
    }
    enum HashAction: String, SettingChoice {
        case noAction = "no_action"
        case allow
        case detect
        case prevent
    }
    enum SoftDelete: String, SettingChoice {
        case keep
        case noAction = "no_action"
        var settingDoc: String {
            switch self {
            case .keep: "the indicator goes on detecting or preventing, tagged `TO_DELETE`"
            case .noAction: "the indicator is disarmed besides being tagged"
            }
        }
    }
    enum Adopt: String, SettingChoice {
        case own
        case any
        var settingDoc: String {
            switch self {
            case .own: "indicators of this API client and of those in `owned_client_ids`"
            case .any: "everybody's: hand-made ones are overwritten"
            }
        }
    }

    static let name = OpenCTISettings.name.defaulting(to: "CrowdstrikeEndpointSecurity")
    static let scope = OpenCTISettings.scope.defaulting(to: ["crowdstrike-endpoint-security"])
    static let isPermanent = Setting<Bool>(
        "crowdstrike.permanent_delete", default: false,
        "Delete at Falcon what leaves OpenCTI. Otherwise it stays, tagged `TO_DELETE`.")
    static let softDelete = Setting<SoftDelete>(
        "crowdstrike.soft_delete_action", default: .keep, "What becomes of the action of a tagged indicator.")
    static let isMobileActive = Setting<Bool>(
        "crowdstrike.falcon_for_mobile_active", default: false,
        "Falcon for Mobile is licensed: `android` and `ios` are sent where OpenCTI names them.")
    static let actionOnIP = Setting<AddressAction>(
        "crowdstrike.action_on_ip", default: .detect, "Falcon's action for addresses.")
    static let actionOnDomain = Setting<AddressAction>(
        "crowdstrike.action_on_domain", default: .detect, "Falcon's action for domains.")
    static let actionOnHash = Setting<HashAction>(
        "crowdstrike.action_on_hash", default: .detect, "Falcon's action for file hashes.")
    static let adopt = Setting<Adopt>(
        "crowdstrike.adopt", default: .own, "Whose indicators with the same value may be taken over.")
    static let ownedClientIDs = Setting<[String]>(
        "crowdstrike.owned_client_ids", default: [],
        "Earlier API clients of this connector: what they created counts as ours.")
    static let batchSize = Setting<Int>(
        "crowdstrike.batch_size", default: 200, "Indicators in one call to Falcon."
    ).within(1...2000)
    static let ceiling = Setting<Int>(
        "crowdstrike.ioc_ceiling", default: 1_000_000,
        "Most custom indicators of ours in the tenant; at that number expired ones make room, and creating waits."
    ).within(1...1_000_000)
    static let consumers = Setting<Int>(
        "connector.consumer_count", default: 10, "Most calls to Falcon under way at once; order per value is kept."
    ).within(1...1000)

    static let metricsEnabled = Setting<Bool>(
        "metrics.enable", default: false, "Open the original's own metrics listener."
    ).at(.flow("metrics_enable"))
    static let metricsPort = Setting<Int>("metrics.port", default: 9113, "Its port.")
        .at(.flow("metrics_port")).within(0...65535).relevant(when: metricsEnabled)
    static let metricsAddress = Setting<BindAddress>(
        "metrics.addr", default: "0.0.0.0", "Its address; the original listens to the whole world."
    ).at(.flow("metrics_addr")).relevant(when: metricsEnabled)

    static let all: [any AnySetting] =
        OpenCTISettings.connection + [
            OpenCTISettings.id, OpenCTISettings.streamKind, name, scope, OpenCTISettings.logLevel,
        ]
        + LiveStreamSettings.all + FalconSettings.all
        + [
            isPermanent, softDelete, isMobileActive, actionOnIP, actionOnDomain, actionOnHash, adopt, ownedClientIDs,
            batchSize, ceiling, consumers, metricsEnabled, metricsPort, metricsAddress,
        ] + OpenCTISettings.withoutEffect
}
