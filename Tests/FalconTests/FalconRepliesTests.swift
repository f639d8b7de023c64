// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import Testing

@Suite("Falcon replies") struct FalconRepliesTests {
    private func search(_ answer: ScriptedTransport.Answer) async throws -> FalconPage<String> {
        try await Tenant { _ in answer }.client.searchIOCs(nil)
    }

    // covers: falcon:envelope, bug:20
    @Test(arguments: [
        #"{"meta":{"query_time":0.1,"trace_id":"t"},"resources":null,"errors":null}"#,
        #"{"meta":{"query_time":0.1,"trace_id":"t"},"resources":[],"errors":[]}"#,
        #"{"meta":{"query_time":0.1,"trace_id":"t"}}"#, #"{"resources":[]}"#,
    ])
    func `take null, empty and missing lists alike`(body: String) async throws {
        #expect(try await search(.status(200, body)).rows.isEmpty)
    }

    // covers: falcon:advanced-offset
    @Test func `trust the rows, not the total, which counts deleted ones`() async throws {
        let page = try await search(
            .status(
                200,
                #"{"meta":{"pagination":{"limit":100,"total":1,"offset":1,"after":"Wz"}},"resources":[],"errors":[]}"#))
        #expect(page.rows.isEmpty)
        #expect(page.after == "Wz")
        #expect(page.total == 1)
    }

    // covers: falcon:html
    @Test(arguments: ["", "<html></html>", "[]", "null", "{}", "{\"a\":1}", "{\"resources\":[}"])
    func `are refused when they are no envelope`(body: String) async throws {
        let error = await #expect(throws: FalconError.self) { _ = try await search(.status(200, body)) }
        #expect(error?.code == "falcon.malformed")
        #expect(error?.isOutcomeUnknown == true)
    }

    // covers: falcon:partial, bug:6
    @Test func `turn an error beside a success of a search into a failure`() async throws {
        let body = #"{"meta":{},"resources":null,"errors":[{"code":500,"message":"internal"}]}"#
        let error = await #expect(throws: FalconError.self) { _ = try await search(.status(200, body)) }
        #expect(error?.code == "falcon.unavailable")
    }

    // covers: falcon:trace
    @Test(arguments: [
        (400, "falcon.bad_request", false), (403, "falcon.scope", false), (404, "falcon.not_found", false),
        (409, "falcon.conflict", false), (413, "falcon.too_large", false), (414, "falcon.too_large", false),
        (429, "falcon.rate_limit", true), (500, "falcon.unavailable", true), (502, "falcon.unavailable", true),
        (503, "falcon.unavailable", true), (504, "falcon.too_large", true), (418, "falcon.unavailable", true),
    ])
    func `are classified by status`(status: Int, code: String, isRetryable: Bool) async throws {
        for body in [
            #"{"meta":{"query_time":1,"trace_id":"t"},"errors":[{"code":\#(status),"message":"no."}]}"#,
            #"{"meta":{"query_time":1,"trace_id":"t"},"errors":null}"#, "<html>gateway</html>", "",
        ] {
            let error = await #expect(throws: FalconError.self) { _ = try await search(.status(status, body)) }
            #expect(error?.code.text == code)
            #expect(error?.isRetryable == isRetryable)
        }
    }

    // covers: falcon:403-scope
    @Test func `name the missing scope as the console does`() async throws {
        let tenant = try Tenant { _ in .status(403, headers: ["X-Cs-Traceid": "trace-1"], "{}") }
        let read = await #expect(throws: FalconError.self) { _ = try await tenant.client.searchIOCs(nil) }
        #expect(read?.description.contains("“IOC Management: Read”") == true)
        #expect(read?.description.contains("trace-1") == true)
        let write = await #expect(throws: FalconError.self) { _ = try await tenant.client.deleteIOCs(["a"]) }
        #expect(write?.description.contains("“IOC Management: Write”") == true)
    }

    // covers: falcon:429
    @Test func `carry the time to wait on a 429`() async throws {
        let headers: HTTPHeaders = ["X-Ratelimit-Retryafter": "1767225630", "X-Ratelimit-Remaining": "0"]
        let epoch = await #expect(throws: FalconError.self) {
            _ = try await search(.status(429, headers: headers, "{}"))
        }
        #expect(epoch?.retryAfter == .seconds(30))
        let seconds = await #expect(throws: FalconError.self) {
            _ = try await search(.status(429, headers: ["Retry-After": "7"], "{}"))
        }
        #expect(seconds?.retryAfter == .seconds(7))
    }

    // covers: falcon:quota
    @Test func `tell the quota from other refusals`() async throws {
        let body = #"{"meta":{},"errors":[{"code":400,"message":"Limit of 1 million indicators reached. Foo"}]}"#
        let tenant = try Tenant { _ in .status(400, body) }
        var batch = IOCBatch(comment: "c")
        batch.append(Array(#"{"type":"md5"}"#.utf8))
        let error = await #expect(throws: FalconError.self) { _ = try await tenant.client.createIOCs(batch) }
        #expect(error?.code == "falcon.quota")
        #expect(error?.isRetryable == false)
    }

    @Test func `keep what the network did`() async throws {
        let tenant = try Tenant()
        _ = try await tenant.client.platforms()
        tenant.transport.answer(.failure(.timedOut(url: "https://api.crowdstrike.com", phase: .idle)))
        let error = await #expect(throws: FalconError.self) { _ = try await tenant.client.platforms() }
        #expect(error?.code == "http.timeout")
        #expect(error?.isOutcomeUnknown == true)
        #expect(error?.isRetryable == true)
    }
}
