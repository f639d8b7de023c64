// SPDX-License-Identifier: Apache-2.0

import Falcon
import JSON

extension FalconActions {
    func updateAlerts(_ ids: [String], _ action: AlertAction) async throws -> ActionResult {
        let isComment = action.name == "append_comment"
        do {
            return try await inParts(ids, of: FalconClient.maxAlerts) { ids throws(FalconError) in
                try await falcon.updateAlerts(ids, [action])
            }
        } catch let error as FalconError where isComment && error.isOutcomeUnknown {
            throw ActionError.outcomeUnknown(error.description)
        }
    }

    // MARK: Behaviours and incidents

    /// Behaviours as alerts; what those do not answer, by the literal call (Sekoia.io module, 5.2.1).
    func behaviors(_ ids: [String]) async throws -> ActionResult {
        try await answered(
            ids, legacy: options.legacyAPI == .force ? ids : [],
            today: { try await behaviorsAsAlerts($0) },
            literal: { ids throws(FalconError) in try await falcon.behaviors(ids) },
            replacement: "alerts (get_alerts_v2)")
    }

    /// Incidents as cases. No public way leads from an `inc:` id to a case, so those can only be asked for literally.
    func incidents(_ ids: [String]) async throws -> ActionResult {
        let literal = options.legacyAPI == .force ? ids : ids.filter { $0.hasPrefix("inc:") }
        return try await answered(
            ids, legacy: literal, today: { try await incidentsAsCases($0) },
            literal: { ids throws(FalconError) in try await falcon.incidents(ids) }, replacement: "cases")
    }

    /// What was found of the ids, each with its resource.
    typealias Found = [(id: String, resource: JSONValue)]

    private func answered(
        _ ids: [String], legacy: [String], today: ([String]) async throws -> Found,
        literal: ([String]) async throws(FalconError) -> FalconAnswer, replacement: String
    ) async throws -> ActionResult {
        var result = ActionResult()
        var refusal: FalconError?
        var missing = ids
        let asked = ids.filter { !Set(legacy).contains($0) }
        if !asked.isEmpty {
            do {
                let found = try await today(asked)
                result.resources = found.map(\.resource)
                let known = Set(found.map(\.id))
                missing = ids.filter { !known.contains($0) }
            } catch let error as FalconError where options.legacyAPI == .auto && (error.status == 403 || error.isGone) {
                refusal = error
            }
        }
        guard !missing.isEmpty else { return result }
        let hint = "today's API does not know it, and the incidents API is not asked; use \(replacement)"
        guard options.legacyAPI != .off else {
            result.errors += missing.map { FalconMessage(code: 404, message: hint, id: $0) }
            return result
        }
        do throws(FalconError) {
            for start in stride(from: 0, to: missing.count, by: FalconClient.maxIncidents) {
                let part = Array(missing[start..<min(start + FalconClient.maxIncidents, missing.count)])
                result.merge(try await literal(part))
            }
        } catch {
            guard error.isGone else {
                // Neither may we ask: the first refusal names the scope that is wanted today.
                if result.resources.isEmpty { throw refusal ?? error }
                result.errors += missing.map { error.message(for: $0) }
                return result
            }
            let gone = "CrowdStrike has removed the incidents API (\(error.status)); use \(replacement)"
            result.errors += missing.map { FalconMessage(code: error.status, message: gone, id: $0) }
        }
        return result
    }

    private func behaviorsAsAlerts(_ ids: [String]) async throws -> Found {
        var composite = ids.filter(Self.isComposite)
        var asked = Dictionary(composite.map { ($0, $0) }) { first, _ in first }
        let plain = ids.filter { !Self.isComposite($0) }
        for start in stride(from: 0, to: plain.count, by: 100) {
            let part = Array(plain[start..<min(start + 100, plain.count)])
            // What cannot stand in a filter is no id of an alert.
            guard let filter = try? FQL.any(.id, part) else { continue }
            composite += try await falcon.queryAlerts(filter, limit: part.count).ids
        }
        var found: Found = []
        var seen: Set<String> = []
        composite = composite.filter { seen.insert($0).inserted }
        for start in stride(from: 0, to: composite.count, by: FalconClient.maxAlerts) {
            let part = Array(composite[start..<min(start + FalconClient.maxAlerts, composite.count)])
            let answer: FalconAnswer
            do throws(FalconError) { answer = try await falcon.alerts(part) } catch {
                if case .notFound = error { continue }
                throw error
            }
            for alert in answer.resources {
                guard case .object(var object) = alert else { continue }
                let id = object["id"]?.string ?? ""
                let compositeID = object["composite_id"]?.string ?? ""
                if let id = object["id"] { object["behavior_id"] = id }
                if let host = object["agent_id"] { object["aid"] = host }
                let name =
                    asked.removeValue(forKey: compositeID) ?? (plain.contains(id) ? id : Self.tail(of: compositeID))
                found.append((id: name, resource: .object(object)))
            }
        }
        return found
    }

    private func incidentsAsCases(_ ids: [String]) async throws -> Found {
        var found: Found = []
        for start in stride(from: 0, to: ids.count, by: FalconClient.maxIncidents) {
            let part = Array(ids[start..<min(start + FalconClient.maxIncidents, ids.count)])
            let answer: FalconAnswer
            do throws(FalconError) { answer = try await falcon.cases(part) } catch {
                // None of them is a case; a tenant without the API answers the same.
                if case .notFound = error { continue }
                throw error
            }
            for item in answer.resources {
                guard case .object(var object) = item, let id = object["id"] else { continue }
                object["incident_id"] = id
                found.append((id: id.string ?? "", resource: .object(object)))
            }
        }
        return found
    }

    /// `<32 hexadecimal digits>:ind:…`
    private static func isComposite(_ id: String) -> Bool {
        let parts = id.split(separator: ":", maxSplits: 2)
        return parts.count == 3 && parts[0].utf8.count == 32 && parts[0].allSatisfy(\.isHexDigit) && parts[1] == "ind"
    }

    private static func tail(of composite: String) -> String {
        String(composite.drop { $0 != ":" }.dropFirst())
    }
}
