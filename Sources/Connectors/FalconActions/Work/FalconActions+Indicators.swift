// SPDX-License-Identifier: Apache-2.0

import Falcon
import JSON

extension FalconActions {
    func performOnIndicators(_ action: FalconAction, _ arguments: Arguments) async throws -> ActionResult {
        switch action.slug {
        case "block_ioc": try await single(arguments, .prevent)
        case "monitor_ioc": try await single(arguments, .detect)
        case "push_iocs_for_prevention": try await PushIOCs(self, .prevent).run(arguments)
        case "push_iocs_for_detection": try await PushIOCs(self, .detect).run(arguments)
        case "get_indicators":
            try await byID(arguments.ids) { ids throws(FalconError) in try await falcon.indicators(ids) }
        case "delete_indicators": try await deleteIndicators(arguments)
        case "create_indicators":
            try await write(arguments) { indicators, options throws(FalconError) in
                try await falcon.createIndicators(indicators, options)
            }
        case "update_indicators":
            try await write(arguments) { indicators, options throws(FalconError) in
                try await falcon.updateIndicators(indicators, options)
            }
        case "search_indicators": try await searchIndicators(arguments)
        case "get_ioc_actions":
            try await inParts(arguments.ids, of: 500) { ids throws(FalconError) in
                try await falcon.indicatorActions(ids)
            }
        case "get_indicators_report":
            ActionResult(
                try await falcon.orderIndicatorReport(
                    format: arguments.text("report_format") ?? "csv",
                    filter: arguments.object["search"]?["filter"]?.string ?? "",
                    query: arguments.object["search"]?["query"]?.string ?? "",
                    sort: arguments.object["search"]?["sort"]?.string ?? ""))
        default: throw ActionError.unknown(action.slug)
        }
    }

    // MARK: One value

    private func single(_ arguments: Arguments, _ action: PushedAction) async throws -> ActionResult {
        let given = arguments.text("type") ?? ""
        guard let type = PushedType(rawValue: given.lowercased()), action.types.contains(type) else {
            throw ActionError.arguments(
                "Type \(given) is not supported. Refer to the documentation for supported types.")
        }
        let indicator = PushedIOC(type: type, value: arguments.text("value") ?? "")
        let written = try await IOCWriter(self).write([indicator.payload(action)])
        var result = ActionResult()
        result.resources = written.resources
        result.errors = written.refused.map { FalconMessage(code: $0.code, message: $0.reason, id: $0.value) }
        return result
    }

    // MARK: By id

    /// Parts of 200 that also fit into a URL.
    func byID(
        _ ids: [String], _ call: ([String]) async throws(FalconError) -> FalconAnswer
    ) async throws -> ActionResult {
        let longest = max(1, ids.map(\.utf8.count).max() ?? 1)
        // `&ids=` besides each, and room for a comment.
        return try await inParts(ids, of: max(1, min(200, 17_000 / (longest + 5))), call: call)
    }

    private func deleteIndicators(_ arguments: Arguments) async throws -> ActionResult {
        var ids = arguments.ids
        var left: [FalconMessage] = []
        if options.deletesOwnOnly {
            // Only what Falcon says to be ours: whose an IOC is that it did not show, nobody knows.
            let known = try await byID(ids) { ids throws(FalconError) in try await falcon.indicators(ids) }
            let ours = Set(known.resources.filter(isOurs).compactMap { $0["id"]?.string })
            let others = Set(known.resources.compactMap { $0["id"]?.string }).subtracting(ours)
            left = ids.filter { !ours.contains($0) }.map { id in
                if others.contains(id) {
                    return FalconMessage(code: 403, message: "it was made by somebody else and was left alone", id: id)
                }
                return known.errors.first { $0.id == id }
                    ?? FalconMessage(code: 404, message: "Falcon does not show it; it was left alone", id: id)
            }
            ids.removeAll { !ours.contains($0) }
        }
        var result = try await byID(ids) { ids throws(FalconError) in
            try await falcon.deleteIndicators(ids, comment: arguments.text("comment"))
        }
        result.errors += left
        return result
    }

    /// Whether an IOC is ours: by its source or by the API client that made it.
    func isOurs(_ indicator: JSONValue) -> Bool {
        indicator["source"]?.string == PushedIOC.source
            || indicator["created_by"]?.string == falcon.credentials.clientID
    }

    // MARK: Whole objects

    private func write(
        _ arguments: Arguments,
        _ call: ([JSONValue], FalconClient.IOCWriteOptions) async throws(FalconError) -> FalconAnswer
    ) async throws -> ActionResult {
        let writeOptions = FalconClient.IOCWriteOptions(
            comment: arguments.text("comment"), retrodetects: arguments.flag("retrodetects"),
            ignoresWarnings: arguments.flag("ignore_warnings"))
        func name(_ indicator: JSONValue) -> String {
            indicator["id"]?.string ?? "\(indicator["type"]?.string ?? ""):\(indicator["value"]?.string ?? "")"
        }
        do {
            return try await inParts(
                arguments.list("indicators"), of: options.indicatorBatch, name: name,
                call: { indicators throws(FalconError) in try await call(indicators, writeOptions) })
        } catch let error as FalconError where error.isOutcomeUnknown {
            throw ActionError.outcomeUnknown(error.description)
        }
    }

    // MARK: Search

    /// `modified_on.desc` → `modified_on|desc`
    private static func barred(_ sort: String) -> String {
        for direction in ["asc", "desc"] where sort.hasSuffix(".\(direction)") {
            return String(sort.dropLast(direction.count + 1)) + "|" + direction
        }
        return sort
    }

    /// Pages of 500, safe under both published limits.
    private func searchIndicators(_ arguments: Arguments) async throws -> ActionResult {
        let filter = arguments.text("filter")
        // The IOC API writes a bar; a dot is understood too.
        let sort = arguments.text("sort").map(Self.barred)
        let wanted = arguments.int("limit")
        let given = arguments.text("offset").flatMap { $0.isEmpty ? nil : $0 }
        var offset = given.flatMap { Int64($0) }
        var after = offset == nil ? given : nil
        let start = offset ?? 0
        var result = ActionResult()
        while true {
            let limit = wanted.map { Int(clamping: min(500, $0 - Int64(result.resources.count))) }
            let page = try await falcon.queryIndicators(
                filter, sort: sort, limit: limit, offset: offset, after: after)
            result.resources += page.rows.map { .string($0) }
            result.total = page.total ?? result.total
            let count = Int64(result.resources.count)
            // The last page has a cursor too; where we began by a cursor, only an empty page tells the end.
            let isLast =
                page.rows.isEmpty || (limit.map { page.rows.count < $0 } ?? false)
                || (given == nil || given.flatMap { Int64($0) } != nil)
                    && page.total.map { start + count >= $0 } ?? false
            result.after = isLast || page.after == after ? nil : page.after
            guard let next = result.after, let wanted, count < wanted else { return result }
            after = next
            offset = nil
        }
    }
}
