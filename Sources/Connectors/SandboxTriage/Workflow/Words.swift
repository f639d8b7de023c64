// SPDX-License-Identifier: Apache-2.0

import Base

extension SampleOutcome {
    /// Of a dead letter.
    var code: ErrorCode {
        switch self {
        case .downloadFailed: "triage.download_failed"
        case .integrityFailed: "triage.integrity_failed"
        case .tooLarge: "triage.too_large"
        case .analysisTimeout: "triage.analysis_timeout"
        case .noSampleAfterAnalysis: "triage.no_sample_after_analysis"
        case .lookUpFailed: "triage.look_up_failed"
        case .effectsFailed: "triage.effects_failed"
        // Nothing else is put aside.
        case .submitFailed, .quota, .malicious, .suspicious, .clean, .none: "triage.submit_failed"
        }
    }

    /// A sentence for dead letters and terminals.
    var explanation: String {
        switch self {
        case .malicious, .suspicious, .clean: "VMRay calls it \(rawValue)."
        case .none: "VMRay gives no verdict."
        case .downloadFailed: "Falcon does not give the sample."
        case .integrityFailed: "What Falcon gave is not the sample, or its archive is broken; it was not submitted."
        case .tooLarge: "The sample is larger than VMRAY_MAX_SAMPLE_SIZE, or its archive is a zip bomb."
        case .submitFailed: "VMRay does not take the sample."
        case .analysisTimeout: "The analysis did not end within VMRAY_ANALYSIS_JOB_TIMEOUT."
        case .noSampleAfterAnalysis: "VMRay shows no result although the submission has ended."
        case .quota: "VMRay's quota is spent; the next run tries again."
        case .lookUpFailed: "VMRay could not be asked about the sample."
        case .effectsFailed: "The verdict stands, but Falcon could not be told everything."
        }
    }
}

extension SampleCourse {
    /// Tells a terminal what happens next.
    func tell(_ action: SampleTriage.Action) async throws {
        guard let progress = parts.progress else { return }
        switch action {
        case .lookUp: try await progress("look_up", "Does VMRay know it?")
        case .listSubmissions: try await progress("look_up", "Is it being analysed already?")
        case .download: try await progress("download", "Falcon's copy is fetched and checked.")
        case .submit: try await progress("submit", "It is sent to VMRay.")
        case .poll(let id): try await progress("analysis", "Submission \(id)")
        case .readResult: try await progress("verdict", "Verdict and IOCs are read.")
        case .check(let effect): try await progress("check", effect.summary)
        case .permit(let hosts): try await progress("guard", "\(hosts.count) hosts")
        case .permitRelease(let files): try await progress("guard", "\(files.count) files")
        case .apply(let effect): try await progress("report", effect.summary)
        case .findHosts: try await progress("hosts", "Which other hosts ran it?")
        case .listJobs, .wait, .findExisting, .end: break
        }
    }
}
