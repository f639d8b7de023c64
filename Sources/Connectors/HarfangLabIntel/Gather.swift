// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Engine
import JSON
import OpenCTI
import Storage
import Telemetry

/// Reads the stream's events, looks up what each needs, and hands both to the pure translation.
///
/// Not `Sendable`: it keeps a JSON parser and the drafts of the batch at hand. One belongs to one reader.
final class IntelGather: StreamTranslator {
    struct Parts: Sendable {
        var platform: OpenCTIClient
        var checker: any RuleChecking
        var store: any StateStore
        var flow: Int64
        var target: Int64
        var time: any TimeSource
        var status: FlowStatus
        var log: Log
        /// Reads of the platform under way at once.
        var concurrency = 8
    }

    private let translator: IntelTranslator
    private let parts: Parts
    private let parser = JSONParser(limits: JSONLimits())
    /// Of the batch at hand, in the order of its items that are still pending.
    private var drafts: [Draft] = []

    /// Stands in an item between the two steps.
    private static let pending = "gather.pending"

    init(_ translator: IntelTranslator, _ parts: Parts) {
        self.translator = translator
        self.parts = parts
    }

    // MARK: Events

    func translate(_ kind: StreamFrame.Kind, _ data: UnsafeRawBufferPointer, into item: inout Item, now: Instant) {
        do {
            try parser.withDocument(data) { root in
                let envelope = try StreamEnvelope(root)
                guard kind == .create || kind == .update || kind == .delete else {
                    item.note = .init(.skipped, code: "event", reason: "nothing follows from \(item.label)")
                    return
                }
                guard let draft = try Self.draft(kind, envelope) else {
                    item.note = .init(
                        .skipped, code: "ignored_type", reason: envelope.objectType ?? "no type", isQuiet: true)
                    return
                }
                if let changed = envelope.object.octiAttribute("updated_at")?.withUTF8({ Instant(parsing: $0) }) ?? nil
                {
                    // A live event's own id tells two changes within one `updated_at` apart; a recovery's id is no time
                    // of a change.
                    item.time = envelope.origin == .live ? max(changed, item.time) : changed
                }
                item.source = translator.model.source(draft.event?.internalID ?? draft.stixID)
                item.note = .init(.skipped, code: Self.pending, reason: "", isQuiet: true)
                drafts.append(draft)
            }
        } catch let error as any ActionableError {
            item.note = .init(.deadLettered, code: error.code.text, reason: error.description)
        } catch {
            item.note = .init(
                .deadLettered, code: "event.unreadable",
                reason: "The event can't be read. It is kept aside and the stream goes on.")
        }
    }

    /// - Returns: `nil` for what no rule depends on.
    private static func draft(_ kind: StreamFrame.Kind, _ envelope: StreamEnvelope) throws -> Draft? {
        if envelope.object["type"]?.equals("relationship") ?? false { return relation(kind, envelope) }
        guard let event = try IndicatorEvent(envelope) else { return nil }
        var draft = Draft(action: kind == .delete ? .remove : .upsert, stixID: event.stixID, event: .init(event))
        if let former = try? event.previous() {
            if former.pattern != event.pattern { draft.formerPattern = former.pattern }
            if former.stixID != event.stixID { draft.formerID = former.stixID }
        }
        envelope.root["context"]?["reverse_patch"]?.forEachElement { change in
            guard change["path"]?.equals("/name") ?? false, change["op"]?.equals("replace") ?? false else { return }
            draft.formerName = change["value"]?.string
        }
        return draft
    }

    private static func relation(_ kind: StreamFrame.Kind, _ envelope: StreamEnvelope) -> Draft? {
        let object = envelope.object
        guard object["relationship_type"]?.equals("based-on") ?? false, let source = object["source_ref"]?.string,
            source.hasPrefix("indicator--")
        else { return nil }
        guard kind == .delete else { return Draft(action: .upsert, stixID: source, event: nil) }
        let observable = IndicatorRecord.LinkedObservable(
            id: object.octiAttribute("target_ref")?.string ?? "",
            type: object.octiAttribute("target_type")?.string ?? "",
            value: object.octiAttribute("target_value")?.string ?? "")
        return Draft(action: .unlink(observable), stixID: source, event: nil)
    }

    // MARK: Facts

    func complete(_ items: inout [Item], now: Instant) async throws {
        let drafts = drafts
        self.drafts = []
        guard !drafts.isEmpty else { return }
        let current = try await read(Set(drafts.map(\.stixID)))
        let known = try await knownSources(drafts, current)
        var next = 0
        for index in items.indices where items[index].note?.code == Self.pending {
            guard next < drafts.count else { break }
            let draft = drafts[next]
            next += 1
            items[index].note = nil
            var facts = IntelTranslator.Facts(current: current[draft.stixID] ?? nil)
            let id = facts.current?.internalID ?? draft.event?.internalID ?? draft.stixID
            facts.isKnown = known.contains(translator.model.source(id))
            if case .upsert = draft.action, let indicator = facts.current ?? draft.event {
                facts.problem = await problem(of: indicator)
            }
            translator.translate(draft, facts, into: &items[index], now: now)
        }
    }

    /// The indicators as the platform has them now; `nil` for those that are gone. Waits as long as it takes: without
    /// the answer a deletion and an edit look the same.
    private func read(_ ids: Set<String>) async throws -> [String: IndicatorFacts?] {
        let parts = parts
        var found: [String: IndicatorFacts?] = [:]
        try await withThrowingTaskGroup(of: (String, IndicatorFacts?).self) { group in
            var rest = ids.sorted()[...]
            func add() {
                guard let id = rest.popFirst() else { return }
                group.addTask { (id, try await Self.read(id, parts)) }
            }
            for _ in 0..<parts.concurrency { add() }
            while let (id, facts) = try await group.next() {
                found[id] = .some(facts)
                add()
            }
        }
        return found
    }

    @concurrent
    private static func read(_ id: String, _ parts: Parts) async throws -> IndicatorFacts? {
        var wait = Duration.seconds(1)
        while true {
            do throws(OpenCTIError) {
                let record = try await parts.platform.indicator(id, withObservables: true)
                if wait > .seconds(1) { parts.status.source(trouble: nil) }
                return record.map { IndicatorFacts($0) }
            } catch {
                parts.status.source(trouble: "\(error.code): \(error.description)")
                parts.log.warning(
                    "An indicator can't be read; waiting", .field("error.code", error.code), .field("wait", wait),
                    .cause(error))
                try await parts.time.sleep(for: wait)
                wait = min(wait * 2, .seconds(60))
            }
        }
    }

    /// Which indicators that are gone the ledger knows something of: one look-up a batch.
    private func knownSources(
        _ drafts: [Draft], _ current: [String: IndicatorFacts?]
    ) async throws -> Set<Digest128> {
        let gone = drafts.filter { (current[$0.stixID] ?? nil) == nil }.compactMap { $0.event?.internalID }
        guard !gone.isEmpty else { return [] }
        let sources = Set(gone.map { translator.model.source($0) })
        let entries = try await parts.store.lookUp(
            LedgerQuery(target: parts.target, flow: parts.flow, sources: Array(sources), keys: []))
        return Set(entries.flatMap { $0.owners.filter { $0.flow == parts.flow }.map(\.source) })
    }

    private func problem(of indicator: IndicatorFacts) async -> (any ActionableError)? {
        switch indicator.patternType.lowercased() {
        case "sigma": await parts.checker.problem(ofSigma: indicator.pattern)
        case "yara": await parts.checker.problem(ofYARA: indicator.pattern)
        default: nil
        }
    }
}
