// SPDX-License-Identifier: Apache-2.0

public import Base
import HTTPClient
import JSON

extension VMRayClient {
    /// What a look-up by hash found.
    public struct LookUp: Sendable {
        /// Empty: unknown.
        public let samples: [VMRaySample]
        /// The server's clock at its answer; `nil` when it did not say.
        public let date: Instant?
    }

    /// Whether VMRay knows a file, and what of it.
    ///
    /// `GET /rest/sample/sha256/<hash>` → a list, `[]` for an unknown file; 404 means the same.
    public func samples(sha256: String) async throws(VMRayError) -> LookUp {
        let call = VMRayCall("/rest/sample/sha256/" + PercentEncoding.component(sha256), "vmray.sample_by_hash")
        let page: Page
        do throws(VMRayError) {
            page = try await fetch(call)
        } catch {
            if case .notFound = error { return LookUp(samples: [], date: nil) }
            throw error
        }
        guard let entries = page.data.array else {
            throw .malformed(operation: call.operation, reason: "it is no list")
        }
        var samples: [VMRaySample] = []
        for entry in entries {
            guard let sample = VMRaySample(entry) else {
                throw .malformed(operation: call.operation, reason: "a sample lacks its id")
            }
            samples.append(sample)
        }
        return LookUp(samples: samples, date: page.date)
    }

    /// `GET /rest/sample/<id>` → one object
    public func sample(_ id: VMRayID) async throws(VMRayError) -> VMRaySample {
        let call = VMRayCall("/rest/sample/\(id)", "vmray.sample")
        guard let sample = VMRaySample(try await fetch(call).data) else {
            throw .malformed(operation: call.operation, reason: "it is no sample")
        }
        return sample
    }

    /// The IOCs of one verdict. `nil` with a verdict key, without a call.
    ///
    /// `GET /rest/sample/<id>/iocs/verdict/<verdict>` → `{"iocs": {…}}`
    ///
    /// - Throws: ``VMRayError/forbidden(operation:reason:)`` for a report that is locked.
    public func iocs(of id: VMRayID, verdict: String) async throws(VMRayError) -> VMRayIOCs? {
        try await iocs("/rest/sample/\(id)/iocs/verdict/" + PercentEncoding.component(verdict))
    }

    /// The IOCs whatever their verdict. `nil` with a verdict key, without a call.
    ///
    /// `GET /rest/sample/<id>/iocs/all_artifacts/<True|False>` → the same shape
    public func iocs(of id: VMRayID, allArtifacts: Bool) async throws(VMRayError) -> VMRayIOCs? {
        try await iocs("/rest/sample/\(id)/iocs/all_artifacts/" + (allArtifacts ? "True" : "False"))
    }

    private func iocs(_ path: String) async throws(VMRayError) -> VMRayIOCs? {
        guard configuration.keyType == .report else { return nil }
        let call = VMRayCall(path, "vmray.iocs")
        guard let iocs = try await fetch(call).data["iocs"], iocs.object != nil else {
            throw .malformed(operation: call.operation, reason: "it has no IOCs")
        }
        return VMRayIOCs(iocs)
    }

    /// Recognised behaviours. `nil` with a verdict key, without a call.
    ///
    /// `GET /rest/sample/<id>/vtis` → `{"threat_indicators": […]}`
    public func threatIndicators(of id: VMRayID) async throws(VMRayError) -> [VMRayThreatIndicator]? {
        guard configuration.keyType == .report else { return nil }
        let call = VMRayCall("/rest/sample/\(id)/vtis", "vmray.vtis")
        guard let list = try await fetch(call).data["threat_indicators"]?.array else {
            throw .malformed(operation: call.operation, reason: "it has no threat indicators")
        }
        return list.compactMap { VMRayThreatIndicator($0) }
    }

    /// The whole report of one analysis, as it came. `nil` with a verdict key, without a call.
    ///
    /// `GET /rest/analysis/<id>/archive/logs/summary_v2.json`, without an envelope; at most 64 MiB.
    public func report(ofAnalysis id: VMRayID) async throws(VMRayError) -> [UInt8]? {
        guard configuration.keyType == .report else { return nil }
        return try await raw(VMRayCall("/rest/analysis/\(id)/archive/logs/summary_v2.json", "vmray.report"))
    }
}
