// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

/// Which security events to list.
public struct AlertFilter: Sendable, Hashable {
    /// Comma-separated, in the console's words; `nil` for all.
    public var statuses: String?
    public var types: String?
    public var maturity: String? = "stable"

    public init(statuses: String?, types: String?) {
        self.statuses = statuses
        self.types = types
    }

    var query: [(name: String, value: String)] {
        var items: [(name: String, value: String)] = []
        if let statuses { items.append(("status", statuses)) }
        if let types { items.append(("alert_type", types)) }
        if let maturity { items.append(("maturity", maturity)) }
        return items
    }
}

/// What a security event is to be set to: the console's words.
public enum AlertStatus: String, Sendable, Hashable, CaseIterable {
    case new
    case probableFalsePositive = "probable_false_positive"
    case investigating
    case falsePositive = "false_positive"
    case closed
}

extension HarfangLabClient {
    /// Security events since a moment, oldest first, 100 a page. `from` counts itself in.
    ///
    /// - Parameter start: ISO 8601 with offset: `2026-03-02T07:26:01.276000+00:00`.
    public func alerts(_ filter: AlertFilter, from start: String) async throws(HarfangLabError) -> HarfangLabPage {
        try await alerts(filter, [("ordering", "alert_time"), ("limit", "100"), ("from", start)])
    }

    /// The security events of one threat.
    public func alerts(_ filter: AlertFilter, ofThreat threat: Int64) async throws(HarfangLabError) -> HarfangLabPage {
        try await alerts(filter, [("ordering", "alert_time"), ("limit", "100"), ("threat_key", "\(threat)")])
    }

    /// The security events of one threat from a moment on, for threats of more than one window.
    public func alerts(
        _ filter: AlertFilter, ofThreat threat: Int64, from start: String
    ) async throws(HarfangLabError) -> HarfangLabPage {
        try await alerts(
            filter, [("ordering", "alert_time"), ("limit", "100"), ("threat_key", "\(threat)"), ("from", start)])
    }

    /// Security events that changed since a moment, in the order of their changes.
    ///
    /// Source: `demisto/content: Packs/HarfangLabEDR/Integrations/Hurukai/Hurukai.py` (`last_update__gte`).
    public func alerts(
        _ filter: AlertFilter, updatedSince start: String
    ) async throws(HarfangLabError) -> HarfangLabPage {
        try await alerts(filter, [("ordering", "last_update"), ("limit", "100"), ("last_update__gte", start)])
    }

    private func alerts(
        _ filter: AlertFilter, _ query: [(name: String, value: String)]
    ) async throws(HarfangLabError) -> HarfangLabPage {
        try await page("\(Self.alerts)/Alert", query: filter.query + query, operation: "list_Alert")
    }

    /// One security event with all its details: the object below `alert`. `nil` when it is gone.
    public func alert(_ id: String) async throws(HarfangLabError) -> JSONValue? {
        do throws(HarfangLabError) {
            let answer = try await send(
                .get, "\(Self.alerts)/Alert/\(PercentEncoding.component(id))/details/", operation: "get_Alert")
            return answer?["alert"]
        } catch {
            if case .notFound = error { return nil }
            throw error
        }
    }

    /// Sets the status of security events.
    public func setStatus(_ status: AlertStatus, ofAlerts ids: [String]) async throws(HarfangLabError) {
        _ = try await send(
            .post, "\(Self.alerts)/Alert/tag/",
            body: ["ids": .array(ids.map { .string($0) }), "new_status": .string(status.rawValue)],
            operation: "tag_Alert", isIdempotent: true)
    }

    /// Threats since a moment, oldest first, 100 a page.
    public func threats(from start: String) async throws(HarfangLabError) -> HarfangLabPage {
        try await page(
            "\(Self.alerts)/Threat", query: [("limit", "100"), ("ordering", "creation_date"), ("from", start)],
            operation: "list_Threat")
    }

    /// Threats that changed since a moment, in the order of their changes.
    public func threats(updatedSince start: String) async throws(HarfangLabError) -> HarfangLabPage {
        try await page(
            "\(Self.alerts)/Threat",
            query: [("limit", "100"), ("ordering", "last_update"), ("last_update__gte", start)],
            operation: "list_Threat")
    }

    /// `nil` when it is gone.
    public func threat(_ id: Int64) async throws(HarfangLabError) -> JSONValue? {
        do throws(HarfangLabError) {
            return try await send(.get, "\(Self.alerts)/Threat/\(id)/", operation: "get_Threat")
        } catch {
            if case .notFound = error { return nil }
            throw error
        }
    }

    /// A threat's note: title, content, dates. `nil` without one: the console answers with an empty body then.
    public func note(ofThreat id: Int64) async throws(HarfangLabError) -> JSONValue? {
        do throws(HarfangLabError) {
            let note = try await send(.get, "\(Self.alerts)/Threat/\(id)/note", operation: "get_Threat_note")
            return note?.object?.isEmpty == false ? note : nil
        } catch {
            if case .notFound = error { return nil }
            throw error
        }
    }

    /// Rules that fired in a threat: `rule_level`, `rule_name`, `security_event_count`.
    public func rules(ofThreat id: Int64) async throws(HarfangLabError) -> [JSONValue] {
        try await all(
            "\(Self.alerts)/Threat/rules/",
            query: [("threat_id", "\(id)"), ("fields", "rule_level,rule_name,security_event_count")],
            operation: "list_Threat_rules")
    }

    /// Sets the status of threats and of their security events.
    public func setStatus(_ status: AlertStatus, ofThreats ids: [Int64]) async throws(HarfangLabError) {
        _ = try await send(
            .patch, "\(Self.alerts)/Threat/status/",
            body: [
                "threat_ids": .array(ids.map { .int($0) }), "new_status": .string(status.rawValue),
                "update_by_query": true,
            ],
            operation: "status_Threat", isIdempotent: true)
    }

    public func comment(_ text: String, onThreat id: Int64) async throws(HarfangLabError) {
        _ = try await send(
            .post, "\(Self.alerts)/Threat/\(id)/comment/", body: ["comment": .string(text)],
            operation: "comment_Threat")
    }
}
