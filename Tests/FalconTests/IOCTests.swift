// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import JSON
import TestKit
import Testing

@Suite("Falcon custom indicators") struct IOCTests {
    private static let contract = FalconContract.shared
    private static let object = #"""
        {"id":"8de59b578de59b578de59b578de59b578de59b578de59b578de59b578de59b57","type":"domain","value":"c2.example",
        "action":"detect","mobile_action":"no_action","severity":"high","source":"OpenCTI IOC","description":"d",
        "metadata":{"filename":"x.exe","av_hits":-1,"signed":false},"platforms":["windows","mac"],"tags":null,
        "host_groups":[],"applied_globally":true,"expiration":"2026-12-31T00:00:00Z","expired":false,"deleted":false,
        "from_parent":false,"created_on":"2023-12-20T15:23:16.135988021Z","created_by":"ed57","modified_on":"x",
        "modified_by":"someone@example.com"}
        """#
    private static let id = String(repeating: "ab", count: 32)

    private func expectContract(_ tenant: Tenant) throws {
        let contract = try Self.contract.get()
        #expect(!tenant.calls.isEmpty)
        for call in tenant.transport.requests {
            #expect(contract.problems(call) == [], "\(call.request.method) \(call.request.url)")
        }
    }

    // covers: falcon:pagination-limit
    @Test func `are searched with a filter encoded once`() async throws {
        let tenant = try Tenant { _ in
            .status(
                200, #"{"meta":{"pagination":{"limit":2,"total":9,"after":"c+/="}},"resources":["a","b"],"errors":[]}"#)
        }
        let filter = try FQL.any(.value, ["a.example", "b c"]) && FQL.exact(.createdBy, "ed57")
        let page = try await tenant.client.searchIOCs(filter, limit: 2, after: "c+/=", sort: "modified_on.desc")
        #expect(page.rows == ["a", "b"])
        #expect(page.after == "c+/=")
        let url = try #require(URLParts(tenant.calls[0].request.url))
        #expect(url.path == "/iocs/queries/indicators/v1")
        #expect(url.query.map(\.name) == ["filter", "limit", "sort", "after"])
        #expect(url.query[0].value == "value:['a.example','b c']+created_by:'ed57'")
        #expect(url.query[3].value == "c+/=")
        #expect(tenant.calls[0].request.url.contains("%2Bcreated_by"))
        try expectContract(tenant)
    }

    @Test func `are read whole and as identities`() async throws {
        let tenant = try Tenant { _ in .status(200, #"{"meta":{},"resources":[\#(Self.object),{}],"errors":[]}"#) }
        let rows = try await tenant.client.combinedRows(nil).rows
        #expect(rows.map(\.value) == ["c2.example"])
        #expect(rows.first?.createdBy == "ed57")
        let ioc = try #require(try await tenant.client.combinedIOCs(.flag(.deleted, false)).rows.first)
        #expect(ioc.row == rows[0])
        #expect(ioc.platforms == ["windows", "mac"])
        #expect(ioc.tags == [])
        #expect(ioc.expiration?.secondsDescription == "2026-12-31T00:00:00Z")
        #expect(ioc.createdOn?.description == "2023-12-20T15:23:16.135Z")
        #expect(ioc.modifiedOn == nil)
        #expect(ioc.fileName == "x.exe")
        #expect(try await tenant.client.iocs([Self.id]).map(\.severity) == ["high"])
        try expectContract(tenant)
    }

    // covers: falcon:pagination-after
    @Test func `are paged until a page is empty, although the last one has a cursor`() async throws {
        let tenant = try Tenant { recorded in
            let after = URLParts(recorded.request.url)?.query.first { $0.name == "after" }?.value
            let (rows, next) =
                switch after {
                case nil: (#""a","b""#, "1")
                case "1": (#""c""#, "2")
                default: ("", "3")
                }
            return .status(
                200, #"{"meta":{"pagination":{"limit":2,"total":3,"after":"\#(next)"}},"resources":[\#(rows)]}"#)
        }
        let client = tenant.client
        var found: [String] = []
        try await client.forEachPage(
            of: { (after) throws(FalconError) in try await client.searchIOCs(nil, after: after) },
            do: {
                found += $0
                return true
            })
        #expect(found == ["a", "b", "c"])
        #expect(tenant.calls.count == 3)
        #expect(!tenant.calls.contains { $0.request.url.contains("offset") })
    }

    @Test func `are not paged for ever by a cursor that stands still`() async throws {
        let tenant = try Tenant { _ in
            .status(200, #"{"meta":{"pagination":{"limit":1,"total":3,"after":"same"}},"resources":["a"]}"#)
        }
        let client = tenant.client
        await #expect(throws: FalconError.self) {
            try await client.forEachPage(
                of: { (after) throws(FalconError) in try await client.searchIOCs(nil, after: after) },
                do: { _ in true })
        }
        #expect(tenant.calls.count == 2)
    }

    // covers: falcon:contract
    @Test func `are created from rendered objects`() async throws {
        let tenant = try Tenant { _ in .status(201, #"{"meta":{},"resources":[\#(Self.object)],"errors":[]}"#) }
        var batch = IOCBatch(comment: "IOC imported from OpenCTI")
        let object =
            #"{"action":"detect","mobile_action":"detect","type":"domain","value":"c2.example","severity":"medium","applied_globally":true,"source":"OpenCTI IOC","platforms":["windows"]}"#
        batch.append(Array(object.utf8))
        batch.append(Array(object.utf8))
        #expect(batch.count == 2)
        let reply = try await tenant.client.createIOCs(batch)
        #expect(reply.rows.map(\.type) == ["domain"])
        let call = try #require(tenant.calls.first)
        #expect(call.text == #"{"comment":"IOC imported from OpenCTI","indicators":[\#(object),\#(object)]}"#)
        #expect(call.request.method == .post)
        #expect(call.request.isIdempotent == false)
        #expect(call.request.url.hasSuffix("/iocs/entities/indicators/v1?retrodetects=false&ignore_warnings=true"))
        try expectContract(tenant)
    }

    // covers: falcon:contract
    @Test func `are updated by id`() async throws {
        let tenant = try Tenant { _ in .status(200, #"{"meta":{},"resources":[\#(Self.object)],"errors":[]}"#) }
        var batch = IOCBatch(comment: "c")
        batch.append(Array(#"{"id":"\#(Self.id)","tags":[],"expiration":null,"severity":"low"}"#.utf8))
        _ = try await tenant.client.updateIOCs(batch)
        #expect(tenant.calls[0].request.method == .patch)
        #expect(tenant.calls[0].request.isIdempotent)
        try expectContract(tenant)
    }

    // covers: falcon:partial
    @Test func `report partial failures beside what succeeded`() async throws {
        let tenant = try Tenant { _ in
            .status(
                201, headers: ["X-Cs-Traceid": "tr"],
                #"{"meta":{},"resources":[\#(Self.object)],"errors":[{"code":400,"message":"warning","id":"x"}]}"#)
        }
        var batch = IOCBatch(comment: "c")
        batch.append(Array(#"{"type":"domain","value":"c2.example","applied_globally":true}"#.utf8))
        let reply = try await tenant.client.createIOCs(batch)
        #expect(reply.rows.count == 1)
        #expect(reply.errors == [FalconMessage(code: 400, message: "warning", id: "x")])
        #expect(reply.traceID == "tr")
    }

    @Test func `are not sent in empty or overfull batches`() async throws {
        let tenant = try Tenant()
        #expect(try await tenant.client.createIOCs(IOCBatch(comment: "c")).rows.isEmpty)
        var batch = IOCBatch(comment: "c")
        for _ in 0...FalconClient.maxBatch { batch.append(Array("{}".utf8)) }
        let overfull = batch
        await #expect(throws: FalconError.self) { _ = try await tenant.client.createIOCs(overfull) }
        #expect(tenant.transport.requests.isEmpty)
    }

    // covers: falcon:ids-url, falcon:404
    @Test func `are deleted by ids that fit the URL, and what is gone is done`() async throws {
        let tenant = try Tenant { _ in
            .status(
                200,
                #"{"meta":{},"resources":["a"],"errors":[{"code":404,"message":"gone","id":"b"},{"code":500,"message":"x"}]}"#
            )
        }
        let failed = try await tenant.client.deleteIOCs(["a", "b"], comment: "bye & so on")
        #expect(failed.map(\.code) == [500])
        let url = try #require(URLParts(tenant.calls[0].request.url))
        #expect(url.query.map(\.value) == ["a", "b", "bye & so on"])
        try expectContract(tenant)
        let ids = (0..<600).map { _ in Self.id }
        let chunks = FalconClient.chunks(of: ids)
        #expect(chunks.map(\.count) == [250, 250, 100])
        for chunk in chunks {
            _ = try await tenant.client.deleteIOCs(Array(chunk), comment: String(repeating: "ä", count: 500))
        }
        for call in tenant.calls { #expect(call.request.url.utf8.count < 18_600) }
        await #expect(throws: FalconError.self) { _ = try await tenant.client.deleteIOCs(ids) }
        await #expect(throws: FalconError.self) { _ = try await tenant.client.deleteIOCs(["a", ""]) }
        let gone = try Tenant { _ in .status(404, #"{"meta":{},"errors":[{"code":404,"message":"gone"}]}"#) }
        #expect(try await gone.client.deleteIOCs(["a"]).isEmpty)
    }

    // covers: falcon:delete-filter
    @Test func `are deleted by a filter only within named creators`() async throws {
        let tenant = try Tenant()
        await #expect(throws: FalconError.self) {
            _ = try await tenant.client.deleteIOCs(matching: .flag(.expired, true))
        }
        #expect(tenant.transport.requests.isEmpty)
        _ = try await tenant.client.deleteIOCs(matching: FQL.exact(.createdBy, "ed57") && .flag(.expired, true))
        #expect(URLParts(tenant.calls[0].request.url)?.query.first?.value == "created_by:'ed57'+expired:true")
        try expectContract(tenant)
    }

    // covers: falcon:actions
    @Test func `ask what the tenant accepts`() async throws {
        let tenant = try Tenant { recorded in
            recorded.request.url.contains("entities/actions")
                ? .status(
                    200,
                    #"{"meta":{},"resources":[{"id":"detect","platforms_by_type":{"domain":["windows","ios"],"md5":null},"severities":["low"]}],"errors":null}"#
                )
                : .status(200, #"{"meta":{},"resources":["detect"],"errors":null}"#)
        }
        let ids = try await tenant.client.actionIDs()
        #expect(ids == ["detect"])
        let rule = try #require(try await tenant.client.actionRules(ids).first)
        #expect(rule.platformsByType == ["domain": ["windows", "ios"], "md5": []])
        #expect(rule.severities == ["low"])
        #expect(try await tenant.client.severities() == ["detect"])
        #expect(try await tenant.client.iocTypes() == ["detect"])
        #expect(try await tenant.client.platforms() == ["detect"])
        try expectContract(tenant)
    }

    @Test func `are counted, aggregated and reported`() async throws {
        let tenant = try Tenant { recorded in
            let url = recorded.request.url
            if url.contains("device-count") {
                return .status(
                    200,
                    #"{"meta":{},"resources":[{"type":"sha256","value":"v","device_count":3,"limit_exceeded":true}]}"#)
            }
            if url.contains("/iocs/aggregates/indicators/v1") {
                return .status(
                    200,
                    #"{"meta":{},"resources":[{"name":"by_type","buckets":[{"label":"domain","count":7}]}],"errors":[]}"#
                )
            }
            return .status(
                200, #"{"meta":{"pagination":{"limit":1,"after":"n","offset":"n"}},"resources":["x"],"errors":[]}"#)
        }
        let count = try #require(try await tenant.client.deviceCount(type: "sha256", value: "v").first)
        #expect(count.count == 3)
        #expect(count.isLimitExceeded)
        let buckets = try await tenant.client.countIOCs(by: .type, matching: .flag(.expired, true))
        #expect(buckets.map(\.count) == [7])
        #expect(buckets.map(\.label) == ["domain"])
        #expect(try await tenant.client.devicesRanOn(type: "md5", value: "v", limit: 500).after == "n")
        #expect(
            try await tenant.client.processesRanOn(type: "md5", value: "v", device: "d", offset: "n").rows == ["x"])
        #expect(try await tenant.client.reportIOCs(FQL.exact(.type, "md5")) == ["x"])
        try expectContract(tenant)
    }

    @Test(arguments: [403, 404])
    func `fall back to the older paths`(status: Int) async throws {
        let tenant = try Tenant { recorded in
            recorded.request.url.contains("/iocs/")
                ? .status(status, #"{"meta":{},"errors":[{"code":\#(status),"message":"no"}]}"#)
                : .status(200, #"{"meta":{"query_time":1,"trace_id":"t"},"resources":["x"],"errors":[]}"#)
        }
        #expect(try await tenant.client.devicesRanOn(type: "md5", value: "v").rows == ["x"])
        #expect(try await tenant.client.processesRanOn(type: "md5", value: "v", device: "d").rows == ["x"])
        _ = try await tenant.client.deviceCount(type: "md5", value: "v")
        #expect(tenant.calls.count == 6)
        try expectContract(tenant)
    }

    @Test(arguments: [(false, false), (true, false), (false, true), (true, true)])
    func `tell which scopes the client lacks`(mayRead: Bool, mayWrite: Bool) async throws {
        let tenant = try Tenant { recorded in
            let isAllowed = recorded.request.method == .get ? mayRead : mayWrite
            return isAllowed
                ? .status(200, #"{"meta":{},"resources":[],"errors":[]}"#)
                : .status(403, #"{"meta":{},"errors":[{"code":403,"message":"access denied, authorization failed"}]}"#)
        }
        let missing = try await tenant.client.missingIOCScopes()
        #expect(missing.contains(.iocRead) == !mayRead)
        #expect(missing.contains(.iocWrite) == !mayWrite)
        try expectContract(tenant)
    }
}
