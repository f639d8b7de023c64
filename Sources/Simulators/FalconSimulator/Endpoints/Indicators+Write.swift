// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import JSON
import SimulatorKit

/// Who calls, and when.
struct Caller {
    let client: String
    let cid: String
    let now: Int64
    let trace: String
    let settings: FalconConfiguration

    var rules: IOCRules {
        IOCRules(allowsMobile: settings.allowsMobile, refusesPastExpiration: settings.refusesPastExpiration)
    }
}

/// Creates, updates and deletes (Falcon API, 4.2, 4.4).
struct IndicatorWrites {
    static let maxItems = 2000
    let caller: Caller
    let query: QueryItems

    // MARK: Create

    /// All or nothing: one bad or duplicate item refuses the whole request.
    func create(_ root: JSONElement, in table: inout IOCTable) -> ServerResponse {
        if let refused = checkFlags() { return refused }
        let (drafts, problems) = Self.drafts(root["indicators"])
        guard let drafts else { return refuse([problems.first ?? ""]) }
        var failures = problems
        var items: [(draft: IOCDraft, type: IOCType, value: String)] = []
        items.reserveCapacity(drafts.count)
        for draft in drafts {
            do throws(Refusal) {
                let (type, value) = try caller.rules.check(create: draft, at: caller.now)
                if let warning = warning(type, value) { throw warning }
                items.append((draft, type, value))
            } catch {
                failures.append(error.message)
            }
        }
        guard failures.isEmpty else {
            table.counters.refusedInvalid += drafts.count
            return refuse(failures)
        }
        let duplicates = duplicates(items, table)
        guard duplicates.isEmpty else {
            table.counters.refusedDuplicates += duplicates.count
            return refuse(duplicates)
        }
        guard table.liveCount + items.count <= caller.settings.quota else {
            table.counters.refusedByQuota += items.count
            return refuse(["Limit of 1 million indicators reached. Delete indicators before you create new ones."])
        }
        var envelope = Envelope()
        envelope.status = 201
        var created: [Int] = []
        for (index, item) in items.enumerated() {
            if let every = caller.settings.failsEvery, (index + 1) % every == 0 {
                let message = "indicator '\(item.value)' of type '\(item.type.name)' was not created: internal error"
                envelope.problems.append(.init(code: 500, message: message))
                continue
            }
            table.counters.creates += 1
            if table.wasDeleted(item.type, item.value) { table.counters.recreates += 1 }
            created.append(table.create(item.draft, item.type, item.value, by: caller.client, at: caller.now))
        }
        envelope.paging = .init(total: created.count)
        return answer(envelope, created, table)
    }

    private func duplicates(
        _ items: [(draft: IOCDraft, type: IOCType, value: String)], _ table: IOCTable
    ) -> [String] {
        var seen: Set<String> = []
        seen.reserveCapacity(items.count)
        return items.compactMap { item in
            let isNew = seen.insert("\(item.type.rawValue)\(item.value.lowercased())").inserted
            if isNew, table.row(item.type, item.value.utf8) == nil { return nil }
            return "Duplicate type: '\(item.type.name)' and value: '\(item.value)' combination."
        }
    }

    // MARK: Update

    /// All or nothing too: an unknown id is 404, a breach of the rules 400. Fields left out keep their value.
    func update(_ root: JSONElement, in table: inout IOCTable) -> ServerResponse {
        if let refused = checkFlags() { return refused }
        if let bulk = root["bulk_update"], !bulk.isNull { return update(bulk: bulk, in: &table) }
        let (drafts, problems) = Self.drafts(root["indicators"])
        guard let drafts else { return refuse([problems.first ?? ""]) }
        var failures = problems
        var unknown: [Envelope.Problem] = []
        var seen: Set<Int> = []
        var changes: [(row: Int, changed: IOCRow, draft: IOCDraft)] = []
        for draft in drafts {
            guard let id = draft.id, !id.isEmpty else {
                failures.append("id is required")
                continue
            }
            guard let row = table.row(withID: id), !table.rows[row].isDeleted else {
                unknown.append(.init(code: 404, message: "indicator not found: '\(id)'", id: id))
                continue
            }
            guard seen.insert(row).inserted else {
                failures.append("id '\(id)' is given twice")
                continue
            }
            do throws(Refusal) {
                let groups = table.hostGroupCount(row)
                let changed = try caller.rules.check(
                    update: draft, of: table.rows[row], groups: groups, at: caller.now)
                changes.append((row, changed, draft))
            } catch {
                failures.append("\(error.message) (id '\(id)')")
            }
        }
        guard failures.isEmpty else {
            table.counters.refusedInvalid += drafts.count
            return refuse(failures)
        }
        guard unknown.isEmpty else {
            table.counters.unknownIDs += unknown.count
            var envelope = Envelope()
            envelope.status = 404
            envelope.problems = unknown
            return envelope.response(caller.trace)
        }
        for change in changes { apply(change.row, change.changed, change.draft, &table) }
        return updated(changes.map(\.row), table)
    }

    private func update(bulk: JSONElement, in table: inout IOCTable) -> ServerResponse {
        guard let text = bulk["filter"]?.string, !text.isEmpty else {
            return refuse(["bulk_update.filter is required"])
        }
        do throws(Refusal) {
            let draft = try IOCDraft(bulk)
            let rows = IOCSearch.liveMatches(try FQL(parsing: text), in: table, now: caller.now)
            var changes: [(Int, IOCRow)] = []
            for row in rows {
                let groups = table.hostGroupCount(row)
                let changed = try caller.rules.check(
                    update: draft, of: table.rows[row], groups: groups, at: caller.now)
                changes.append((row, changed))
            }
            for (row, changed) in changes { apply(row, changed, draft, &table) }
            return updated(rows, table)
        } catch {
            return refuse([error.message])
        }
    }

    private func apply(_ row: Int, _ changed: IOCRow, _ draft: IOCDraft, _ table: inout IOCTable) {
        table.counters.updates += 1
        if !table.update(row, to: changed, draft, by: caller.client, at: caller.now) { table.counters.idleUpdates += 1 }
    }

    private func updated(_ rows: [Int], _ table: IOCTable) -> ServerResponse {
        var envelope = Envelope()
        envelope.paging = .init(total: rows.count)
        return answer(envelope, rows, table)
    }

    // MARK: Delete

    /// `filter` wins over `ids`. Known ids go, unknown ones are named under `errors`; with none known the status is 404.
    func delete(in table: inout IOCTable) -> ServerResponse {
        var rows: [Int] = []
        var envelope = Envelope()
        envelope.errorsWhenNone = .null
        if let text = query["filter"], !text.isEmpty {
            do throws(Refusal) {
                rows = IOCSearch.liveMatches(try FQL(parsing: text), in: table, now: caller.now)
            } catch {
                return refuse([error.message])
            }
        } else {
            let ids = query.all("ids").filter { !$0.isEmpty }
            guard !ids.isEmpty else { return refuse(["ids or filter is required"]) }
            var seen: Set<Int> = []
            for id in ids {
                if let row = table.row(withID: id), !table.rows[row].isDeleted {
                    if seen.insert(row).inserted { rows.append(row) }
                } else {
                    table.counters.unknownIDs += 1
                    envelope.problems.append(.init(code: 404, message: "indicator not found: '\(id)'", id: id))
                }
            }
            if rows.isEmpty { envelope.status = 404 }
        }
        for row in rows { table.delete(row, by: caller.client, at: caller.now) }
        table.counters.deletes += rows.count
        envelope.paging = .init(total: rows.count)
        return envelope.response(caller.trace) { writer in
            for row in rows { writer.string(table.id(of: row)) }
        }
    }

    // MARK: Common

    private static func drafts(_ list: JSONElement?) -> ([IOCDraft]?, [String]) {
        guard let list, list.kind == .array else { return (nil, ["indicators is required"]) }
        var drafts: [IOCDraft] = []
        var problems: [String] = []
        var count = 0
        list.forEachElement { item in
            count += 1
            guard count <= maxItems else { return }
            do throws(Refusal) { drafts.append(try IOCDraft(item)) } catch { problems.append(error.message) }
        }
        if count == 0 { return (nil, ["indicators is required"]) }
        if count > maxItems { return (nil, ["too many indicators: \(count), at most \(maxItems)"]) }
        return (drafts, problems)
    }

    private func checkFlags() -> ServerResponse? {
        for name in ["retrodetects", "ignore_warnings"] {
            if let value = query[name], !["true", "false"].contains(value.lowercased()) {
                return refuse(["invalid \(name): '\(value)'"])
            }
        }
        return nil
    }

    private func warning(_ type: IOCType, _ value: String) -> Refusal? {
        guard caller.settings.warnsOfPrivateAddresses, query["ignore_warnings"]?.lowercased() != "true", type == .ipv4
        else { return nil }
        let isPrivate = ["10.", "192.168.", "127.", "169.254."].contains { value.hasPrefix($0) }
        return isPrivate ? Refusal("warning: '\(value)' is a private address") : nil
    }

    private func refuse(_ messages: [String]) -> ServerResponse {
        Envelope.refused(400, messages).response(caller.trace)
    }

    private func answer(_ envelope: Envelope, _ rows: [Int], _ table: IOCTable) -> ServerResponse {
        envelope.response(caller.trace) { writer in
            for row in rows { table.write(row, at: caller.now, into: &writer) }
        }
    }
}
