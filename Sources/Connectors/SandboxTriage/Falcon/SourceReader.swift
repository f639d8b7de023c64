// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import JSON

/// Reads what Falcon has found: alerts, and files in quarantine. Source: VMRay, 2.
struct SourceReader: Sendable {
    private let falcon: FalconClient
    private let detections: FileDetections

    init(_ falcon: FalconClient, _ detections: FileDetections) {
        self.falcon = falcon
        self.detections = detections
    }

    /// What a page shows, by SHA-256.
    struct Page {
        var alerts: [String: [AlertFact]] = [:]
        var files: [String: [QuarantineFact]] = [:]
        /// Entries without a usable hash.
        var skipped = 0
    }

    /// All pages of a source, the oldest first.
    func read(_ source: DataSource, since: Instant, _ body: (Page) async throws -> Void) async throws {
        switch source {
        case .detect: try await alerts(.since(since), body)
        case .quarantine: try await files("date_created:>='\(since.secondsDescription)'", body)
        }
    }

    /// What Falcon shows of one sample, whenever it was found.
    func read(_ sha256: String, _ sources: [DataSource], _ body: (Page) async throws -> Void) async throws {
        if sources.contains(.detect) { try await alerts(.sha256(sha256), body) }
        if sources.contains(.quarantine) { try await files("sha256:'\(sha256)'", body) }
    }

    private func alerts(_ question: FileDetections.Question, _ body: (Page) async throws -> Void) async throws {
        var cursor: FileDetections.Cursor?
        repeat {
            let found = try await detections.page(question, at: cursor)
            var page = Page(skipped: found.unread)
            for detection in found.detections {
                let hashes = detection.hashes.filter { IndicatorRule.isSHA256($0) }
                if hashes.isEmpty { page.skipped += 1 }
                for hash in hashes { page.alerts[hash, default: []].append(AlertFact(detection)) }
            }
            try await body(page)
            cursor = found.next
        } while cursor != nil
    }

    private func files(_ filter: String, _ body: (Page) async throws -> Void) async throws {
        var offset: Int64 = 0
        while true {
            let ids = try await falcon.queryQuarantine(
                filter, sort: "date_created|asc", limit: FalconClient.maxQuarantineDetails, offset: offset)
            guard !ids.ids.isEmpty else { return }
            for start in stride(from: 0, to: ids.ids.count, by: FalconClient.maxQuarantineDetails) {
                let part = Array(ids.ids[start..<min(start + FalconClient.maxQuarantineDetails, ids.ids.count)])
                let rows = try await falcon.quarantinedFiles(part) { Self.file($0) }.rows
                var page = Page()
                for row in rows {
                    guard let sha256 = row.sha256?.lowercased(), IndicatorRule.isSHA256(sha256) else {
                        page.skipped += 1
                        continue
                    }
                    page.files[sha256, default: []].append(row.fact)
                }
                try await body(page)
            }
            guard let next = ids.next.flatMap({ Int64($0) }), next > offset else { return }
            offset = next
        }
    }

    private static func file(_ file: JSONElement) -> (sha256: String?, fact: QuarantineFact)? {
        guard let id = file["id"]?.string, !id.isEmpty else { return nil }
        return (file["sha256"]?.string, QuarantineFact(id: id, host: file["aid"]?.string ?? ""))
    }
}

extension AlertFact {
    fileprivate init(_ detection: FileDetections.Detection) {
        self.init(
            compositeID: detection.id, product: detection.product, link: detection.link, status: detection.status,
            host: detection.host)
    }
}
