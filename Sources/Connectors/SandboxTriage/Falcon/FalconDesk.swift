// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import JSON

/// Carries out effects at Falcon, and looks which have been carried out.
struct FalconDesk: Sendable {
    let falcon: FalconClient
    let detections: FileDetections

    /// What came of one call.
    enum Sent: Sendable {
        /// All of it, but for keys that the service names with a reason.
        case done(refused: [EffectKey: String], trace: String?)
        /// Nothing of it, because of what it is: smaller parts may pass.
        case refused(String)
        /// Whether anything has happened is not certain.
        case failed(FalconError)
    }

    // MARK: Sending

    /// Most keys of one call.
    static func limit(of effect: Effect) -> Int {
        switch effect {
        case .alertUpdate: FalconClient.maxAlerts
        case .createIndicators: 200
        case .quarantineUpdate: FalconClient.maxQuarantineUpdates
        case .contain: FalconClient.maxHostActionIDs
        case .createCase: 1
        }
    }

    func send(_ effect: Effect) async -> Sent {
        do throws(FalconError) {
            let answer = try await call(effect)
            var refused: [EffectKey: String] = [:]
            for message in answer.errors {
                guard let id = message.id, let key = effect.keys.first(where: { $0.subject == id }) else {
                    // An error that names nobody, beside no sign of success.
                    if answer.resources.isEmpty, (answer.affected ?? 0) == 0 { return .refused(message.message) }
                    continue
                }
                refused[key] = message.message
            }
            return .done(refused: refused, trace: answer.traceID)
        } catch {
            return Self.judge(error, effect)
        }
    }

    private static func judge(_ error: FalconError, _ effect: Effect) -> Sent {
        switch (effect, error) {
        // It is so already, or on its way.
        case (.contain(let hosts, _), .conflict) where hosts.count == 1: .done(refused: [:], trace: error.traceID)
        case (.createCase(let made, _), .missingScope), (.createCase(let made, _), .notFound):
            .refused(error.description + " " + made.api.otherWay)
        case (_, .badRequest), (_, .notFound), (_, .conflict): .refused(error.description)
        default: .failed(error)
        }
    }

    private func call(_ effect: Effect) async throws(FalconError) -> FalconAnswer {
        switch effect {
        case .alertUpdate(let ids, let comment, let status, _):
            return try await detections.update(ids, comment: comment, status: status)
        case .createIndicators(let indicators, let description):
            return try await falcon.createIndicators(
                indicators.map { $0.request(description) },
                .init(comment: description, retrodetects: false, ignoresWarnings: true))
        case .quarantineUpdate(let ids, let action, let comment):
            return try await falcon.updateQuarantine(ids, action == "release" ? .release : .unrelease, comment: comment)
        case .contain(let hosts, let note): return try await falcon.perform(.contain, on: hosts, note: note)
        case .createCase(let made, _):
            return switch made.api {
            case .messageCenter: try await falcon.createMessageCase(made.request)
            case .cases: try await falcon.createCase(made.request)
            }
        }
    }

    // MARK: Looking

    /// Keys of an effect that have taken effect, as far as Falcon shows; an effect that leaves no trace gives none.
    func applied(_ effect: Effect) async throws(FalconError) -> Set<EffectKey> {
        switch effect {
        case .alertUpdate(let ids, let comment, _, let kind):
            let commented = try await detections.detections(ids).filter { $0.comments.contains(comment) }
            return Set(commented.map { EffectKey("\(kind):\($0.id)") })
        case .createIndicators(let indicators, _): return Set(try await existing(indicators).map(\.key))
        case .quarantineUpdate(let ids, let action, _):
            guard action == "release" else { return [] }
            let released = try await falcon.quarantinedFiles(ids) { file -> String? in
                file["state"]?.string == "released" ? file["id"]?.string : nil
            }
            return Set(released.rows.map { EffectKey("quarantine:\($0)") })
        case .contain(let hosts, _):
            let contained = try await falcon.devices(hosts) { device -> String? in
                ["containment_pending", "contained"].contains(device["status"]?.string ?? "")
                    ? device["device_id"]?.string : nil
            }
            return Set(contained.rows.map { EffectKey("contain:\($0)") })
        case .createCase(let made, let key):
            switch made.api {
            case .messageCenter:
                let titles = try await falcon.newestMessageCases { $0["title"]?.string }
                return titles.contains(made.title) ? [key] : []
            case .cases:
                do {
                    let ids = try await falcon.queryCases(FQL.exact(.name, made.title), limit: 1)
                    return ids.isEmpty ? [] : [key]
                } catch let error as FalconError {
                    throw error
                } catch {
                    throw .configuration("\(error)")
                }
            }
        }
    }

    /// How alerts stand now, by id; unknown ones are missing.
    func statuses(_ ids: [String]) async throws(FalconError) -> [String: String] {
        var statuses: [String: String] = [:]
        for start in stride(from: 0, to: ids.count, by: FalconClient.maxAlerts) {
            let part = Array(ids[start..<min(start + FalconClient.maxAlerts, ids.count)])
            for alert in try await detections.detections(part) { statuses[alert.id] = alert.status }
        }
        return statuses
    }

    /// Which of them exist, whoever made them.
    func existing(_ indicators: [TriageIndicator]) async throws(FalconError) -> [TriageIndicator] {
        var found: Set<TriageIndicator> = []
        for (kind, group) in Dictionary(grouping: indicators, by: \.kind) {
            for start in stride(from: 0, to: group.count, by: 100) {
                let values = group[start..<min(start + 100, group.count)].map(\.value)
                guard let filter = try? FQL.exact(.type, kind.name) && FQL.any(.value, values) else { continue }
                var after: String?
                repeat {
                    let page = try await falcon.combinedRows(filter, limit: 500, after: after)
                    for row in page.rows where !row.isDeleted {
                        found.insert(TriageIndicator(kind: kind, value: row.value.lowercased()))
                    }
                    after = page.rows.isEmpty || page.after == after ? nil : page.after
                } while after != nil
            }
        }
        return indicators.filter { found.contains($0) }
    }

    /// Agent ids of all hosts that ran one of the files.
    func hosts(thatRan hashes: [String]) async throws(FalconError) -> [String] {
        var hosts: Set<String> = []
        for hash in hashes {
            var offset: String?
            repeat {
                do throws(FalconError) {
                    let page = try await falcon.devicesRanOn(type: "sha256", value: hash, offset: offset)
                    hosts.formUnion(page.rows)
                    offset = page.rows.isEmpty || page.after == offset ? nil : page.after
                } catch {
                    // Nobody has seen that file.
                    guard case .notFound = error else { throw error }
                    offset = nil
                }
            } while offset != nil && hosts.count < Self.maxHosts
        }
        return hosts.sorted()
    }

    /// More are not acted on: a file that is everywhere is no incident.
    private static let maxHosts = 5000
}

extension EffectKey {
    /// What is changed: the id of an alert, a file or a host, or the value of an indicator.
    var subject: String {
        let rest = text.drop { $0 != ":" }.dropFirst()
        return text.hasPrefix("ioc:") ? String(rest.drop { $0 != ":" }.dropFirst()) : String(rest)
    }
}

extension Effect {
    /// A word for it in metrics and history.
    var name: String {
        switch self {
        case .alertUpdate: "alert_update"
        case .createIndicators: "ioc_create"
        case .quarantineUpdate: "quarantine_update"
        case .contain: "contain"
        case .createCase: "case_create"
        }
    }

    static let names = ["alert_update", "ioc_create", "quarantine_update", "contain", "case_create"]

    /// What it does, with its reason, in a line.
    var summary: String {
        switch self {
        case .alertUpdate(_, let comment, let status, _):
            "\(name)\(status.map { " \($0)" } ?? ""): \(comment.split(separator: "\n").first ?? "")"
        case .createIndicators(_, let description): "\(name): \(description)"
        case .quarantineUpdate(_, let action, let comment): "\(name) \(action): \(comment)"
        case .contain(_, let note): "\(name): \(note)"
        case .createCase(let made, _): "\(name): \(made.title)"
        }
    }

    /// At most so many of its keys.
    func first(_ count: Int) -> Effect {
        let chosen = Set(keys.prefix(count))
        return part { chosen.contains($0) } ?? self
    }
}

extension TriageIndicator {
    /// As Falcon is given it. Source: VMRay, 4.
    fileprivate func request(_ description: String) -> JSONValue {
        [
            "type": .string(kind.name), "value": .string(value), "action": .string(action), "severity": "high",
            "platforms": ["mac", "windows", "linux"], "applied_globally": true, "tags": ["VMRAY"],
            "description": .string(description),
        ]
    }
}

extension TriagePolicy.CaseAPI {
    fileprivate var otherWay: String {
        switch self {
        case .messageCenter: "The message center is for Falcon Complete: set VMRAY_CASE_API to cases otherwise."
        case .cases: "Where the tenant has no cases, set VMRAY_CASE_API to message_center."
        }
    }
}
