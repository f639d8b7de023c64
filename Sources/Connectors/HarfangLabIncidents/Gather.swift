// SPDX-License-Identifier: Apache-2.0

import Base
import HarfangLab
import JSON
import Synchronization

/// Finds the rules behind security events. What was found is kept for the run, so that a thousand events of one rule cost
/// one look-up; what was not found is asked again by the next run.
final class RuleFinder: Sendable {
    private let console: HarfangLabClient
    private let concurrency: Int
    /// Most answers that are kept: a run of more rules asks some of them twice.
    private let capacity: Int
    private let known = Mutex<[String: AlertRule?]>([:])

    init(_ console: HarfangLabClient, concurrency: Int, capacity: Int = 10_000) {
        self.console = console
        self.capacity = capacity
        self.concurrency = concurrency
    }

    /// A new run begins: rules may have changed meanwhile.
    func forget() { known.withLock { $0 = [:] } }

    /// What came of a look-up: the rule, `nil` where there is none, or why the console won't ever say.
    typealias Answer = Result<AlertRule?, HarfangLabError>

    /// The rule of each event in their order, up to the first whose look-up failed for the moment: behind it nothing may
    /// be sent yet.
    func rules(of alerts: [Alert]) async -> (found: [Answer], failure: HarfangLabError?) {
        // Of this page apart from what is kept: that may be forgotten at any moment.
        var answers: [String: Answer] = [:]
        var unknown: [String: Alert] = [:]
        for alert in alerts {
            let key = Self.key(alert)
            if let rule = known.withLock({ $0[key] }) { answers[key] = .success(rule) } else { unknown[key] = alert }
        }
        await withTaskGroup(of: (String, Answer).self) { group in
            var rest = unknown.map { (key: $0.key, alert: $0.value) }[...]
            func add() {
                guard let (key, alert) = rest.popFirst() else { return }
                group.addTask { (key, await self.find(alert)) }
            }
            for _ in 0..<concurrency { add() }
            while let (key, answer) = await group.next() {
                answers[key] = answer
                if case .success(let rule) = answer { keep(rule, key) }
                add()
            }
        }
        var found: [Answer] = []
        for alert in alerts {
            guard let answer = answers[Self.key(alert)] else { break }
            if case .failure(let error) = answer, !error.isAboutSubject { return (found, error) }
            found.append(answer)
        }
        return (found, nil)
    }

    private func keep(_ rule: AlertRule?, _ key: String) {
        known.withLock { known in
            if known.count >= capacity { known = [:] }
            known[key] = .some(rule)
        }
    }

    /// Events of one key have one rule.
    private static func key(_ alert: Alert) -> String {
        switch alert.type {
        case "ioc": "ioc \(alert.iocCandidates.joined(separator: "\u{0}"))"
        case "yara": "yara \(alert.yaraName)"
        default: "\(alert.type) \(alert.ruleName)"
        }
    }

    private func find(_ alert: Alert) async -> Answer {
        do throws(HarfangLabError) {
            switch alert.type {
            case "ioc": return .success(try await findIOC(alert))
            case "sigma":
                guard !alert.ruleName.isEmpty else { return .success(nil) }
                return .success(
                    try await console.sigmaRules(titled: alert.ruleName).first.map { Self.rule($0, "sigma") })
            case "yara": return .success(try await findYARA(alert.yaraName))
            default: return .success(nil)
            }
        } catch {
            return .failure(error)
        }
    }

    private func findIOC(_ alert: Alert) async throws(HarfangLabError) -> AlertRule? {
        for value in alert.iocCandidates {
            guard let rule = try await console.iocRules(value: value).first else { continue }
            return .ioc(type: rule.type, value: rule.value, created: rule.created, updated: rule.updated)
        }
        return nil
    }

    private func findYARA(_ name: String) async throws(HarfangLabError) -> AlertRule? {
        guard !name.isEmpty else { return nil }
        if let file = try await console.yaraFiles(named: name).first { return Self.rule(file, "yara") }
        // The event may name the rule instead of its file.
        return try await console.searchYARAFiles(name).first { $0.ruleNames.contains(name) }
            .map { Self.rule($0, "yara") }
    }

    private static func rule(_ rule: ContentRule, _ kind: String) -> AlertRule {
        .content(
            kind: kind, name: rule.name, content: rule.content, tags: rule.techniqueTags, created: rule.created,
            updated: rule.updated)
    }
}
