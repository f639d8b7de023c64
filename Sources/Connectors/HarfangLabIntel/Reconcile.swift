// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Engine
import HarfangLab
import JSON
import Storage
import Telemetry

extension HarfangLabIntelConnector {
    /// Beside the flow: each hour what has ended without an event leaves, and each day the ledger is compared with the
    /// console.
    func reconcile(_ prepared: Prepared, _ commands: BoundedChannel<FlowCommand>, _ log: Log) async {
        let reconciler = RuleReconciler(
            console: prepared.console, sources: prepared.sources, store: context.store, model: model,
            flow: prepared.beginning.flow, target: prepared.beginning.target, time: context.time)
        var hours = 0
        while !Task.isCancelled {
            do {
                try await context.time.sleep(for: .seconds(3600))
                hours += 1
                let ended = try await reconciler.findEnded { try await commands.send(.read($0)) }
                if ended > 0 { log.info("Indicators have ended without an event", .field("count", ended)) }
                guard hours % 24 == 0 else { continue }
                let drifted = try await reconciler.findDrift { try await commands.send(.observe($0)) }
                log.info("Compared the ledger with the console", .field("drifted", drifted))
            } catch is CancellationError {
                return
            } catch {
                log.warning("Comparing the ledger with the console failed", .cause(error))
            }
        }
    }
}

/// Walks the ledger: what has ended, and what differs from the console.
///
/// Source: HarfangLab ↔ OpenCTI, 2.6.
struct RuleReconciler: Sendable {
    let console: HarfangLabClient
    let sources: [RuleKind: String]
    let store: any StateStore
    let model: RuleModel
    let flow: Int64
    let target: Int64
    let time: any TimeSource

    /// Tells the flow to take away what indicators wanted whose end has come. 250 entries at a time.
    ///
    /// - Returns: how many contributions that were.
    func findEnded(_ tell: ([Item]) async throws -> Void) async throws -> Int {
        var after: Int64 = 0
        var count = 0
        let now = time.now
        while true {
            let page = try await store.entries(target: target, after: after, limit: 250)
            guard let last = page.last else { return count }
            after = last.id
            var items: [Item] = []
            for entry in page {
                for owner in entry.owners where owner.flow == flow {
                    guard let content = RuleContent(encoded: owner.contribution), content.end > 0,
                        content.end <= now.milliseconds
                    else { continue }
                    // With the contribution's own time: a change that comes meanwhile is later and stands.
                    var item = Item(
                        group: SourcePosition(major: 0), position: nil, source: owner.source, time: owner.event,
                        label: "expired")
                    item.effects = [.state(key: entry.key, .remove(owner.contribution))]
                    items.append(item)
                }
            }
            count += items.count
            if !items.isEmpty { try await tell(items) }
        }
    }

    /// Reads our lists and tells the flow which rules the ledger knows otherwise; it writes them again.
    ///
    /// - Returns: how many differ.
    func findDrift(_ tell: ([ObservedEntry]) async throws -> Void) async throws -> Int {
        var seen: Set<Digest128> = []
        var drifted = 0
        if let source = sources[.ioc] {
            try await console.forEachIOCRule(source: source) { rules in
                let shown = rules.compactMap { observed($0) }
                seen.formUnion(shown.map(\.key))
                let different = try await known(shown)
                drifted += different.count
                if !different.isEmpty { try await tell(different) }
                try await time.sleep(for: .milliseconds(100))
                return true
            }
        }
        return try await drifted + findGone(seen, tell)
    }

    /// Those of the observed entries that the ledger holds with another content.
    private func known(_ observed: [ObservedEntry]) async throws -> [ObservedEntry] {
        let entries = try await store.lookUp(
            LedgerQuery(target: target, flow: flow, sources: [], keys: observed.map(\.key)))
        let byKey = Dictionary(entries.map { ($0.key, $0) }) { first, _ in first }
        return observed.filter { shown in
            guard let entry = byKey[shown.key], entry.state != .absent else { return false }
            return entry.digest != shown.digest || entry.remoteID != shown.remoteID
        }
    }

    /// Rules that the ledger has and the listing did not show: IOC rules that are gone, changed or beyond the console's
    /// ceiling, and those of the other kinds. Each is asked for by itself, because a listing that moves while it is read
    /// leaves some out.
    private func findGone(
        _ seen: Set<Digest128>, _ tell: ([ObservedEntry]) async throws -> Void
    ) async throws -> Int {
        var after: Int64 = 0
        var count = 0
        while true {
            let page = try await store.entries(target: target, after: after, limit: 250)
            guard let last = page.last else { return count }
            after = last.id
            var observed: [ObservedEntry] = []
            for entry in page where entry.state == .present && !seen.contains(entry.key) {
                guard let owner = entry.owners.first, let content = RuleContent(encoded: owner.contribution),
                    let source = sources[content.subject.kind]
                else { continue }
                let shown: ObservedEntry?
                switch content.subject {
                case .ioc(let type, let value):
                    shown = try await console.iocRule(source: source, type: type.description, value: value)
                        .flatMap { self.observed($0) }
                case .sigma(let name), .yara(let name):
                    let rule = try await console.contentRule(content.subject.kind, source: source, named: name)
                    // The console writes YAML in its own way, so that texts can't be compared.
                    if let rule, rule.isEnabled { continue }
                    shown = rule.map { .init(key: entry.key, remoteID: $0.id, digest: Digest128(high: 0, low: 0)) }
                case .leftovers: continue
                }
                if let shown, shown.digest == entry.digest, shown.remoteID == entry.remoteID { continue }
                observed.append(
                    shown ?? ObservedEntry(key: entry.key, remoteID: "", digest: Digest128(high: 0, low: 0)))
            }
            count += observed.count
            if !observed.isEmpty { try await tell(observed) }
            try await time.sleep(for: .milliseconds(100))
        }
    }

    private func observed(_ rule: IOCRule) -> ObservedEntry? {
        guard let type = IOCRuleType.allCases.first(where: { $0.description == rule.type }) else { return nil }
        var content = RuleContent(.ioc(type, rule.value))
        if rule.isEnabled {
            content.text = rule.description
            content.comment = rule.comment.string ?? ""
            content.maturity = RuleMaturity(rawValue: rule.maturity) ?? .stable
        } else {
            content.isMarked = true
        }
        return ObservedEntry(
            key: model.key(content.subject), remoteID: rule.id, digest: model.digest(of: content.encoded))
    }
}
