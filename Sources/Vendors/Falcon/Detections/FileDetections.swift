// SPDX-License-Identifier: Apache-2.0

public import Base
import JSON

/// Files that were detected on hosts, read and updated over whichever API a tenant has: today's alerts, or the decommissioned
/// detections, whose ids look otherwise (`ldt:…`) and which hold several behaviours each.
///
/// | detection | alert |
/// | --- | --- |
/// | `detection_id`, `ldt:<aid>:<n>` | `composite_id`, `<cid>:ind:<aid>:<n>` |
/// | `behaviors[].sha256` | `sha256` |
/// | `device.device_id` | `device.device_id`, else `agent_id` |
/// | `comment` | `append_comment` |
/// | `status` `in_progress`, `closed` | `update_status` |
///
/// Source: Falcon API surface, 5 and 6; VMRay, 2.
public struct FileDetections: Sendable {
    /// Which API is asked.
    public enum Mode: String, Sendable, CaseIterable {
        /// Alerts first, detections where a tenant answers only those.
        case auto
        /// Detections only.
        case force
        /// Alerts only.
        case off
    }

    public struct Detection: Sendable, Hashable {
        /// A composite id, or `ldt:…`.
        public var id: String
        /// SHA-256 in lower case; an alert has one at most.
        public var hashes: [String]
        /// `epp`
        public var product: String
        /// To the console.
        public var link: String
        public var status: String
        /// Agent id; empty when it names none.
        public var host: String
        public var hostname: String
        public var created: String
        public var comments: [String]
    }

    public struct Page: Sendable {
        public var detections: [Detection]
        /// Entries that have no id; the page counts them.
        public var unread: Int
        /// `nil` after the last page.
        public var next: Cursor?
    }

    /// Which are asked for.
    public enum Question: Sendable, Hashable {
        /// Created at that moment or later.
        case since(Instant)
        /// Of one file, whenever that was.
        case sha256(String)

        var alerts: String {
            switch self {
            case .since(let moment): "created_timestamp:>='\(moment.secondsDescription)'+product:'epp'"
            case .sha256(let hash): "sha256:'\(hash)'+product:'epp'"
            }
        }

        var detections: String {
            switch self {
            case .since(let moment): "created_timestamp:>='\(moment.secondsDescription)'"
            case .sha256(let hash): "behaviors.sha256:'\(hash)'"
            }
        }
    }

    /// Where the next page begins.
    public enum Cursor: Sendable, Hashable {
        case alerts(after: String)
        case detections(offset: Int64)
    }

    private let client: FalconClient
    private let mode: Mode

    public init(_ client: FalconClient, mode: Mode = .auto) {
        self.client = client
        self.mode = mode
    }

    // MARK: Reading

    /// The oldest first, a page a call.
    ///
    /// - Throws: the refusal of today's API when the other refuses as well.
    public func page(_ question: Question, at cursor: Cursor? = nil) async throws(FalconError) -> Page {
        switch cursor {
        case .alerts(let after): return try await alerts(question, after: after)
        case .detections(let offset): return try await detections(question, offset: offset)
        case nil where mode == .force: return try await detections(question, offset: 0)
        case nil: break
        }
        do throws(FalconError) {
            return try await alerts(question, after: nil)
        } catch {
            guard mode == .auto, error.status == 403 || error.isGone else { throw error }
            do throws(FalconError) { return try await detections(question, offset: 0) } catch let second {
                // The scope that is missing today is the one to add.
                if second.status == 403 || second.isGone { throw error }
                throw second
            }
        }
    }

    private func alerts(_ question: Question, after: String?) async throws(FalconError) -> Page {
        let page = try await client.combinedAlerts(question.alerts, after: after) { Row(detection: Self.alert($0)) }
        // A cursor that stands still would be followed for ever.
        let next = page.rows.isEmpty || page.after == after ? nil : page.after
        return Page(page.rows, next: next.map { .alerts(after: $0) })
    }

    private func detections(_ question: Question, offset: Int64) async throws(FalconError) -> Page {
        let limit = min(Int64(FalconClient.maxDetections), FalconClient.maxDetectionOffset - offset)
        guard limit > 0 else { return Page([], next: nil) }
        let ids = try await client.queryDetections(
            question.detections, sort: "created_timestamp|asc", limit: Int(limit), offset: offset)
        guard !ids.ids.isEmpty else { return Page([], next: nil) }
        let rows = try await client.detectionSummaries(ids.ids) { Row(detection: Self.detection($0)) }
        return Page(rows, next: ids.next.flatMap { Int64($0) }.map { .detections(offset: $0) })
    }

    /// Those of these ids, as they stand now; unknown ones are missing.
    public func detections(_ ids: [String]) async throws(FalconError) -> [Detection] {
        let (today, legacy) = Self.split(ids)
        var found: [Detection] = []
        if !today.isEmpty { found += try await client.alerts(today) { Self.alert($0) }.rows }
        if !legacy.isEmpty { found += try await client.detectionSummaries(legacy) { Self.detection($0) } }
        return found
    }

    // MARK: Updating

    /// Adds a comment, and sets a status if there is one; at most 1,000 ids, of both kinds.
    ///
    /// - Parameter status: `new`, `in_progress`, `reopened` or `closed`.
    /// - Returns: one answer for each kind of ids that there is.
    public func update(
        _ ids: [String], comment: String, status: String?
    ) async throws(FalconError) -> FalconAnswer {
        let (today, legacy) = Self.split(ids)
        var whole = FalconAnswer()
        if !today.isEmpty {
            let status = status.map { [AlertAction("update_status", $0)] } ?? []
            whole.merge(try await client.updateAlerts(today, [AlertAction("append_comment", comment)] + status))
        }
        if !legacy.isEmpty { whole.merge(try await client.updateDetections(legacy, status: status, comment: comment)) }
        return whole
    }

    private static func split(_ ids: [String]) -> (today: [String], legacy: [String]) {
        (ids.filter { !$0.hasPrefix("ldt:") }, ids.filter { $0.hasPrefix("ldt:") })
    }

    // MARK: Forms

    /// An entry that cannot be read is counted, not dropped.
    fileprivate struct Row: Sendable { let detection: Detection? }

    /// `nil` without an id.
    private static func alert(_ alert: JSONElement) -> Detection? {
        guard let id = text(alert["composite_id"]) else { return nil }
        return Detection(
            id: id, hashes: text(alert["sha256"]).map { [$0.lowercased()] } ?? [],
            product: text(alert["product"]) ?? "", link: text(alert["falcon_host_link"]) ?? "",
            status: text(alert["status"]) ?? "",
            host: text(alert["device"]?["device_id"]) ?? text(alert["agent_id"]) ?? "",
            hostname: text(alert["device"]?["hostname"]) ?? "", created: text(alert["created_timestamp"]) ?? "",
            comments: comments(alert))
    }

    /// `nil` without an id.
    private static func detection(_ detection: JSONElement) -> Detection? {
        guard let id = text(detection["detection_id"]) else { return nil }
        var hashes: [String] = []
        detection["behaviors"]?.forEachElement { behavior in
            if let hash = text(behavior["sha256"])?.lowercased(), !hashes.contains(hash) { hashes.append(hash) }
        }
        return Detection(
            id: id, hashes: hashes, product: "epp", link: text(detection["falcon_host_link"]) ?? "",
            status: text(detection["status"]) ?? "", host: text(detection["device"]?["device_id"]) ?? "",
            hostname: text(detection["device"]?["hostname"]) ?? "",
            created: text(detection["created_timestamp"]) ?? "", comments: comments(detection))
    }

    private static func comments(_ object: JSONElement) -> [String] {
        var comments: [String] = []
        object["comments"]?.forEachElement { if let text = text($0["value"]) { comments.append(text) } }
        return comments
    }

    private static func text(_ element: JSONElement?) -> String? {
        element?.string.flatMap { $0.isEmpty ? nil : $0 }
    }
}

extension FileDetections.Page {
    fileprivate init(_ rows: [FileDetections.Row], next: FileDetections.Cursor?) {
        let detections = rows.compactMap(\.detection)
        self.init(detections: detections, unread: rows.count - detections.count, next: next)
    }
}
