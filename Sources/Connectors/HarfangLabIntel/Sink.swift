// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import HTTPClient
import HarfangLab
import JSON
import OpenCTI
import Storage
import Telemetry

/// Writes rules to a console: one call a rule, as its API has no bulk form; the rules of a batch go out side by side.
///
/// A create looks the rule up first, because an original may have made it; a rule that the ledger knows is written by its
/// id without a look-up.
///
/// Source: HarfangLab ↔ OpenCTI, 2.4, 2.5 and 2.8.
struct RuleSink: FlowSink {
    /// Where the ledger stands, for what is removed without it.
    struct Ledger: Sendable {
        var store: any StateStore
        var flow: Int64
        var target: Int64
    }

    let console: HarfangLabClient
    /// Our list of each kind.
    let sources: [RuleKind: String]
    let model: RuleModel
    let ledger: Ledger
    let platform: PlatformHolders
    /// Calls of one batch under way at once.
    let concurrency: Int
    let readsBack: Bool
    let turns = KeyTurns()
    let log: Log

    func deliver(_ batch: OperationBatch) async -> [OperationResult] {
        var results = [OperationResult](
            repeating: .refused(code: "harfanglab.content", reason: "the ledger's content can't be read"),
            count: batch.operations.count)
        var rules: [(Int, Operation, RuleContent)] = []
        var leftovers: [(Int, Operation, RuleContent)] = []
        for (index, operation) in batch.operations.enumerated() {
            guard let content = RuleContent(encoded: operation.content) else { continue }
            if case .leftovers = content.subject {
                leftovers.append((index, operation, content))
            } else {
                rules.append((index, operation, content))
            }
        }
        await deliver(rules, &results)
        // What an event itself names is gone by now, so that the search finds only what it does not name.
        for (index, _, content) in leftovers { results[index] = await removeLeftovers(content) }
        return results
    }

    private func deliver(_ rules: [(Int, Operation, RuleContent)], _ results: inout [OperationResult]) async {
        await withTaskGroup(of: (Int, OperationResult).self) { group in
            var rest = rules[...]
            func add() {
                guard let (index, operation, content) = rest.popFirst() else { return }
                group.addTask { (index, await deliver(operation, content)) }
            }
            for _ in 0..<concurrency { add() }
            while let (index, result) = await group.next() {
                results[index] = result
                add()
            }
        }
    }

    @concurrent
    private func deliver(_ operation: Operation, _ content: RuleContent) async -> OperationResult {
        let key = model.key(content.subject).description
        await turns.enter(key)
        let result: OperationResult
        do throws(HarfangLabError) {
            result = try await apply(operation, content)
        } catch {
            result = Self.result(of: error)
        }
        await turns.leave(key)
        return result
    }

    private func apply(_ operation: Operation, _ content: RuleContent) async throws(HarfangLabError) -> OperationResult
    {
        guard let source = sources[content.subject.kind] else {
            throw .configuration("There is no source list for \(content.subject.kind.rawValue) rules.")
        }
        if operation.isMark { return try await disable(content, in: source) }
        switch operation.kind {
        case .create: return .applied(remoteID: try await create(content, in: source))
        case .update:
            guard !operation.remoteID.isEmpty else { return .applied(remoteID: try await create(content, in: source)) }
            do throws(HarfangLabError) {
                try await update(operation.remoteID, content, in: source)
                return .applied(remoteID: operation.remoteID)
            } catch {
                if case .notFound = error { return .missing }
                throw error
            }
        case .delete:
            // It goes on under another name, and was written there.
            if content.isRenamed { return .applied(remoteID: "") }
            if operation.remoteID.isEmpty { return try await removeUnknown(content, in: source) }
            do throws(HarfangLabError) {
                try await delete(operation.remoteID, content.subject.kind)
                return .applied(remoteID: "")
            } catch {
                if case .notFound = error { return .missing }
                throw error
            }
        }
    }

    // MARK: Rules

    /// What the console holds of a subject.
    private struct Stored {
        let id: String
        let isEnabled: Bool
        let comment: JSONValue
        /// All its fields that we ever write.
        let body: JSONValue
        let disabled: JSONValue
    }

    private func find(_ subject: RuleSubject, in source: String) async throws(HarfangLabError) -> Stored? {
        switch subject {
        case .ioc(let type, let value):
            return try await console.iocRule(source: source, type: type.description, value: value)
                .map { Self.stored($0, source) }
        case .sigma(let name), .yara(let name):
            let rule = try await console.contentRule(subject.kind, source: source, named: name)
            return rule.map { rule in
                Stored(
                    id: rule.id, isEnabled: rule.isEnabled, comment: .null,
                    body: ContentRule.body(
                        source: source, name: rule.name, content: rule.content, maturity: rule.maturity,
                        isEnabled: rule.isEnabled),
                    disabled: rule.disabled(source: source))
            }
        case .leftovers: return nil
        }
    }

    private static func stored(_ rule: IOCRule, _ source: String) -> Stored {
        Stored(
            id: rule.id, isEnabled: rule.isEnabled, comment: rule.comment,
            body: IOCRule.body(
                source: source, type: rule.type, value: rule.value, description: rule.description,
                maturity: rule.maturity, isEnabled: rule.isEnabled, comment: rule.comment),
            disabled: rule.disabled(source: source))
    }

    private func create(_ content: RuleContent, in source: String) async throws(HarfangLabError) -> String {
        let body = content.body(source: source)
        var known: Stored?
        if !content.formerName.isEmpty { known = try await formerRule(of: content, in: source) }
        if known == nil { known = try await find(content.subject, in: source) }
        if let known {
            if known.body != body { try await update(known.id, content, in: source) }
            return known.id
        }
        switch content.subject {
        case .ioc(let type, let value):
            do throws(HarfangLabError) {
                return try await console.createIOCRule(body)
            } catch {
                guard case .alreadyExists = error else { throw error }
                return try await adopt(type, value, content, in: source)
            }
        default:
            let id = try await console.createContentRule(content.subject.kind, body)
            if readsBack, content.subject.kind == .sigma { await readBack(id, content) }
            return id
        }
    }

    /// The console holds the value in another case, which its exact search does not find.
    private func adopt(
        _ type: IOCRuleType, _ value: String, _ content: RuleContent, in source: String
    ) async throws(HarfangLabError) -> String {
        let found = try await console.searchIOCRules(source: source, value)
        guard
            let rule = found.first(where: {
                $0.type == type.description && $0.value.lowercased() == value.lowercased()
            })
        else { return "" }
        var kept = content
        // Its own spelling stays.
        kept.subject = .ioc(type, rule.value)
        if Self.stored(rule, source).body != kept.body(source: source) {
            try await update(rule.id, kept, in: source)
        }
        return rule.id
    }

    /// The rule that a renamed indicator had, unless another indicator still wants it under that name.
    private func formerRule(of content: RuleContent, in source: String) async throws(HarfangLabError) -> Stored? {
        let former: RuleSubject =
            content.subject.kind == .sigma ? .sigma(content.formerName) : .yara(content.formerName)
        let indicator = content.owners.first.map { model.source($0) }
        guard let entry = await entry(former), !entry.owners.contains(where: { $0.source != indicator }) else {
            return nil
        }
        return try await find(former, in: source)
    }

    private func readBack(_ id: String, _ content: RuleContent) async {
        do throws(HarfangLabError) {
            let errors = try await console.contentRule(.sigma, id: id)?.errors ?? []
            guard !errors.isEmpty else { return }
            log.warning(
                "The console holds a Sigma rule that it can't compile", .field("rule", content.subject.text),
                .field("reason", String(errors.joined(separator: "; ").prefix(300))))
        } catch {
            log.warning("A new Sigma rule could not be read back", .field("error.code", error.code), .cause(error))
        }
    }

    private func update(_ id: String, _ content: RuleContent, in source: String) async throws(HarfangLabError) {
        try await write(id, content.body(source: source), content.subject.kind)
    }

    private func write(_ id: String, _ body: JSONValue, _ kind: RuleKind) async throws(HarfangLabError) {
        if kind == .ioc {
            try await console.updateIOCRule(id, body)
        } else {
            try await console.updateContentRule(kind, id, body)
        }
    }

    private func delete(_ id: String, _ kind: RuleKind) async throws(HarfangLabError) {
        if kind == .ioc { try await console.deleteIOCRule(id) } else { try await console.deleteContentRule(kind, id) }
    }

    // MARK: Removals

    /// Switches a rule off that the ledger knows, with all fields as stored.
    private func disable(_ content: RuleContent, in source: String) async throws(HarfangLabError) -> OperationResult {
        guard let stored = try await find(content.subject, in: source) else { return .missing }
        do throws(HarfangLabError) {
            if stored.isEnabled { try await write(stored.id, stored.disabled, content.subject.kind) }
            return .applied(remoteID: stored.id)
        } catch {
            if case .notFound = error { return .missing }
            throw error
        }
    }

    /// Removes a rule that the ledger does not know: its comment says whose it is.
    private func removeUnknown(
        _ content: RuleContent, in source: String
    ) async throws(HarfangLabError) -> OperationResult {
        guard let stored = try await find(content.subject, in: source) else { return .missing }
        if let owner = OwnerComment.indicator(in: stored.comment), !content.owners.contains(owner) {
            log.info(
                "A rule is kept: another indicator owns it", .field("code", "kept_owned_by_other"),
                .field("owner", owner), .field("rule", stored.id))
            return .kept(code: "kept_owned_by_other", reason: "the rule belongs to \(owner)")
        }
        return try await remove(stored, content.subject.kind)
    }

    private func remove(_ stored: Stored, _ kind: RuleKind) async throws(HarfangLabError) -> OperationResult {
        do throws(HarfangLabError) {
            if model.removes {
                try await delete(stored.id, kind)
            } else {
                guard stored.isEnabled else { return .missing }
                try await write(stored.id, stored.disabled, kind)
            }
            return .applied(remoteID: "")
        } catch {
            if case .notFound = error { return .missing }
            throw error
        }
    }

    /// Rules of our list whose comment names an indicator that is gone: those of observables that were linked to it. All
    /// pages are read before anything is removed, because removing shifts them.
    private func removeLeftovers(_ content: RuleContent) async -> OperationResult {
        do throws(HarfangLabError) {
            let source = sources[.ioc] ?? ""
            let found = try await console.searchIOCRules(source: source, content.subject.text)
            var isChanged = false
            for rule in found {
                guard let owner = OwnerComment.indicator(in: rule.comment), content.owners.contains(owner),
                    let type = IOCRuleType.allCases.first(where: { $0.description == rule.type })
                else { continue }
                let subject = RuleSubject.ioc(type, rule.value)
                let key = model.key(subject).description
                await turns.enter(key)
                let result = await removeLeftover(rule, subject, content, source)
                await turns.leave(key)
                switch result {
                case .success(let wasRemoved): isChanged = isChanged || wasRemoved
                case .failure(let error): throw error
                }
            }
            return isChanged ? .applied(remoteID: "") : .missing
        } catch {
            return Self.result(of: error)
        }
    }

    private func removeLeftover(
        _ rule: IOCRule, _ subject: RuleSubject, _ content: RuleContent, _ source: String
    ) async -> Result<Bool, HarfangLabError> {
        // What the ledger knows has owners of its own, and leaves with the last of them.
        guard let entry = await entry(subject), entry.owners.isEmpty, entry.state != .marked else {
            return .success(false)
        }
        do throws(HarfangLabError) {
            return .success(try await remove(Self.stored(rule, source), .ioc) != .missing)
        } catch {
            return .failure(error)
        }
    }

    /// What the ledger holds of a rule.
    private struct Known {
        var owners: [LedgerOwner] = []
        var state: EntryState?
    }

    /// `nil` when the ledger can't be read: then nothing is taken over or away on a guess.
    private func entry(_ subject: RuleSubject) async -> Known? {
        let query = LedgerQuery(
            target: ledger.target, flow: ledger.flow, sources: [], keys: [model.key(subject)])
        do throws(StorageError) {
            return try await ledger.store.lookUp(query).first.map { Known(owners: $0.owners, state: $0.state) }
                ?? Known()
        } catch {
            log.warning("The ledger can't be read", .field("error.code", error.code), .cause(error))
            return nil
        }
    }

    // MARK: Common

    func holding(_ key: Digest128, removal: [UInt8], source: Digest128) async -> FlowCore.Holding {
        guard let content = RuleContent(encoded: removal) else { return .unknown }
        return await platform.holding(content, besides: source)
    }

    /// What a failure means for an operation. What a person must mend, and what passes, is waited for; a refusal of the
    /// rule itself is not.
    static func result(of error: HarfangLabError) -> OperationResult {
        let code = error.code.text
        let reason = error.description
        return switch error {
        case .rateLimited(let wait): .unavailable(after: wait ?? .seconds(5), code: code, reason: reason)
        case .unavailable, .malformed: .retry(after: .seconds(2), code: code, reason: reason)
        case .transport(let cause):
            .unavailable(after: .seconds(cause.isRetryable ? 2 : 30), code: code, reason: reason)
        case .unauthorized, .forbidden, .configuration, .redirected:
            .unavailable(after: .seconds(30), code: code, reason: reason)
        case .notFound: .missing
        // The console's own word for it is what an operator searches for.
        case .contentRefused(let word, _): .refused(code: word, reason: reason)
        case .refused, .alreadyExists: .refused(code: code, reason: reason)
        }
    }
}

/// Asks OpenCTI whether another live indicator names a value, while the ledger does not know all of them yet.
struct PlatformHolders: Sendable {
    let client: OpenCTIClient
    let version: PlatformVersion?
    let model: RuleModel
    let time: any TimeSource

    /// Where the platform can't say, the removal waits for the end of the recovery, which brings every live indicator.
    func holding(_ content: RuleContent, besides source: Digest128) async -> FlowCore.Holding {
        switch content.subject {
        case .ioc(_, let value): await holding(value, model.key(content.subject), besides: source)
        // Names are not searched for, and whose a leftover is shows when every owner is known.
        case .sigma, .yara, .leftovers: .unknown
        }
    }

    private func holding(
        _ value: String, _ key: Digest128, besides source: Digest128
    ) async -> FlowCore.Holding {
        do throws(OpenCTIError) {
            guard let records = try await client.liveIndicators(holding: value, at: time.now, on: version) else {
                return .unknown
            }
            let isHeld = records.contains { record in
                guard model.source(record.id) != source,
                    let items = try? RuleItems(pattern: record.pattern, observables: [])
                else { return false }
                return items.subjects.contains { model.key($0) == key }
            }
            return isHeld ? .held : .free
        } catch {
            return .unknown
        }
    }
}
