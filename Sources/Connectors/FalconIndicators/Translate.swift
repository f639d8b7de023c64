// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Engine
import JSON
import OpenCTI
import STIX

/// An OpenCTI event in, an item with its effects out. Pure: no network, no log; the only clock is the moment at which the
/// event was first seen.
///
/// Not `Sendable`: it keeps a JSON parser. One belongs to one reader.
final class IndicatorTranslator: StreamTranslator {
    struct Policy: Sendable {
        var actionOnIP = IOCAction.detect
        var actionOnDomain = IOCAction.detect
        var actionOnHash = IOCAction.detect
        var isMobileActive = false
        /// What the tenant takes: action → type → platforms. Empty: not known, everything passes.
        var tenantPlatforms: [String: [String: IOCPlatforms]] = [:]

        func action(for type: IOCType) -> IOCAction {
            switch type {
            case .domain: actionOnDomain
            case .ipv4, .ipv6: actionOnIP
            case .md5, .sha256: actionOnHash
            }
        }
    }

    /// What an event says besides its values.
    private struct Facts {
        let severity: IOCSeverity
        let platforms: IOCPlatforms
        let description: String
        let expiration: IOCContent.Expiration
        let tags: [String]
        let isRemoval: Bool
    }

    private let policy: Policy
    private let model: IOCModel
    private let parser = JSONParser(limits: JSONLimits())

    init(_ policy: Policy, model: IOCModel) {
        self.policy = policy
        self.model = model
    }

    /// - Parameters:
    ///   - kind: the name of the server-sent event, which decides; never the `type` inside.
    ///   - data: the text of its data line.
    ///   - item: position and group are set; effects, source, time and notes are filled in here.
    ///   - now: when it was first seen; what has expired by then is a removal.
    func translate(_ kind: StreamFrame.Kind, _ data: UnsafeRawBufferPointer, into item: inout Item, now: Instant) {
        do {
            try parser.withDocument(data) { root in
                let envelope = try StreamEnvelope(root)
                guard envelope.isIndicator else {
                    item.note = .init(
                        .skipped, code: "not_an_indicator", reason: envelope.objectType ?? "no type", isQuiet: true)
                    return
                }
                guard kind == .create || kind == .update || kind == .delete else {
                    item.note = .init(.skipped, code: "event", reason: "nothing follows from \(item.label)")
                    return
                }
                guard let event = try IndicatorEvent(envelope) else { return }
                item.source = model.source(event.stableID)
                if let changed = event.updatedAt { item.time = changed }
                guard event.isSTIXPattern else {
                    item.note = .init(.skipped, code: "pattern_type", reason: event.patternType)
                    return
                }
                try translate(event, kind, into: &item, now: now)
            }
        } catch let error as PatternError {
            bury(&item, error.code, error.description)
        } catch let error as any ActionableError {
            bury(&item, error.code, error.description)
        } catch {
            bury(&item, "event.unreadable", "The event can't be read. It is kept aside and the stream goes on.")
        }
    }

    private func bury(_ item: inout Item, _ code: ErrorCode, _ reason: String) {
        item.effects = []
        item.replacesSource = false
        item.note = .init(.deadLettered, code: code.text, reason: reason)
    }

    private func translate(
        _ event: IndicatorEvent, _ kind: StreamFrame.Kind, into item: inout Item, now: Instant
    ) throws {
        let extracted = try event.withPattern { bytes throws(PatternError) in
            try PatternParser.observables(in: bytes)
        }
        guard let extracted else { return }
        let isRemoval = kind == .delete || event.isRevoked || event.validUntil.map { $0 <= now } ?? false
        let facts = facts(of: event, isRemoval: isRemoval, now: now)
        guard isRemoval || !facts.platforms.isEmpty else {
            // What stands at Falcon stays: nothing says that the value is no longer wanted.
            item.effects = [
                .skip(code: "no_platform", reason: (event.platforms ?? []).joined(separator: ", "))
            ]
            return
        }
        item.replacesSource = true
        item.removal = content(.domain, "", facts).encoded
        var named: Set<Digest128> = []
        for observable in extracted.observables {
            guard let effect = effect(for: observable, facts, &named) else { continue }
            item.effects.append(effect)
        }
        for skipped in extracted.skipped {
            item.effects.append(.skip(code: "pattern.\(skipped.reason.label)", reason: skipped.description))
        }
        addFormerValues(of: event, facts, named, to: &item)
        if item.effects.isEmpty {
            item.note = .init(.skipped, code: "no_value", reason: "the pattern names no value")
        }
    }

    private func effect(for observable: Observable, _ facts: Facts, _ named: inout Set<Digest128>) -> Effect? {
        guard let type = IOCType(observable.type) else {
            // The name of a file is a condition of its hash, not a value of its own.
            if observable.type == .fileName { return .skip(code: "unsupported_type", reason: "file-name") }
            return .skip(code: "unsupported_type", reason: observable.type.description)
        }
        guard type != .domain || observable.value.utf8.count <= 200 else {
            return .skip(code: "pattern.invalid_value", reason: "a domain of more than 200 characters")
        }
        let key = model.key(type, observable.value)
        guard named.insert(key).inserted else { return nil }
        var content = content(type, observable.value, facts)
        content.fileName = type.isHash ? observable.fileName ?? "" : ""
        if facts.isRemoval { return .state(key: key, .remove(content.encoded)) }
        guard let allowed = allowedPlatforms(content) else {
            return .skip(code: "no_platform", reason: "the tenant takes \(type) on none of them")
        }
        content.platforms = allowed
        return .state(key: key, .upsert(content.encoded))
    }

    /// Values that an edit took out of the pattern, as the event's reverse patch tells them: for an indicator whose
    /// history the ledger does not know. What it does know it takes out by itself.
    private func addFormerValues(of event: IndicatorEvent, _ facts: Facts, _ named: Set<Digest128>, to item: inout Item)
    {
        guard let former = try? event.previous(), let extracted = try? PatternParser.observables(in: former.pattern)
        else { return }
        var named = named
        for observable in extracted.observables {
            guard let type = IOCType(observable.type) else { continue }
            let key = model.key(type, observable.value)
            guard named.insert(key).inserted else { continue }
            item.effects.append(.state(key: key, .remove(content(type, observable.value, facts).encoded)))
        }
    }

    private func content(_ type: IOCType, _ value: String, _ facts: Facts) -> IOCContent {
        let action = policy.action(for: type)
        return IOCContent(
            // Falcon keeps no severity with `allow`, so none may make a difference there.
            type: type, value: value, action: action, severity: action == .allow ? .medium : facts.severity,
            platforms: facts.platforms, description: facts.description, expiration: facts.expiration, tags: facts.tags,
            fileName: "")
    }

    private func allowedPlatforms(_ content: IOCContent) -> IOCPlatforms? {
        guard let byType = policy.tenantPlatforms[content.action.description],
            let tenant = byType[content.type.description], !tenant.isEmpty
        else { return content.platforms }
        let allowed = content.platforms.intersection(tenant)
        return allowed.isEmpty ? nil : allowed
    }

    // MARK: Fields

    private func facts(of event: IndicatorEvent, isRemoval: Bool, now: Instant) -> Facts {
        let expiration: IOCContent.Expiration
        switch event.validUntil {
        case nil: expiration = .none
        // A past expiration may be refused: a removal leaves the one that stands.
        case let end? where isRemoval && end <= now: expiration = .asItIs
        // Falcon may keep whole seconds only: a fraction would look like drift.
        case let end?: expiration = .at(Instant(milliseconds: end.milliseconds / 1000 * 1000))
        }
        return Facts(
            severity: Self.severity(event.score), platforms: platforms(event.platforms),
            description: event.description ?? "", expiration: expiration, tags: IOCContent.ordered(event.labels),
            isRemoval: isRemoval)
    }

    /// Lower bounds 20, 40, 60, 80; clamped to 0…100; a text is read as a number; medium when there is none.
    static func severity(_ score: JSONElement?) -> IOCSeverity {
        guard let score, let number = score.double ?? score.string.flatMap({ Double($0) }), !number.isNaN else {
            return .medium
        }
        switch number {
        case ..<20: return .informational
        case ..<40: return .low
        case ..<60: return .medium
        case ..<80: return .high
        default: return .critical
        }
    }

    /// Empty when OpenCTI names platforms and none of them is one of Falcon's.
    private func platforms(_ names: [String]?) -> IOCPlatforms {
        guard let names, !names.isEmpty else { return .standard }
        var platforms: IOCPlatforms = []
        for name in names {
            switch name.lowercased() {
            case "windows": platforms.insert(.windows)
            case "macos", "mac": platforms.insert(.mac)
            case "linux": platforms.insert(.linux)
            case "android": if policy.isMobileActive { platforms.insert(.android) }
            case "ios": if policy.isMobileActive { platforms.insert(.ios) }
            default: break
            }
        }
        return platforms
    }
}
