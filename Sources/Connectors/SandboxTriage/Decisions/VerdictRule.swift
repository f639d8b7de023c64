// SPDX-License-Identifier: Apache-2.0

import VMRay

/// From what VMRay answers to what may be acted on.
enum VerdictRule {
    /// The verdict of an answer about a hash.
    ///
    /// Malicious and suspicious count as they stand. Clean counts only when the text is exactly `clean`, the answer is about
    /// that very file, and no analysis of it has failed. Everything else is no verdict. Source: VMRay, 3.1.
    ///
    /// - Parameter hasFailures: the submission, or an analysis of it, puts clean in doubt.
    static func verdict(of sample: VMRaySample, asked sha256: String, hasFailures: Bool) -> Verdict {
        guard sample.sha256 == sha256 else { return .none }
        return switch sample.verdict {
        case "malicious": .malicious
        case "suspicious": .suspicious
        case "clean" where !hasFailures: .clean
        default: .none
        }
    }

    /// A look-up tells what VMRay thinks of a file by all its analyses, old ones too. A submission that has errors, that found
    /// something else, or that is about another file, does not bear it out.
    static func isCleanInDoubt(_ submission: VMRaySubmission, asked sha256: String) -> Bool {
        submission.hasErrors == true || submission.sampleHash.map { $0 != sha256 } ?? false
            || submission.verdict.map { $0 != Verdict.clean.rawValue } ?? false
    }

    static func isCleanInDoubt(_ analysis: VMRayAnalysis) -> Bool {
        let verdict = analysis.verdict.flatMap { Verdict(rawValue: $0) }
        return analysis.hasFailed || verdict == .malicious || verdict == .suspicious
    }

    /// The entry about the file that was asked for, else the first.
    static func sample(_ samples: [VMRaySample], asked sha256: String) -> VMRaySample? {
        samples.first { $0.sha256 == sha256 } ?? samples.first
    }

    /// Classifications and threat names of the sample and of the files among its IOCs, sorted, each once.
    static func words(
        _ ofSample: [String], _ iocs: VMRayIOCs, _ selected: Set<Verdict>, _ ofFile: (VMRayIOCs.File) -> [String]
    ) -> [String] {
        let files = iocs.files.filter { IndicatorRule.counts($0.verdict, selected) }
        return Set(ofSample + files.flatMap(ofFile)).filter { !$0.isEmpty }.sorted()
    }
}
