// SPDX-License-Identifier: Apache-2.0

/// What a verdict says, once it is certain. Everything else a server may write is ``none``.
enum Verdict: String, Sendable, CaseIterable {
    case malicious, suspicious, clean
    /// No verdict: unknown, missing, still running, of another file, or clean beside a failed analysis. Never clean.
    case none
}

/// What the operator allows and wants. Names and defaults: VMRay, 7.
struct TriagePolicy: Sendable, Hashable {
    enum CaseAPI: String, Sendable, CaseIterable {
        case messageCenter = "message_center"
        case cases
    }

    var commentsToDetection = true
    var commentsToQuarantine = true
    var closesOnClean = true
    var releasesOnClean = false
    var addsClassification = true
    var addsThreatName = true
    /// `nil`: hosts are never contained.
    var containLevels: Set<Verdict>?
    /// `nil`: no cases.
    var caseLevels: Set<Verdict>?
    /// A case for a sample that could not be analysed.
    var opensCaseOnError = false
    var caseAPI = CaseAPI.messageCenter
    var caseType = "fc:detection-support"
    var caseUser = ""
    /// `nil`: other hosts are not looked for.
    var otherHostLevels: Set<Verdict>?
    /// `nil`: nothing is submitted again.
    var resubmittedVerdicts: Set<Verdict>?
    /// Whose IOC lists are read and count.
    var selectedVerdicts: Set<Verdict> = [.malicious]
    /// Addresses behind a URL become indicators too.
    var takesURLAddresses = true
    /// From the first job in work.
    var analysisTimeout: Duration = .seconds(600)
    /// From the submission, while no job is in work.
    var queueTimeout: Duration = .seconds(86_400)

    /// A sample that failed so often is parked.
    static let maxAttempts = 3
}
