// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import TestKit
import Testing
import Vectors

@testable import CrowdSec

@Suite("CrowdSec client") struct ClientTests {
    // covers: crowdsec:call_smoke, crowdsec:header_x-api-key, crowdsec:header_User-Agent
    @Test func `asks for one address with the key and nothing else`() async throws {
        let service = try Service([Service.item], baseURL: "https://cti.example/base/")
        _ = try await service.client.lookUp("2001:db8::1")
        let request = service.transport.requests[0].request
        #expect(request.url == "https://cti.example/base/v2/smoke/2001:db8::1")
        #expect(request.method == .get)
        #expect(request.headers["x-api-key"] == "cs-cti-key-EXAMPLE")
        #expect(request.headers["User-Agent"] == "sallyport-crowdsec")
        #expect(service.transport.requests[0].body.isEmpty)
    }

    // covers: crowdsec:status_200
    @Test func `tells an item, an empty object and an unknown address apart`() throws {
        #expect(try CrowdSecClient.answer(reading: nil) == .notFound)
        #expect(try CrowdSecClient.answer(reading: Array("{}".utf8)) == .empty)
        #expect(try CrowdSecClient.answer(reading: Array("null".utf8)) == .empty)
        guard case .item(let item) = try CrowdSecClient.answer(reading: Array(#"{"reputation":"known"}"#.utf8)) else {
            Issue.record("no item")
            return
        }
        #expect(item.reputation == "known")
    }

    @Test(arguments: ["", "<html>", "[1]", "\"text\"", "{"])
    func `refuses an answer that is no object`(_ body: String) {
        #expect(throws: CrowdSecError.self) { try CrowdSecClient.answer(reading: Array(body.utf8)) }
    }

    // covers: crowdsec:status_404
    @Test func `takes a 404 for an unknown address, without another attempt`() async throws {
        let service = try Service(Service.sequence("unknown-404"))
        #expect(try await service.client.lookUp("192.0.2.199") == nil)
        #expect(service.transport.requests.count == 1)
    }

    // covers: crowdsec:status_403, crowdsec:status_400, crowdsec:error_refused
    @Test(arguments: [400, 401, 403, 302, 418])
    func `fails at once where another attempt can't help`(_ status: Int) async throws {
        let service = try Service([.status(status, #"{"message":"Forbidden"}"#)])
        await #expect {
            try await service.client.lookUp("192.0.2.60")
        } throws: { error in
            "\(error)".contains("status \(status)") && "\(error)".contains("Forbidden")
                && !"\(error)".contains("EXAMPLE")
        }
        #expect(service.transport.requests.count == 1)
        #expect(service.slept.isEmpty)
    }

    // covers: crowdsec:status_5xx, crowdsec:rule_backoff
    @Test func `waits 2, 4, 8, 16 and 32 s for a service that is down, then says so`() async throws {
        let service = try Service(Array(repeating: .status(503), count: 7))
        await #expect(throws: CrowdSecError.self) { try await service.client.lookUp("192.0.2.60") }
        #expect(service.slept == [2, 4, 8, 16, 32])
        #expect(service.transport.requests.count == 6)
        #expect(
            CrowdSecError.unavailable(status: 503, attempts: 6).description
                == "CrowdSec CTI unavailable: status 503 after 6 attempts")
    }

    // covers: crowdsec:rule_network
    @Test func `tries again after lost connections, and gives up after six`() async throws {
        let lost = ScriptedTransport.Answer.failure(.connectionLost(url: "cti", reason: "reset"))
        let service = try Service([lost, lost, Service.item])
        #expect(try await service.client.lookUp("192.0.2.60") != nil)
        #expect(service.slept == [2, 4])
        let dead = try Service(Array(repeating: lost, count: 6))
        await #expect {
            try await dead.client.lookUp("192.0.2.60")
        } throws: { ("\($0)").contains("6 attempts") && ($0 as? CrowdSecError)?.code == "crowdsec.unreachable" }
    }

    // covers: crowdsec:rule_retry_after
    @Test func `waits longer where the server asks for it, up to a minute`() async throws {
        let service = try Service(Service.sequence("rate-limited-retry-after"))
        #expect(try await service.client.lookUp("198.51.100.77") != nil)
        #expect(service.slept == [5, 4])
        let slow = try Service([.status(429, headers: ["Retry-After": "3600"], "{}"), Service.item])
        _ = try await slow.client.lookUp("198.51.100.77")
        #expect(slow.slept == [60])
    }

    // covers: crowdsec:rule_deadline
    @Test func `does not wait beyond the deadline`() async throws {
        let service = try Service([.status(503), .status(503), Service.item])
        await #expect(throws: CrowdSecError.self) {
            try await service.client.lookUp("192.0.2.60", by: .after(.seconds(5), on: service.time))
        }
        #expect(service.slept == [2])
    }

    // covers: crowdsec:rule_key_check
    @Test func `checks a key by an address in nobody's record`() async throws {
        let service = try Service([.status(404), .status(403, #"{"message":"Forbidden"}"#), Service.limit])
        #expect(try await service.client.probe() == 404)
        #expect(service.transport.requests[0].request.url.hasSuffix("/v2/smoke/127.0.0.1"))
        await #expect(throws: CrowdSecError.self) { try await service.client.probe() }
        await #expect { try await service.client.probe() } throws: { ($0 as? CrowdSecError)?.code == "crowdsec.quota" }
    }

    @Test(arguments: ["", "a b", "line\nbreak"])
    func `refuses a key that no header can hold`(_ key: String) {
        #expect(throws: CrowdSecError.self) { try CrowdSecClient.Configuration(key: { Secret(key) }) }
    }
}
