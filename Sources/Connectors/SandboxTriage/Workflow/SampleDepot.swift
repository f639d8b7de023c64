// SPDX-License-Identifier: Apache-2.0

import VMRay

/// Where the content of samples comes from.
protocol SampleDepot: Sendable {
    /// Fetches a sample and makes sure that it is the one asked for. What is fetched goes with the last copy of the value.
    ///
    /// - Throws: ``SampleRefusal``; `CancellationError`.
    func fetch(_ sha256: String) async throws -> SubmissionFile
}

/// Why there is no sample to submit.
struct SampleRefusal: Error, Sendable {
    /// `downloadFailed`, `integrityFailed` or `tooLarge`
    let outcome: SampleOutcome
    /// A sentence.
    let reason: String
}
