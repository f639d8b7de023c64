// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import OpenCTI
import Testing

@Suite("OpenCTI address and headers") struct PlatformAddressTests {
    // covers: octi:endpoint
    @Test(arguments: [
        ("https://cti.example", "https://cti.example/graphql"),
        ("https://cti.example///", "https://cti.example/graphql"),
        (" http://h:8080/base/ ", "http://h:8080/base/graphql"),
        ("https://cti.example/graphql/", "https://cti.example/graphql"),
        ("http://[::1]:4000", "http://[::1]:4000/graphql"),
    ])
    func `cuts what people paste`(text: String, expected: String) throws {
        #expect(try PlatformAddress(text).graphQL == expected)
    }

    @Test(arguments: [
        "", "ChangeMe", "cti.example", "ftp://cti.example", "https://", "https://:80", "https://u:p@h", "https://h?x=1",
        "https://h#x", "https://h h",
    ])
    func `refuses what is no address`(text: String) {
        let error = #expect(throws: OpenCTIError.self) { try PlatformAddress(text) }
        #expect(error?.code == "opencti.configuration")
    }

    @Test(arguments: ["", "ChangeMe", "two words", "line\nbreak"]) func `refuses tokens that are none`(token: String) {
        let error = #expect(throws: OpenCTIError.self) {
            try OpenCTIClient.Configuration(url: "https://h", token: Secret(token))
        }
        #expect(token.isEmpty || error?.description.contains(token) == false)
    }

    // covers: key:OPENCTI_CUSTOM_HEADERS
    @Test func `reads custom headers as pycti does`() {
        let parsed = CustomHeaders(parsing: " X-A : 1 ; X-B:b:c ;; broken ; :empty ; X C: 1; X-D:\u{7F};X-E: ")
        #expect(parsed.headers.fields.map(\.name) == ["X-A", "X-B"])
        #expect(parsed.headers["x-b"] == "b:c")
        #expect(parsed.malformed == [4, 5, 6, 7, 8])
        #expect(CustomHeaders(parsing: "").headers.fields.isEmpty)
    }
}

@Suite("GraphQL transport") struct GraphQLTests {
    private func failure(_ answer: ScriptedTransport.Answer) async throws -> OpenCTIError {
        let platform = try Platform { _ in answer }
        return try #require(
            await #expect(throws: OpenCTIError.self) {
                _ = try await platform.client.register(
                    ConnectorProfile(id: "c", name: "n", kind: .stream), on: PlatformVersion(6, 8, 10))
            })
    }

    // covers: octi:headers
    @Test func `sends what the platform expects`() async throws {
        let platform = try Platform(
            customHeaders: ["X-Proxy": "pass", "Authorization": "Basic x"], applicantID: "someone"
        ) {
            _ in .data(#"{"about":{"version":"6.8.10"}}"#)
        }
        #expect(try await platform.client.platformVersion() == PlatformVersion(6, 8, 10))
        let request = try #require(platform.transport.requests.first)
        #expect(request.request.url == "https://cti.example/base/graphql")
        #expect(request.request.method == .post)
        let headers = request.request.headers
        #expect(headers["Authorization"] == "Bearer t0ken")
        #expect(headers["Content-Type"] == "application/json")
        #expect(headers["opencti-draft-id"] == "")
        #expect(headers["opencti-applicant-id"] == nil)
        #expect(headers["X-Proxy"] == "pass")
        #expect(headers["User-Agent"] == "sallyport/1.0")
        let body = try JSONValue(parsing: request.body)
        #expect(body.object?.keys == ["query", "variables"])
        #expect(body["query"]?.string == "query healthCheck { about { version } }")
    }

    // covers: octi:errors
    @Test(arguments: [
        #"{"errors":[{"message":"m","extensions":{"code":"FORBIDDEN_ACCESS","data":{"http_status":403}}}],"data":null}"#,
        #"{"errors":[{"message":"m","name":"FORBIDDEN_ACCESS","data":{"reason":"r"}}]}"#,
        #"{"errors":[{"message":"FORBIDDEN_ACCESS"}],"data":{"registerConnector":{"id":"c"}}}"#,
        #"{"errors":[{"message":"m","name":"FORBIDDEN_ACCESS","extensions":{"code":"OTHER"}}]}"#,
    ])
    func `reads the errors of all versions, also beside data`(body: String) async throws {
        let error = try await failure(.status(200, body))
        #expect(error.refusalCode == "FORBIDDEN_ACCESS")
        #expect(error.code == "opencti.forbidden")
        #expect(error.description.contains("CONNECTORAPI"))
    }

    // covers: octi:auth-required, octi:forbidden, octi:functional, octi:transient
    @Test(arguments: [
        ("AUTH_REQUIRED", "opencti.unauthorized", false), ("AUTH_FAILURE", "opencti.unauthorized", false),
        ("OTP_REQUIRED", "opencti.unauthorized", false), ("FORBIDDEN_ACCESS", "opencti.forbidden", false),
        ("FUNCTIONAL_ERROR", "opencti.refused", false), ("RESOURCE_NOT_FOUND", "opencti.refused", false),
        ("DRAFT_LOCKED", "opencti.refused", false), ("ALREADY_DELETED_ERROR", "opencti.gone", false),
        ("WORK_NOT_ALIVE", "opencti.gone", false), ("MISSING_REFERENCE_ERROR", "opencti.missing_reference", true),
        ("LOCK_ERROR", "opencti.lock", true), ("DATABASE_ERROR", "opencti.platform", true),
        ("UNKNOWN_ERROR", "opencti.platform", true), ("SOMETHING_NEW", "opencti.platform", true),
    ])
    func `knows what each code asks for`(code: String, ours: String, isRetryable: Bool) async throws {
        let error = try await failure(.error(code, "the reason"))
        #expect(error.code.text == ours)
        #expect(error.isRetryable == isRetryable)
        #expect(!error.description.contains("t0ken"))
    }

    @Test func `waits a moment for a lock`() async throws {
        var random = SeededRandom(seed: 1)
        let lock = try await failure(.error("LOCK_ERROR"))
        let wait = try #require(lock.retryDelay(using: &random))
        #expect(wait >= .seconds(1) && wait <= .seconds(3))
        let limited = try await failure(
            .status(429, headers: ["Retry-After": "9"], #"{"message":"Too many requests"}"#))
        #expect(limited.retryDelay(using: &random) == .seconds(9))
        #expect(try await failure(.error("DATABASE_ERROR")).retryDelay(using: &random) == nil)
    }

    // covers: octi:functional
    @Test func `gives business refusals their documented code`() async throws {
        let body =
            #"{"errors":[{"message":"Bad","extensions":{"code":"FUNCTIONAL_ERROR","data":{"doc_code":"INCORRECT_INDICATOR_FORMAT"}}}]}"#
        #expect(try await failure(.status(200, body)).description.contains("INCORRECT_INDICATOR_FORMAT"))
    }

    @Test(arguments: [
        (200, "text/html", "<!doctype html><html>", "opencti.web_page", false),
        (200, "", "  <html>", "opencti.web_page", false), (200, "", "pong", "opencti.malformed", false),
        (200, "", "", "opencti.malformed", false), (200, "", "{}", "opencti.malformed", false),
        (200, "", #"{"data":null}"#, "opencti.malformed", false), (200, "", "[]", "opencti.malformed", false),
        (404, "", #"{"status":"error","error":"Path not found"}"#, "opencti.status", false),
        (413, "", #"{"status":"error","error":"too large"}"#, "opencti.status", false),
        (429, "", #"{"message":"Too many requests, please try again later."}"#, "opencti.rate_limit", true),
        (500, "", #"{"status":"error","error":"boom"}"#, "opencti.status", true),
        (502, "text/html", "<html>Bad Gateway</html>", "opencti.status", true), (302, "", "", "opencti.status", false),
        (403, "text/html", "<html>", "opencti.status", false),
    ])
    func `tells what stands in front from the platform`(
        status: Int, contentType: String, body: String, code: String, isRetryable: Bool
    ) async throws {
        let error = try await failure(.status(status, headers: ["Content-Type": contentType], body))
        #expect(error.code.text == code)
        #expect(error.isRetryable == isRetryable)
    }

    // covers: octi:transient
    @Test func `repeats only what may be repeated`() async throws {
        let platform = try Platform { _ in .data(#"{"workAdd":{"id":"w"},"pingConnector":{"id":"c"}}"#) }
        _ = try await platform.client.addWork(connector: "c", name: "n", on: nil)
        _ = try await platform.client.ping(connector: "c", state: "null", on: nil)
        #expect(platform.transport.requests.map(\.request.isIdempotent) == [false, true])
    }

    @Test func `has unique, named documents that hold nothing a version may lack by accident`() {
        #expect(Set(OpenCTIDocuments.all.map(\.text)).count == OpenCTIDocuments.all.count)
        for document in OpenCTIDocuments.all {
            #expect(!document.name.isEmpty)
            // The platform answers any document with this word with RESOURCE_NOT_FOUND.
            #expect(!document.text.contains("__schema"))
        }
    }
}

@Suite("Platform version") struct PlatformVersionTests {
    // covers: octi:versions
    @Test(arguments: [
        ("6.8.10", PlatformVersion(6, 8, 10)), ("7.260817.0", PlatformVersion(7, 260_817)),
        ("5.12", PlatformVersion(5, 12)),
        ("6.9.0-SNAPSHOT", PlatformVersion(6, 9)), ("6.9.12rc1", PlatformVersion(6, 9, 12)),
        ("7.261026.0.1", PlatformVersion(7, 261_026)),
    ])
    func `is read with and without a suffix`(text: String, expected: PlatformVersion) {
        #expect(PlatformVersion(parsing: text) == expected)
    }

    @Test(arguments: ["", "6", "six.eight", "rolling", "6-8"]) func `is none without two numbers`(text: String) {
        #expect(PlatformVersion(parsing: text) == nil)
    }

    @Test func `compares dates of 7 above all of 6`() {
        #expect(PlatformVersion(6, 9, 29) < PlatformVersion(7, 260_224))
        #expect(PlatformVersion(6, 8, 9) < PlatformVersion(6, 8, 10))
        #expect(!PlatformVersion(6, 8, 9).hasAutoUpdate && PlatformVersion(6, 8, 10).hasAutoUpdate)
    }
}
