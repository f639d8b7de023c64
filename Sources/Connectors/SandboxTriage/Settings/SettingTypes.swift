// SPDX-License-Identifier: Apache-2.0

import Falcon
import Settings
import VMRay

/// Where samples come from.
enum DataSource: String, SettingChoice {
    case detect = "DETECT"
    case quarantine = "QUARANTINE"
    var settingDoc: String {
        switch self {
        case .detect: "files that Falcon's alerts name"
        case .quarantine: "files that the sensor has quarantined"
        }
    }
}

/// Verdicts that call for something to be done.
enum BadVerdict: String, SettingChoice {
    case malicious, suspicious
    var verdict: Verdict { self == .malicious ? .malicious : .suspicious }
}

enum AnyVerdict: String, SettingChoice {
    case malicious, suspicious, clean
    var verdict: Verdict {
        switch self {
        case .malicious: .malicious
        case .suspicious: .suspicious
        case .clean: .clean
        }
    }
}

enum APIKeyType: String, SettingChoice {
    case report = "REPORT"
    case verdict = "VERDICT"
    /// The numbers of the original's enumeration.
    static let synonyms: [String: APIKeyType] = ["0": .report, "1": .verdict]
    var settingDoc: String {
        switch self {
        case .report: "verdicts, reports and IOCs"
        case .verdict: "verdicts only: no IOCs are read"
        }
    }
    var clientType: VMRayClient.KeyType { self == .report ? .report : .verdict }
}

enum AnalyzerMode: String, SettingChoice {
    case reputation
    case reputationStatic = "reputation_static"
    case reputationStaticDynamic = "reputation_static_dynamic"
    case staticDynamic = "static_dynamic"
    case `static`
}

enum RuntimeMode: String, SettingChoice {
    case docker = "DOCKER"
    case cli = "CLI"
    static let synonyms: [String: RuntimeMode] = ["continuous": .docker, "once": .cli]
    var settingDoc: String {
        switch self {
        case .docker: "one run after the other, for ever"
        case .cli: "one run; the exit status tells how it went"
        }
    }
}

enum CaseAPIChoice: String, SettingChoice {
    case messageCenter = "message_center"
    case cases
    var settingDoc: String {
        switch self {
        case .messageCenter: "for tenants with Falcon Complete"
        case .cases: "of the console"
        }
    }
    var policyValue: TriagePolicy.CaseAPI { self == .cases ? .cases : .messageCenter }
}

enum LegacyAPI: String, SettingChoice {
    case auto, force, off
    var settingDoc: String {
        switch self {
        case .auto: "alerts first, detections where a tenant answers only those"
        case .force: "detections only"
        case .off: "alerts only"
        }
    }
    var mode: FileDetections.Mode { FileDetections.Mode(rawValue: rawValue) ?? .auto }
}
