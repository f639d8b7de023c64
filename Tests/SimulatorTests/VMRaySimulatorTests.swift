// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import SimulatorKit
import Testing
import VMRaySimulator

/// A simulated instance whose clock stands, and a client that speaks plain HTTP to it.
private struct Instance {
    let time = ManualTime()
    let vmray: SimulatedVMRay
    let http: CurlTransport

    init(_ adjust: (inout VMRayConfiguration) -> Void = { _ in }) throws {
        var configuration = VMRayConfiguration()
        adjust(&configuration)
        vmray = try SimulatedVMRay(configuration, time: time)
        http = try CurlTransport()
    }

    func get(_ path: String, key: String = VMRayConfiguration.defaultKey) async throws -> (status: Int, json: JSONValue)
    {
        try await send(HTTPRequest(.get, vmray.server.baseURL + path, headers: ["Authorization": "api_key " + key]))
    }

    func post(_ path: String, _ body: JSONValue) async throws {
        let request = HTTPRequest(.post, vmray.server.adminURL + path, body: .bytes(body.bytes))
        #expect(try await send(request).status == 200)
    }

    func submit(_ content: String, _ fields: [String: String] = [:]) async throws -> (status: Int, json: JSONValue) {
        var parts = fields.sorted { $0.key < $1.key }.map { HTTPBody.Part(name: $0, body: .bytes(Array($1.utf8))) }
        parts.append(.init(name: "sample_file", fileName: "a.bin", body: .bytes(Array(content.utf8))))
        return try await send(
            HTTPRequest(
                .post, vmray.server.baseURL + "/rest/sample/submit",
                headers: ["Authorization": "api_key " + VMRayConfiguration.defaultKey], body: .multipart(parts)))
    }

    private func send(_ request: HTTPRequest) async throws -> (status: Int, json: JSONValue) {
        let response = try await http.send(request, by: .never)
        return (response.status, (try? JSONValue(parsing: response.body)) ?? .null)
    }
}

private let alpha = "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8"

@Suite("Simulated VMRay") struct VMRaySimulatorTests {
    @Test func `queues, runs and ends a submission as its clock goes on`() async throws {
        let instance = try Instance { $0.queue = .seconds(2) }
        #expect(try await instance.get("/rest/sample/sha256/\(alpha)").json["data"] == [])
        try await instance.post("/findings", [alpha: ["verdict": "malicious", "threat_names": ["Gen.Agent.1"]]])
        let submitted = try await instance.submit("alpha").json["data"]?["submissions"]?[0]
        #expect(submitted?["submission_id"] == 9001)
        #expect(try await instance.get("/rest/job/submission/9001").json["data"]?[0]?["job_status"] == "queued")
        instance.time.advance(by: .seconds(2))
        #expect(try await instance.get("/rest/job/submission/9001").json["data"]?[0]?["job_status"] == "inwork")
        #expect(try await instance.get("/rest/submission/9001").json["data"]?["submission_finished"] == false)
        #expect(try await instance.get("/rest/sample/501").json["data"]?["sample_verdict"] == .null)
        instance.time.advance(by: .seconds(1))
        #expect(try await instance.get("/rest/job/submission/9001").json["data"] == [])
        #expect(try await instance.get("/rest/submission/9001").json["data"]?["submission_finished"] == true)
        let sample = try await instance.get("/rest/sample/sha256/\(alpha)").json["data"]?[0]
        #expect(sample?["sample_verdict"] == "malicious" && sample?["sample_threat_names"] == ["Gen.Agent.1"])
        #expect(try await instance.get("/rest/submission/sample/501").json["data"]?.array?.count == 1)
        await instance.vmray.server.stop()
    }

    @Test func `gives as many analyses at a time as there are machines`() async throws {
        let instance = try Instance { $0.machines = 1 }
        for word in ["one", "two"] { _ = try await instance.submit(word) }
        instance.time.advance(by: .seconds(1))
        #expect(try await instance.get("/rest/submission/9001").json["data"]?["submission_finished"] == true)
        #expect(try await instance.get("/rest/job/submission/9002").json["data"]?[0]?["job_status"] == "inwork")
        instance.time.advance(by: .seconds(1))
        #expect(try await instance.get("/rest/submission/9002").json["data"]?["submission_finished"] == true)
        await instance.vmray.server.stop()
    }

    @Test func `refuses what is known, rejected or beyond the quota, as VMRay does`() async throws {
        let instance = try Instance { $0.quota = 1 }
        try await instance.post("/samples", [alpha: ["verdict": "clean"]])
        let known = try await instance.submit("alpha")
        #expect(known.status == 200)
        #expect(known.json["data"]?["errors"]?[0]?["error_msg"] == "no jobs were created")
        #expect(known.json["data"]?["samples"]?[0]?["sample_id"] == 501)
        #expect(try await instance.submit("alpha", ["reanalyze": "true"]).json["data"]?["errors"] == [])
        let beyond = try await instance.submit("bravo")
        #expect(beyond.status == 400 && beyond.json["error_msg"] == "Submission quota exceeded")
        #expect(try await instance.submit("x", ["analyzer_mode": "magic"]).status == 400)
        #expect(try await instance.submit("x", ["tags": "a b"]).status == 400)
        #expect(try await instance.submit("x", ["user_config": "120"]).status == 400)
        await instance.vmray.server.stop()
    }

    @Test func `locks reports for a verdict key, and everything for a wrong one`() async throws {
        let instance = try Instance()
        try await instance.post(
            "/samples",
            [alpha: ["verdict": "malicious", "iocs": ["malicious": ["domains": [["domain": "c2.example"]]]]]])
        let path = "/rest/sample/501/iocs/verdict/malicious"
        let iocs = try await instance.get(path).json["data"]?["iocs"]
        #expect(iocs?["domains"]?[0]?["domain"] == "c2.example" && iocs?["files"] == [])
        #expect(try await instance.get(path, key: VMRayConfiguration.defaultVerdictKey).status == 403)
        #expect(try await instance.get("/rest/sample/501", key: VMRayConfiguration.defaultVerdictKey).status == 200)
        #expect(try await instance.get("/rest/system_info", key: "wrong").status == 401)
        #expect(try await instance.get("/rest/submission/None").status == 404)
        await instance.vmray.server.stop()
    }

    @Test func `continues a list that is longer than a page`() async throws {
        let instance = try Instance { $0.pageSize = 1 }
        try await instance.post("/findings", [alpha: ["verdict": "clean", "fails": true]])
        _ = try await instance.submit("alpha")
        instance.time.advance(by: .seconds(1))
        let first = try await instance.get("/rest/analysis/submission/9001").json
        #expect(first["data"]?.array?.count == 1)
        let number = try #require(first["continuation_id"]?.int)
        let second = try await instance.get("/rest/continuation/\(number)").json
        #expect(second["data"]?[0]?["analysis_severity"] == "error" && second["continuation_id"] == nil)
        await instance.vmray.server.stop()
    }
}
