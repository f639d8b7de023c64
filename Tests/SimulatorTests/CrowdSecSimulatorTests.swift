// SPDX-License-Identifier: Apache-2.0

import Base
import CrowdSecSimulator
import HTTPClient
import JSON
import SimulatorKit
import Testing
import Vectors

/// A simulated service and a client that speaks plain HTTP to it.
private struct Service {
    let crowdSec: SimulatedCrowdSec
    let http: CurlTransport

    init(_ adjust: (inout CrowdSecConfiguration) -> Void = { _ in }) throws {
        var configuration = CrowdSecConfiguration()
        adjust(&configuration)
        crowdSec = try SimulatedCrowdSec(configuration)
        http = try CurlTransport()
    }

    struct Reply {
        let status: Int
        let headers: HTTPHeaders
        let text: String
        var json: JSONValue { (try? JSONValue(parsing: text)) ?? .null }
    }

    func get(
        _ path: String, key: String? = CrowdSecConfiguration.defaultKey, method: HTTPMethod = .get
    ) async throws -> Reply {
        var request = HTTPRequest(method, crowdSec.server.baseURL + path, headers: ["User-Agent": "plain"])
        if let key { request.headers["x-api-key"] = key }
        let response = try await http.send(request, by: .never)
        return Reply(
            status: response.status, headers: response.headers, text: String(decoding: response.body, as: UTF8.self))
    }

    func post(_ path: String, _ body: JSONValue) async throws -> Int {
        let url = crowdSec.server.adminURL + path
        return try await http.send(HTTPRequest(.post, url, body: .bytes(body.bytes)), by: .never).status
    }
}

@Suite("Simulated CrowdSec") struct CrowdSecSimulatorTests {
    @Test func `invents the same record for the same address, and leaves some unknown`() async throws {
        let service = try Service()
        var reputations: [String: Int] = [:]
        for number in 1...64 {
            let reply = try await service.get("/v2/smoke/203.0.113.\(number)")
            #expect(try await service.get("/v2/smoke/203.0.113.\(number)").text == reply.text)
            reputations[reply.json["reputation"]?.string ?? reply.json["message"]?.string ?? "", default: 0] += 1
        }
        #expect(
            Set(reputations.keys)
                == ["malicious", "suspicious", "known", "safe", "IP address information not found"])
        #expect(try await service.get("/v2/smoke/2001:db8::1").status == 200)
        await service.crowdSec.server.stop()
    }

    @Test(arguments: [
        ("/v2/smoke/192.0.2.1?x=1", 400), ("/v2/smoke/evil.example", 400), ("/v2/smoke/2001%3Adb8%3A%3A1", 400),
        ("/v2/smoke/", 403), ("/v2/smoke", 403), ("/v2/fire", 403), ("/v2/smoke/1.2.3.4/5", 403),
        ("/v2/smoke/127.0.0.1", 404), ("/v2/smoke/10.0.0.1", 404),
    ])
    func `refuses what the service would not take`(_ path: String, _ status: Int) async throws {
        let service = try Service()
        #expect(try await service.get(path).status == status)
        await service.crowdSec.server.stop()
    }

    @Test func `refuses a wrong key, no key and another method`() async throws {
        let service = try Service()
        for key in ["wrong", "", nil] {
            let reply = try await service.get("/v2/smoke/192.0.2.1", key: key)
            #expect(reply.status == 403 && reply.json["message"] == "Forbidden")
        }
        #expect(try await service.get("/v2/smoke/192.0.2.1", method: .post).status == 403)
        await service.crowdSec.server.stop()
    }

    @Test func `spends a token for each address that it returns, and none for others`() async throws {
        let service = try Service { $0.dailyQuota = 2 }
        for address in ["127.0.0.1", "192.0.2.10", "127.0.0.1", "192.0.2.10"] {
            #expect(try await service.get("/v2/smoke/\(address)").status != 429)
        }
        let refused = try await service.get("/v2/smoke/192.0.2.10")
        #expect(refused.status == 429 && refused.json["message"] == "Limit Exceeded")
        let usage = try await service.get("/_admin/usage").json
        #expect(usage["tokens"] == 2 && usage["requests"] == 5 && usage["addresses"]?["127.0.0.1"] == 2)
        #expect(try await service.post("/settings", ["daily_quota": nil]) == 200)
        #expect(try await service.get("/v2/smoke/192.0.2.10").status == 200)
        await service.crowdSec.server.stop()
    }

    @Test func `throttles bursts`() async throws {
        let service = try Service { $0.requestsPerSecond = 1 }
        var statuses: [Int] = []
        for _ in 0..<8 { statuses.append(try await service.get("/v2/smoke/127.0.0.1").status) }
        #expect(statuses.contains(429))
        await service.crowdSec.server.stop()
    }

    @Test func `gives every prepared sequence of answers, the last again and again`() async throws {
        let file = try JSONValue(parsing: Array(Vectors.data("crowdsec-smoke.json")))
        let sequences = Array(try #require(file["answers"]?.object))
        #expect(sequences.count == 18)
        let service = try Service()
        var table: JSONObject = [:]
        for (index, sequence) in sequences.enumerated() { table["198.51.100.\(index + 1)"] = sequence.value }
        #expect(try await service.post("/answers", .object(table)) == 200)
        for (index, sequence) in sequences.enumerated() {
            let answers = try #require(sequence.value.array)
            for answer in answers + [answers[answers.count - 1]] {
                let reply = try await service.get("/v2/smoke/198.51.100.\(index + 1)")
                #expect(reply.status == Int(answer["status"]?.int ?? 0))
                #expect(answer["body"]?.string.map { $0 == reply.text } ?? (reply.json == answer["body"]))
                #expect(reply.headers["Retry-After"] == answer["headers"]?["Retry-After"]?.string)
            }
        }
        #expect(try await service.post("/answers", ["192.0.2.1": []]) == 400)
        await service.crowdSec.server.stop()
    }

    @Test func `fails in its own words on request`() async throws {
        let service = try Service { $0.options.faults = [FaultRule(.status, 503), FaultRule(.status, 429)] }
        let first = try await service.get("/v2/smoke/192.0.2.1")
        #expect(first.status == 503 && first.json["message"] == "Service Unavailable")
        #expect(try await service.get("/v2/smoke/192.0.2.1").json["message"] == "Too Many Requests")
        await service.crowdSec.server.stop()
    }
}
