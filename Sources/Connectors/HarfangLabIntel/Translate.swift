// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import HarfangLab
import JSON
import OpenCTI
import STIX

/// An indicator's state in, effects out. Pure: the platform's and the compiler's answers are arguments.
struct IntelTranslator: Sendable {
    let maturity: RuleMaturity
    let skipsNameWithHash: Bool
    let model: RuleModel

    /// What was looked up for an event.
    struct Facts: Sendable {
        /// As the platform has the indicator now; `nil` when it is gone.
        var current: IndicatorFacts?
        /// Why a Sigma or YARA rule is not usable; `nil` when it is.
        var problem: (any ActionableError)?
        /// Whether the ledger knows something of the indicator.
        var isKnown = false
    }

    func translate(_ draft: Draft, _ facts: Facts, into item: inout Item, now: Instant) {
        guard let indicator = facts.current ?? draft.event else {
            if case .unlink(let observable) = draft.action {
                unlink(observable, of: draft, nil, into: &item)
                return
            }
            item.note = .init(.skipped, code: "indicator_gone", reason: "the platform no longer has \(draft.stixID)")
            return
        }
        item.source = model.source(indicator.internalID)
        if case .unlink(let observable) = draft.action {
            unlink(observable, of: draft, indicator, into: &item)
            return
        }
        var reason: (code: String, text: String)?
        if indicator.isRevoked || draft.event?.isRevoked == true {
            reason = ("revoked", "revoked in OpenCTI")
        } else if let end = indicator.validUntil ?? draft.event?.validUntil, end <= now {
            reason = ("expired", "ended \(end)")
        }
        let isRemoval = if case .remove = draft.action { true } else { reason != nil }
        switch indicator.patternType.lowercased() {
        case "stix":
            isRemoval
                ? removeValues(of: indicator, draft, facts, into: &item)
                : upsertValues(of: indicator, draft, into: &item)
        case "sigma", "yara":
            isRemoval
                ? removeRule(of: indicator, draft, into: &item)
                : upsertRule(of: indicator, draft, facts, into: &item)
        default: item.note = .init(.skipped, code: "ignored_pattern_type", reason: indicator.patternType)
        }
        if let reason { item.effects.append(.skip(code: reason.code, reason: reason.text)) }
    }

    // MARK: Values

    private func upsertValues(of indicator: IndicatorFacts, _ draft: Draft, into item: inout Item) {
        let items: RuleItems
        do throws(PatternError) {
            items = try RuleItems(
                pattern: indicator.pattern, observables: indicator.observables, skipsNameWithHash: skipsNameWithHash)
        } catch {
            item.note = .init(.deadLettered, code: "pattern_unparsable", reason: error.description)
            return
        }
        item.replacesSource = true
        item.removal = template(of: indicator, draft).encoded
        for subject in items.subjects {
            var content = RuleContent(subject)
            content.text = indicator.description
            content.comment = OwnerComment.text(
                indicator: indicator.stixID, score: indicator.score, platforms: indicator.platforms)
            content.maturity = maturity
            content.end = indicator.validUntil?.milliseconds ?? 0
            item.effects.append(.state(key: model.key(subject), .upsert(content.encoded)))
        }
        addFormerValues(of: indicator, draft, but: items.subjects, to: &item)
        note(items, in: &item)
    }

    private func removeValues(
        of indicator: IndicatorFacts, _ draft: Draft, _ facts: Facts, into item: inout Item
    ) {
        item.replacesSource = true
        item.removal = template(of: indicator, draft).encoded
        var subjects: [RuleSubject] = []
        func add(_ items: RuleItems?) {
            for subject in items?.subjects ?? [] where !subjects.contains(subject) { subjects.append(subject) }
        }
        let items = try? RuleItems(pattern: indicator.pattern, observables: indicator.observables)
        add(items)
        // The event shows it as it last was in the stream, which may be older or newer than the platform's answer.
        if let event = draft.event, event.pattern != indicator.pattern {
            add(try? RuleItems(pattern: event.pattern, observables: []))
        }
        for subject in subjects { item.effects.append(remove(subject, of: indicator, draft)) }
        addFormerValues(of: indicator, draft, but: subjects, to: &item)
        if let items {
            note(items, in: &item)
        } else {
            item.effects.append(.skip(code: "pattern_unparsable", reason: "its values are found by the ledger alone"))
        }
        if facts.current == nil, !facts.isKnown {
            // Rules of observables that were linked to it: nobody but the console knows them.
            var leftovers = RuleContent(.leftovers(draft.stixID))
            leftovers.owners = owners(indicator, draft)
            item.effects.append(.state(key: model.key(leftovers.subject), .remove(leftovers.encoded)))
        }
    }

    /// Values that an edit took out of the pattern, for an indicator whose history the ledger does not know.
    private func addFormerValues(
        of indicator: IndicatorFacts, _ draft: Draft, but kept: [RuleSubject], to item: inout Item
    ) {
        guard let pattern = draft.formerPattern, let former = try? RuleItems(pattern: pattern, observables: [])
        else { return }
        let keys = Set(kept.map { model.key($0) })
        for subject in former.subjects where !keys.contains(model.key(subject)) {
            item.effects.append(remove(subject, of: indicator, draft))
        }
    }

    private func unlink(
        _ observable: IndicatorRecord.LinkedObservable, of draft: Draft, _ indicator: IndicatorFacts?,
        into item: inout Item
    ) {
        if let indicator, indicator.patternType.lowercased() != "stix" {
            item.note = .init(.skipped, code: "ignored_pattern_type", reason: indicator.patternType)
            return
        }
        let others = (indicator?.observables ?? []).filter { $0.id != observable.id }
        let wanted = indicator.flatMap { try? RuleItems(pattern: $0.pattern, observables: others) }
        guard let type = RuleItems.type(of: observable) else {
            item.note = .init(.skipped, code: "unsupported_observable", reason: observable.type)
            return
        }
        let subject = RuleSubject.ioc(type, observable.value)
        guard wanted?.subjects.contains(where: { model.key($0) == model.key(subject) }) != true else {
            item.note = .init(.skipped, code: "still_in_pattern", reason: "the indicator still names the value")
            return
        }
        item.effects = [
            remove(subject, of: indicator ?? IndicatorFacts(stixID: draft.stixID, internalID: draft.stixID), draft)
        ]
    }

    private func note(_ items: RuleItems, in item: inout Item) {
        for skipped in items.skipped { item.effects.append(.skip(code: skipped.code, reason: skipped.reason)) }
        if item.effects.isEmpty {
            item.note = .init(.skipped, code: "no_value", reason: "neither pattern nor observables name a value")
        }
    }

    // MARK: Rules

    private func subject(_ indicator: IndicatorFacts, _ name: String) -> RuleSubject {
        let name = Self.ruleName(name)
        return indicator.patternType.lowercased() == "sigma" ? .sigma(name) : .yara(name)
    }

    private func upsertRule(
        of indicator: IndicatorFacts, _ draft: Draft, _ facts: Facts, into item: inout Item
    ) {
        if let problem = facts.problem {
            item.note = .init(.deadLettered, code: problem.code.text, reason: problem.description)
            return
        }
        var content = RuleContent(subject(indicator, indicator.name))
        guard !content.subject.text.isEmpty else {
            item.note = .init(.deadLettered, code: "rule.name", reason: "The rule has no name.")
            return
        }
        content.text = indicator.pattern
        content.maturity = maturity
        content.end = indicator.validUntil?.milliseconds ?? 0
        if let former = draft.formerName.map(Self.ruleName), former != content.subject.text {
            content.formerName = former
            content.owners = [indicator.internalID]
        }
        item.replacesSource = true
        var template = template(of: indicator, draft)
        // Whatever this indicator owns under another name goes on under this one.
        template.isRenamed = true
        template.subject = content.subject
        item.removal = template.encoded
        item.effects = [.state(key: model.key(content.subject), .upsert(content.encoded))]
    }

    private func removeRule(of indicator: IndicatorFacts, _ draft: Draft, into item: inout Item) {
        item.replacesSource = true
        item.removal = template(of: indicator, draft).encoded
        item.effects = [remove(subject(indicator, indicator.name), of: indicator, draft)]
    }

    /// A rule's name as the console takes it: trimmed, and beyond its 100 characters the first 99, as the first original
    /// cut it.
    static func ruleName(_ name: String) -> String {
        func trimmed(_ text: Substring) -> Substring {
            var text = text
            while text.first?.isWhitespace ?? false { text.removeFirst() }
            while text.last?.isWhitespace ?? false { text.removeLast() }
            return text
        }
        let whole = trimmed(name[...])
        return String(whole.unicodeScalars.count > 100 ? trimmed(Self.prefix(whole, 99)) : whole)
    }

    // In the console's characters, which are code points.
    private static func prefix(_ text: Substring, _ count: Int) -> Substring {
        let end = text.unicodeScalars.index(text.startIndex, offsetBy: count)
        return Substring(text.unicodeScalars[..<end])
    }

    // MARK: Common

    private func owners(_ indicator: IndicatorFacts, _ draft: Draft) -> [String] {
        var owners = [indicator.stixID]
        for id in [draft.stixID, draft.formerID, draft.event?.stixID] {
            if let id, !owners.contains(id) { owners.append(id) }
        }
        return owners
    }

    private func template(of indicator: IndicatorFacts, _ draft: Draft) -> RuleContent {
        var content = RuleContent(.ioc(.url, ""))
        content.owners = owners(indicator, draft)
        return content
    }

    private func remove(_ subject: RuleSubject, of indicator: IndicatorFacts, _ draft: Draft) -> Effect {
        var content = RuleContent(subject)
        content.owners = owners(indicator, draft)
        content.maturity = maturity
        return .state(key: model.key(subject), .remove(content.encoded))
    }
}
