// SPDX-License-Identifier: Apache-2.0

import Base
import FalconSimulator
import HTTPClient
import JSON
import SimulatorKit
import Testing
import Vectors

@Suite("Simulated Falcon: access, limits, faults") struct FalconAccessTests {
    @Test func `issues tokens as the vendor does`() async throws {
        let tenant = try await Tenant()
        let reply = try await tenant.newToken()
        #expect(reply.status == 201)
        #expect(reply.json["token_type"] == "bearer" && reply.json["expires_in"]?.int == 1799)
        #expect(reply.headers["x-cs-region"] == "sim-1")
        #expect(try await tenant.newToken(secret: "wrong").status == 403)
        #expect(try await tenant.newToken(id: "").status == 400)
        #expect(try await tenant.newToken(more: "&member_cid=zz").status == 400)
        let json = try await tenant.send("POST", "/oauth2/token", body: "{}")
        #expect(json.status == 400)
    }

    @Test func `refuses tokens that are expired, revoked or none`() async throws {
        let time = ManualTime()
        let tenant = try await Tenant(time: time)
        #expect(try await tenant.find("").status == 200)
        time.advance(by: .seconds(1799))
        let expired = try await tenant.find("")
        #expect(expired.status == 401 && expired.message == "access denied, invalid bearer token")
        #expect(expired.json["resources"] == nil)
        var next = tenant
        next.token = try await tenant.newToken().json["access_token"]?.string ?? ""
        let pair = "ed578da6b8d84d1e9312e833e493773a:Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz"
        let revoked = try await next.send(
            "POST", "/oauth2/revoke", body: "token=\(next.token)",
            headers: [
                "Content-Type": "application/x-www-form-urlencoded", "Authorization": "basic \(base64(pair))",
            ])
        #expect(revoked.status == 200)
        #expect(try await next.find("").status == 401)
        #expect(try await next.send("GET", Tenant.search, headers: [:]).status == 401)
    }

    @Test func `checks scopes`() async throws {
        let tenant = try await Tenant { $0.clients[0].scopes = ["ioc:read"] }
        #expect(try await tenant.find("").status == 200)
        let refused = try await tenant.create(Tenant.ioc("a.example"))
        #expect(refused.status == 403 && refused.message == "access denied, authorization failed")
        #expect(try await tenant.send("GET", "/indicators/queries/devices/v1").status == 403)
    }

    @Test func `keeps child tenants apart`() async throws {
        let tenant = try await Tenant()
        var child = tenant
        let cid = String(repeating: "ab", count: 16)
        child.token = try await tenant.newToken(more: "&member_cid=\(cid)").json["access_token"]?.string ?? ""
        _ = try await child.create(Tenant.ioc("child.example"))
        #expect(try await tenant.find("").ids == [])
        #expect(try await child.find("").ids.count == 1)
        #expect(try await tenant.admin("GET", "iocs?cid=\(cid)").text.contains("child.example"))
    }

    @Test func `redirects token requests of another cloud`() async throws {
        let tenant = try await Tenant {
            $0.redirectsTokensTo = "https://api.eu-1.crowdstrike.com"
            $0.region = "eu-1"
        }
        let reply = try await tenant.newToken()
        #expect(reply.status == 308)
        #expect(reply.headers["Location"] == "https://api.eu-1.crowdstrike.com/oauth2/token")
        #expect(reply.headers["X-Cs-Region"] == "eu-1")
    }

    @Test func `serves so many requests in any minute`() async throws {
        let time = ManualTime()
        let tenant = try await Tenant(time: time) { $0.requestsPerMinute = 3 }
        for left in [2, 1, 0] {
            #expect(try await tenant.find("").headers["X-Ratelimit-Remaining"] == "\(left)")
            time.advance(by: .seconds(10))
        }
        let refused = try await tenant.find("")
        #expect(refused.status == 429 && refused.json["errors"]?[0]?["code"]?.int == 429)
        // Three calls at 0, 10 and 20 s; at 30 s the first leaves the window in 30 s.
        let epoch = (time.now.milliseconds + 30_000) / 1000
        #expect(refused.headers["X-Ratelimit-Retryafter"] == "\(epoch)")
        #expect(refused.headers["Retry-After"] == nil)
        time.advance(by: .seconds(30))
        #expect(try await tenant.find("").status == 200)
        #expect(try await tenant.find("").status == 429)
    }

    @Test func `answers unknown paths, methods and endless targets`() async throws {
        let tenant = try await Tenant()
        #expect(try await tenant.send("GET", "/nowhere").status == 404)
        #expect(try await tenant.send("PUT", Tenant.indicators).status == 405)
        let long = try await tenant.find("value:'" + String(repeating: "a", count: 21_000) + "'")
        #expect(long.status == 414 && long.text.hasPrefix("<html>"))
    }

    @Test func `serves every IOC operation of the contract under its scope`() async throws {
        let table = try JSONValue(parsing: Array(Vectors.data("falcon-api.json")))
        let tenant = try await Tenant()
        for operation in table["operations"]?.array ?? [] {
            guard let method = operation["method"]?.string, let path = operation["path"]?.string,
                path.hasPrefix("/iocs/") || path.hasPrefix("/oauth2/") || path.hasPrefix("/indicators/")
                    || path.hasPrefix("/processes/")
            else { continue }
            let reply = try await tenant.send(method, path, body: method == "GET" ? nil : "{}")
            #expect(reply.status != 404 && reply.status != 405, "\(method) \(path)")
        }
        let counted = try await tenant.admin("GET", "counters").json["operations"]?.object?.keys ?? []
        let named = (table["operations"]?.array ?? []).compactMap { $0["operation_id"]?.string }
        #expect(Set(counted).subtracting(named) == [])
    }

    @Test func `fails as told: before the request, after it, in the middle, with a status`() async throws {
        let tenant = try await Tenant()
        _ = try await tenant.admin(
            "POST", "faults",
            ["status=429,method=POST,retry_after=7", "reset_before,method=POST", "reset_after,method=POST"])
        let limited = try await tenant.create(Tenant.ioc("a.example"))
        #expect(limited.status == 429)
        let epoch = try #require(limited.headers["X-Ratelimit-Retryafter"].flatMap { Int64($0) })
        #expect(abs(epoch - SystemTime().now.milliseconds / 1000 - 7) < 60)
        await #expect(throws: HTTPError.self) { try await tenant.create(Tenant.ioc("a.example")) }
        #expect(try await tenant.find("").ids == [])
        await #expect(throws: HTTPError.self) { try await tenant.create(Tenant.ioc("a.example")) }
        #expect(try await tenant.find("").ids.count == 1)
        _ = try await tenant.admin("POST", "faults", ["kind": "cut", "argument": 40, "path": "/iocs/*"])
        await #expect(throws: HTTPError.self) { try await tenant.find("") }
        _ = try await tenant.admin("POST", "faults", ["kind": "html", "operation": "indicator_search_v1"])
        #expect(try await tenant.find("").text.hasPrefix("<html>"))
        #expect(try await tenant.find("").status == 200)
        let counters = try await tenant.admin("GET", "counters").json["operations"]?["indicator_create_v1"]?["statuses"]
        #expect(counters == ["0": 2, "429": 1])
    }

    @Test func `answers from a script first`() async throws {
        let tenant = try await Tenant()
        _ = try await tenant.admin(
            "POST", "script",
            [
                [
                    "method": "GET", "path": .string(Tenant.search), "status": 200,
                    "body": ["resources": nil, "errors": nil],
                ],
                ["method": "POST", "path": .string(Tenant.indicators), "exception": "Connection reset by peer"],
                [
                    "method": "GET", "path": .string(Tenant.combined), "times": "*", "status": 403,
                    "body": ["errors": []],
                ],
            ])
        #expect(try await tenant.find("").json == ["resources": nil, "errors": nil])
        #expect(try await tenant.find("").json["meta"] != nil)
        await #expect(throws: HTTPError.self) { try await tenant.create(Tenant.ioc("a.example")) }
        #expect(try await tenant.create(Tenant.ioc("a.example")).status == 201)
        for _ in 0..<3 { #expect(try await tenant.find("", path: Tenant.combined).status == 403) }
        _ = try await tenant.admin("POST", "reset")
        var fresh = tenant
        fresh.token = try await tenant.newToken().json["access_token"]?.string ?? ""
        #expect(try await fresh.find("", path: Tenant.combined).ids == [])
    }

    @Test func `takes the shared cases: what exists is loaded, what must be created is accepted`() async throws {
        let cases = try JSONValue(parsing: Array(Vectors.data("opencti-crowdstrike-vectors.json")))
        let tenant = try await Tenant { $0.allowsMobile = true }
        for vector in cases["vectors"]?.array ?? [] {
            _ = try await tenant.admin("POST", "reset")
            _ = try await tenant.admin("POST", "settings", ["allows_mobile": true])
            var client = tenant
            client.token = try await tenant.newToken().json["access_token"]?.string ?? ""
            let existing = vector["falcon_existing"]?.array ?? []
            #expect(
                try await tenant.admin("POST", "iocs", .array(existing)).status == 200, "\(vector["id"]?.text ?? "")")
            for effect in vector["expected"]?["effects"]?.array ?? [] {
                guard var item = effect["indicator"]?.object else { continue }
                let name = "\(vector["id"]?.text ?? "") \(item["value"]?.text ?? "")"
                if effect["op"] == "create" {
                    #expect(try await client.create(.object(item)).status == 201, "\(name)")
                } else {
                    item["id"] = effect["id"]
                    #expect(try await client.update(.object(item)).status == 200, "\(name)")
                }
            }
        }
    }

    private func base64(_ text: String) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var result = ""
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let three = Array(rest.prefix(3)) + [0, 0]
            let bits = Int(three[0]) << 16 | Int(three[1]) << 8 | Int(three[2])
            let digits = (0..<4).map { String(alphabet[bits >> (18 - 6 * $0) & 63]) }
            result += digits.prefix(rest.count + 1).joined() + String(repeating: "=", count: max(0, 3 - rest.count))
            rest = rest.dropFirst(3)
        }
        return result
    }
}
