// SPDX-License-Identifier: Apache-2.0

import FalconActions
import HTTPClient
import JSON
import TestKit
import Testing

@Suite("Searches") struct SearchTests {
    /// Hosts 0 to `total`, by offset and by scroll.
    private static func hosts(_ total: Int, _ call: ScriptedTransport.Recorded) -> ScriptedTransport.Answer {
        let query = Dictionary(call.query.map { ($0.name, $0.value) }) { first, _ in first }
        let isScroll = call.path.contains("devices-scroll")
        let offset = Int(query["offset"] ?? "0") ?? 0
        let limit = Int(query["limit"] ?? "100") ?? 100
        if !isScroll, offset + limit > 10_000 { return Tenant.refusal(400, "limit + offset must be less than 10000") }
        let end = min(total, offset + limit)
        let next: JSONValue = isScroll ? .string(end < total ? "\(end)" : "") : .int(end)
        return Tenant.envelope(
            (offset..<max(offset, end)).map { .string("host\($0)") },
            meta: ["pagination": ["limit": .int(limit), "offset": next, "total": .int(total)]])
    }

    // covers: act:query-pages
    @Test func `hosts come in pages of 5,000 and go on by scroll beyond 10,000`() async throws {
        let tenant = try Tenant { Self.hosts(23_000, $0) }
        let result = try await tenant.actions().run("query_devices_by_filter", ["limit": 21_000])
        #expect(result.resources.count == 21_000)
        #expect(Set(result.resources).count == 21_000)
        #expect(result.total == 23_000)
        for call in tenant.calls { #expect(try FalconContract.shared.get().problems(call).isEmpty) }
    }

    // covers: act:query-sort
    @Test func `hosts are sorted with a dot, indicators with a bar, whatever is given`() async throws {
        let tenant = try Tenant { Self.hosts(1, $0) }
        for sort in ["hostname|asc", "hostname.asc"] as [JSONValue] {
            _ = try await tenant.actions().run("query_devices_by_filter", ["sort": sort])
        }
        for sort in ["value|asc", "value.asc"] as [JSONValue] {
            _ = try await tenant.actions().run("search_indicators", ["sort": sort])
        }
        #expect(
            tenant.calls.map { $0.query.first?.value } == ["hostname.asc", "hostname.asc", "value|asc", "value|asc"])
    }

    // covers: act:query-offset
    @Test func `hosts tell where the next page begins, and nothing on the last`() async throws {
        let tenant = try Tenant { Self.hosts(150, $0) }
        let first = try await tenant.actions().run("query_devices_by_filter", ["limit": 100])
        #expect(first.offset == "100")
        let last = try await tenant.actions().run("query_devices_by_filter", ["limit": 100, "offset": "100"])
        #expect(last.resources.count == 50)
        #expect(last.offset == nil)
    }

    // covers: act:echo-offset
    @Test func `an endpoint that repeats the offset does not hold them for ever`() async throws {
        let tenant = try Tenant { call in
            let isFirst = !call.request.url.contains("offset=")
            return Tenant.envelope(
                isFirst ? ["a", "b"] : ["c"],
                meta: ["pagination": ["limit": 2, "offset": .int(isFirst ? 0 : 2), "total": 3]])
        }
        let result = try await tenant.actions().run("query_devices_by_filter", ["limit": 10])
        #expect(result.resources == ["a", "b", "c"])
    }

    /// Indicators by cursor; the last page and the empty one behind it still have one.
    private static func indicators(_ total: Int, _ call: ScriptedTransport.Recorded) -> ScriptedTransport.Answer {
        let query = Dictionary(call.query.map { ($0.name, $0.value) }) { first, _ in first }
        let start = Int(query["after"]?.dropFirst() ?? "") ?? Int(query["offset"] ?? "") ?? 0
        let end = min(total, start + (Int(query["limit"] ?? "") ?? 100))
        return Tenant.envelope(
            (start..<end).map { .string("ioc\($0)") },
            meta: [
                "pagination": ["limit": 500, "offset": .int(end), "total": .int(total), "after": .string("c\(end)")]
            ])
    }

    // covers: act:search-pages
    @Test func `indicators come in pages of 500 behind a cursor`() async throws {
        let tenant = try Tenant { Self.indicators(1300, $0) }
        let some = try await tenant.actions().run("search_indicators", ["limit": 1100])
        #expect(some.resources.count == 1100)
        #expect(some.after == "c1100")
        let all = try await tenant.actions().run("search_indicators", ["limit": 9000])
        #expect(all.resources.count == 1300)
        #expect(all.after == nil)
        for call in tenant.calls { #expect(try FalconContract.shared.get().problems(call).isEmpty) }
    }

    // covers: act:search-after
    @Test func `an offset that is no number is a cursor, and neither goes with the other`() async throws {
        let tenant = try Tenant { Self.indicators(1300, $0) }
        let rest = try await tenant.actions().run("search_indicators", ["offset": "c1200", "limit": 500])
        #expect(rest.resources.first == "ioc1200")
        _ = try await tenant.actions().run("search_indicators", ["offset": "1000", "limit": 1000])
        for call in tenant.calls {
            let names = call.query.map(\.name)
            #expect(!(names.contains("after") && names.contains("offset")))
        }
    }
}
