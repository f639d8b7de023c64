// SPDX-License-Identifier: Apache-2.0

import FalconSimulator
import HTTPClient
import JSON
import Testing

@Suite("Simulated Falcon: writes") struct FalconWriteTests {
    private let tenant: Tenant

    init() async throws { tenant = try await Tenant() }

    @Test func `creates with the vendor's envelope`() async throws {
        let reply = try await tenant.create(Tenant.ioc("a.example"), Tenant.ioc("b.example", ["tags": []]))
        #expect(reply.status == 201)
        #expect(reply.values == ["a.example", "b.example"])
        let made = try #require(reply.json["resources"]?[0])
        #expect(made["id"]?.string?.utf8.count == 64)
        #expect(made["created_by"]?.string == FalconConfiguration.defaultClient.id)
        #expect(made["deleted"] == false && made["expired"] == false && made["tags"] == ["one"])
        #expect(reply.json["meta"]?["powered_by"] == "ioc-manager")
        #expect(reply.json["meta"]?["pagination"]?["total"]?.int == 2)
        #expect(reply.headers["X-Cs-Traceid"] == reply.json["meta"]?["trace_id"]?.string)
        #expect(reply.headers["X-Ratelimit-Limit"] == "6000")
    }

    static let breaches: [(String, JSONObject)] = [
        ("no type", ["type": nil]), ("a url", ["type": "url"]), ("sha1", ["type": "sha1"]),
        ("an empty value", ["value": ""]), ("a value too long", ["value": .string(String(repeating: "a", count: 201))]),
        ("a blank in a domain", ["value": "a b.example"]), ("a short md5", ["type": "md5", "value": "6a"]),
        ("no address", ["type": "ipv4", "value": "300.1.1.1"]), ("a range", ["type": "ipv4", "value": "10.0.0.0/8"]),
        ("the wrong family", ["type": "ipv6", "value": "10.0.0.1"]), ("no platforms", ["platforms": []]),
        ("null platforms", ["platforms": nil]), ("an unknown platform", ["platforms": ["amiga"]]),
        ("mobile without licence", ["platforms": ["windows", "ios"]]), ("an unknown action", ["action": "kill"]),
        ("prevent for a domain", ["action": "prevent"]), ("allow for a domain", ["action": "allow", "severity": nil]),
        ("detect without severity", ["severity": nil]), ("an unknown severity", ["severity": "extreme"]),
        ("applied nowhere", ["applied_globally": false]), ("no applied_globally", ["applied_globally": nil]),
        ("a host group that is none", ["applied_globally": false, "host_groups": ["x"]]),
        ("no time", ["expiration": "soon"]), ("a time without zone", ["expiration": "2030-01-01T00:00:00"]),
        ("a long source", ["source": .string(String(repeating: "s", count: 257))]), ("an empty tag", ["tags": [""]]),
        ("a number as description", ["description": 1]), ("a file name for a domain", ["metadata": ["filename": "x"]]),
        ("mobile prevent_no_ui", ["mobile_action": "prevent_no_ui"]),
    ]

    @Test(arguments: breaches) func `refuses the whole request for one bad item`(_ name: String, _ change: JSONObject)
        async throws
    {
        let reply = try await tenant.create(Tenant.ioc("good.example"), Tenant.ioc("bad.example", change))
        #expect(reply.status == 400, "\(name)")
        #expect(!reply.message.isEmpty)
        #expect(try await tenant.find("deleted:false").ids == [])
    }

    @Test func `takes what the vendor takes`() async throws {
        let hash = String(repeating: "6a", count: 32)
        let group = String(repeating: "ab", count: 16)
        let reply = try await tenant.create(
            Tenant.ioc(hash, ["type": "sha256", "action": "prevent", "metadata": ["filename": "x.exe"]]),
            Tenant.ioc(String(hash.prefix(32)), ["type": "md5", "action": "allow", "severity": ""]),
            Tenant.ioc("2001:db8::1", ["type": "ipv6", "severity": "LOW", "expiration": "2030-01-31"]),
            Tenant.ioc("198.51.100.7", ["type": "ipv4", "applied_globally": false, "host_groups": [.string(group)]]),
            Tenant.ioc(
                "a.example", ["action": "no_action", "severity": nil, "expiration": "2030-01-01T00:00:00+02:00"]))
        #expect(reply.status == 201, "\(reply.text)")
        #expect(reply.json["resources"]?[2]?["severity"] == "low")
        #expect(reply.json["resources"]?[2]?["expiration"] == "2030-01-31T00:00:00Z")
        #expect(reply.json["resources"]?[4]?["expiration"] == "2029-12-31T22:00:00Z")
        #expect(reply.json["resources"]?[0]?["metadata"]?["filename"] == "x.exe")
    }

    @Test func `refuses duplicates of any case, in the tenant and in the request`() async throws {
        _ = try await tenant.create(Tenant.ioc("a.example"))
        let again = try await tenant.create(Tenant.ioc("b.example"), Tenant.ioc("A.Example"))
        #expect(again.status == 400)
        #expect(again.message == "Duplicate type: 'domain' and value: 'A.Example' combination.")
        let twice = try await tenant.create(Tenant.ioc("c.example"), Tenant.ioc("c.example"))
        #expect(twice.status == 400)
        #expect(try await tenant.find("value:['b.example','c.example']").ids == [])
    }

    @Test func `keeps what an update leaves out and clears what it nulls`() async throws {
        let made = try await tenant.create(
            Tenant.ioc("a.example", ["expiration": "2030-01-01T00:00:00Z", "description": "text"]))
        let id = try #require(made.json["resources"]?[0]?["id"]?.string)
        let first = try await tenant.update(["id": .string(id), "severity": "low", "type": "md5", "value": "ignored"])
        let changed = try #require(first.json["resources"]?[0])
        #expect(changed["severity"] == "low" && changed["value"] == "a.example" && changed["description"] == "text")
        #expect(changed["expiration"] == "2030-01-01T00:00:00Z" && changed["tags"] == ["one"])
        let second = try await tenant.update(["id": .string(id), "expiration": nil, "tags": [], "description": ""])
        let cleared = try #require(second.json["resources"]?[0])
        #expect(cleared["expiration"] == nil && cleared["tags"] == [] && cleared["description"] == nil)
        #expect(cleared["severity"] == "low")
    }

    @Test func `refuses updates of unknown ids and against the rules, applying nothing`() async throws {
        let made = try await tenant.create(Tenant.ioc("a.example"))
        let id = try #require(made.json["resources"]?[0]?["id"]?.string)
        let other = String(repeating: "0", count: 64)
        let unknown = try await tenant.update(["id": .string(id), "severity": "low"], ["id": .string(other)])
        #expect(unknown.status == 404 && unknown.json["errors"]?[0]?["id"]?.string == other)
        #expect(try await tenant.update(["id": .string(id), "action": "prevent"]).status == 400)
        #expect(try await tenant.update(["id": .string(id), "severity": nil]).status == 400)
        #expect(try await tenant.update(["severity": "low"]).status == 400)
        let now = try await tenant.send("GET", Tenant.indicators, query: [("ids", id)])
        #expect(now.json["resources"]?[0]?["severity"] == "high")
    }

    @Test func `updates in bulk by filter`() async throws {
        _ = try await tenant.create(
            Tenant.ioc("a.example"), Tenant.ioc("b.example"), Tenant.ioc("c.example", ["source": "x"]))
        let body: JSONValue = ["bulk_update": ["filter": "source:'test'", "action": "no_action"], "comment": "bulk"]
        let reply = try await tenant.send("PATCH", Tenant.indicators, body: body.text)
        #expect(reply.status == 200)
        #expect(reply.values == ["a.example", "b.example"])
        #expect(try await tenant.find("action:'detect'", path: Tenant.combined).values == ["c.example"])
    }

    @Test func `deletes by ids and by filter, and takes the value again`() async throws {
        let made = try await tenant.create(Tenant.ioc("a.example"), Tenant.ioc("b.example"), Tenant.ioc("c.example"))
        let ids = made.json["resources"]?.array?.compactMap { $0["id"]?.string } ?? []
        let unknown = String(repeating: "0", count: 64)
        let some = try await tenant.send("DELETE", Tenant.indicators, query: [("ids", ids[0]), ("ids", unknown)])
        #expect(some.status == 200 && some.ids == [ids[0]] && some.json["errors"]?[0]?["code"]?.int == 404)
        #expect(try await tenant.send("DELETE", Tenant.indicators, query: [("ids", ids[0])]).status == 404)
        #expect(try await tenant.send("DELETE", Tenant.indicators).status == 400)
        let wins = try await tenant.send(
            "DELETE", Tenant.indicators, query: [("ids", ids[2]), ("filter", "value:'b.example'")])
        #expect(wins.ids == [ids[1]] && wins.json["errors"] == .null)
        let again = try await tenant.create(Tenant.ioc("a.example"))
        #expect(again.status == 201)
        #expect(again.json["resources"]?[0]?["id"]?.string != ids[0])
        #expect(try await tenant.find("deleted:true", path: Tenant.combined).values == ["a.example", "b.example"])
        let writes = try await tenant.admin("GET", "states").json["writes"]
        #expect(writes?["creates"]?.int == 4 && writes?["deletes"]?.int == 2 && writes?["recreates"]?.int == 1)
    }

    @Test func `stops at the quota`() async throws {
        _ = try await tenant.admin("POST", "settings", ["quota": 2])
        _ = try await tenant.create(Tenant.ioc("a.example"))
        let full = try await tenant.create(Tenant.ioc("b.example"), Tenant.ioc("c.example"))
        #expect(full.status == 400 && full.message.contains("Limit of 1 million indicators reached."))
        #expect(try await tenant.create(Tenant.ioc("b.example")).status == 201)
    }

    @Test func `creates a part of a request and names the rest when told to`() async throws {
        _ = try await tenant.admin("POST", "settings", ["fails_every": 2])
        let reply = try await tenant.create(Tenant.ioc("a.example"), Tenant.ioc("b.example"), Tenant.ioc("c.example"))
        #expect(reply.status == 201)
        #expect(reply.values == ["a.example", "c.example"])
        #expect(reply.message.contains("b.example"))
    }

    @Test func `refuses what is no JSON, no list, or too long a list`() async throws {
        #expect(try await tenant.send("POST", Tenant.indicators, body: "{").status == 400)
        #expect(try await tenant.send("POST", Tenant.indicators, body: "{}").status == 400)
        #expect(try await tenant.send("POST", Tenant.indicators, body: #"{"indicators":[]}"#).status == 400)
        let many = JSONValue.array((0...2000).map { Tenant.ioc("h\($0).example") })
        let body: JSONValue = ["indicators": many]
        #expect(try await tenant.send("POST", Tenant.indicators, body: body.text).status == 400)
        let flag = try await tenant.create(Tenant.ioc("a.example"), flags: [("ignore_warnings", "maybe")])
        #expect(flag.status == 400)
    }
}
