// SPDX-License-Identifier: Apache-2.0

import Settings
import VMRay

extension TriageSettings {
    static let rules: [ConnectorSettings.Rule] = [
        { settings in
            guard settings[createsCase] || settings[opensCaseOnError], caseUser(settings) == nil else { return nil }
            return .init(
                caseUsers, "Cases are on, and nobody is named for whom they are opened.",
                remedy: "Set VMRAY_CASE_USERS to the UUID of a Falcon user.")
        },
        { settings in
            guard settings[verification] == .off, settings[authorities] != nil else { return nil }
            return .init(
                authorities, "It is of no use while VMRAY_SSL_VERIFY is off.", remedy: "Set VMRAY_SSL_VERIFY to true.")
        },
    ]

    /// What is allowed and hardly meant.
    static func remarks(_ settings: ResolvedSettings) -> [String] {
        var remarks: [String] = []
        if settings[dataSources].isEmpty { remarks.append("No data source was selected: nothing new is looked at.") }
        if settings[releasesOnClean], !settings[commentsToQuarantine] {
            remarks.append("release_on_clean does nothing while comment_to_quarantine is off.")
        }
        if settings[caseUsers].count > 1 || (settings[caseUsers].isEmpty && settings[userUUID].count > 1) {
            remarks.append("Only the first of several case users is used.")
        }
        if settings[resubmits], settings[resubmissionVerdicts].isEmpty {
            remarks.append("resubmit does nothing without resubmission_verdicts.")
        }
        for (isOn, levels, name) in [
            (contains, containLevels, "contain_host"), (createsCase, caseLevels, "create_case"),
            (findsOtherHosts, otherHostLevels, "find_another_host"),
        ] where settings[isOn] && settings[levels].isEmpty {
            remarks.append("\(name) does nothing without \(name)_levels.")
        }
        if settings[apiKeyType] == .verdict {
            remarks.append(
                "With a key of type VERDICT no IOCs are read: only the sample's own hash becomes an indicator.")
        }
        return remarks
    }

    static func caseUser(_ settings: ResolvedSettings) -> String? {
        settings[caseUsers].first ?? settings[userUUID].first
    }
}

extension TriagePolicy {
    init(_ settings: ResolvedSettings) {
        typealias Names = TriageSettings
        func levels(_ isOn: Setting<Bool>, _ levels: Setting<[BadVerdict]>) -> Set<Verdict>? {
            settings[isOn] ? Set(settings[levels].map(\.verdict)) : nil
        }
        commentsToDetection = settings[Names.commentsToDetection]
        commentsToQuarantine = settings[Names.commentsToQuarantine]
        closesOnClean = settings[Names.closesOnClean]
        releasesOnClean = settings[Names.releasesOnClean]
        addsClassification = settings[Names.addsClassification]
        addsThreatName = settings[Names.addsThreatName]
        containLevels = levels(Names.contains, Names.containLevels)
        caseLevels = levels(Names.createsCase, Names.caseLevels)
        otherHostLevels = levels(Names.findsOtherHosts, Names.otherHostLevels)
        opensCaseOnError = settings[Names.opensCaseOnError]
        caseAPI = settings[Names.caseAPI].policyValue
        caseType = settings[Names.caseType]
        caseUser = Names.caseUser(settings) ?? ""
        resubmittedVerdicts =
            settings[Names.resubmits] ? Set(settings[Names.resubmissionVerdicts].map(\.verdict)) : nil
        selectedVerdicts = Set(settings[Names.selectedVerdicts].map(\.verdict))
        takesURLAddresses = settings[Names.takesURLAddresses]
        analysisTimeout = settings[Names.jobTimeout]
    }
}

extension SubmissionOptions {
    init(_ settings: ResolvedSettings) {
        typealias Names = TriageSettings
        self.init()
        comment = settings[Names.submissionComment]
        tags = settings[Names.submissionTags]
        analysisTimeout = Int(settings[Names.analysisTimeout].components.seconds)
        analyzerMode = AnalyzerMode(rawValue: settings[Names.analyzerMode].rawValue)
    }
}
