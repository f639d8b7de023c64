// SPDX-License-Identifier: Apache-2.0

import FalconSimulator
import JSON
import Testing

@Suite("Simulated Falcon: reads") struct FalconReadTests {
    private let tenant: Tenant

    init() async throws { tenant = try await Tenant() }

    private func fill() async throws {
        _ = try await tenant.create(
            Tenant.ioc("a.example", ["tags": ["red", "blue"], "description": "seen in Lisbon"]),
            Tenant.ioc("b.example", ["severity": "low", "source": "other"]),
            Tenant.ioc("198.51.100.7", ["type": "ipv4", "expiration": "2020-01-01T00:00:00Z"]),
            Tenant.ioc(String(repeating: "6a", count: 32), ["type": "sha256", "action": "prevent"]))
    }

    static let filters: [(String, Set<String>)] = [
        ("value:'a.example'", ["a.example"]), (#"value:"a.example""#, ["a.example"]),
        ("value:'A.EXAMPLE'", ["a.example"]), ("value:['A.EXAMPLE']", []),
        ("value:['a.example','b.example','absent']", ["a.example", "b.example"]),
        ("type:'domain'+severity:'low'", ["b.example"]),
        ("type:'domain',type:'ipv4'", ["a.example", "b.example", "198.51.100.7"]),
        ("(value:'a.example',value:'b.example')+source:'other'", ["b.example"]),
        ("type:!'domain'+expired:false", [String(repeating: "6a", count: 32)]), ("expired:true", ["198.51.100.7"]),
        ("expired:true+action:'no_action'", ["198.51.100.7"]), ("tags:'red'", ["a.example"]),
        ("tags:['blue','x']", ["a.example"]),
        ("description:~'lisbon'", ["a.example"]), ("value:*'*.example'", ["a.example", "b.example"]),
        ("value:!*'*.example'+type:['domain']", []), ("expiration:<'2021-01-01T00:00:00Z'", ["198.51.100.7"]),
        ("severity_number:>50+type:'domain'", ["a.example"]), ("created_by:['nobody']", []),
        ("deleted:true", []), ("expiration:null+source:['other']", ["b.example"]),
        ("created_by:'ed578da6b8d84d1e9312e833e493773a'+source:'other'", ["b.example"]),
        ("value:''+type:'ipv4'", ["198.51.100.7"]),
    ]

    @Test(arguments: filters) func `finds what the filter says`(_ filter: String, _ values: Set<String>) async throws {
        try await fill()
        let reply = try await tenant.find(filter, path: Tenant.combined)
        #expect(reply.status == 200)
        #expect(Set(reply.values) == values)
    }

    static let broken = [
        "value", "value:", "value:'a", "value:'a'+", "nothing:'a'", "value:'a')", "(value:'a'", "value:[ ]",
        "value:['a'",
        "value:a", "value:'a' + type:'b'", "value:!>'a'", #"value:"a"b""#,
        Array(repeating: "value:'a'", count: 21).joined(separator: "+"),
    ]

    @Test(arguments: broken) func `refuses a broken filter`(_ filter: String) async throws {
        let reply = try await tenant.find(filter)
        #expect(reply.status == 400 && !reply.message.isEmpty)
    }

    @Test func `reads escaped quotes`() async throws {
        _ = try await tenant.create(Tenant.ioc("a.example", ["tags": [#"it's \ odd"#]]), Tenant.ioc("b.example"))
        #expect(try await tenant.find(#"tags:'it\'s \\ odd'"#, path: Tenant.combined).values == ["a.example"])
    }

    @Test(arguments: ["", "value.asc", "value|desc"]) func `pages with a cursor to an empty page`(_ sort: String)
        async throws
    {
        let values = (0..<7).map { "h\($0).example" }
        for value in values { _ = try await tenant.create(Tenant.ioc(value)) }
        var seen: [String] = []
        var after: String?
        while true {
            var query = [("limit", "3"), ("filter", "deleted:false")]
            if !sort.isEmpty { query.append(("sort", sort)) }
            if let after { query.append(("after", after)) }
            let page = try await tenant.send("GET", Tenant.combined, query: query)
            #expect(page.json["meta"]?["pagination"]?["total"]?.int == 7)
            if page.values.isEmpty {
                #expect(page.json["meta"]?["pagination"]?["after"]?.string == after)
                break
            }
            seen += page.values
            after = try #require(page.json["meta"]?["pagination"]?["after"]?.string)
        }
        #expect(seen == (sort == "value|desc" ? values.reversed() : values))
    }

    @Test func `counts deleted ones in the total and advances the offset`() async throws {
        _ = try await tenant.create(Tenant.ioc("a.example"))
        _ = try await tenant.send("DELETE", Tenant.indicators, query: [("filter", "value:'a.example'")])
        let reply = try await tenant.find("value:'a.example'")
        #expect(reply.ids == [])
        let paging = reply.json["meta"]?["pagination"]
        #expect(
            paging?["total"]?.int == 1 && paging?["offset"]?.int == 1
                && paging?["after"]?.string?.hasPrefix("Wz") == true)
    }

    @Test(arguments: [
        [("limit", "0")], [("limit", "2001")], [("limit", "x")], [("offset", "-1")], [("offset", "9901")],
        [("offset", "1"), ("after", "Wz5b22222c305d")], [("after", "nonsense")], [("sort", "nothing")],
    ]) func `refuses bad paging`(_ query: [(String, String)]) async throws {
        #expect(try await tenant.send("GET", Tenant.search, query: query).status == 400)
    }

    @Test func `offers what the tenant allows`() async throws {
        func list(_ path: String) async throws -> [String] {
            try await tenant.send("GET", "/iocs/queries/\(path)/v1").ids
        }
        #expect(try await list("ioc-types").sorted() == ["domain", "ipv4", "ipv6", "md5", "sha256"])
        #expect(try await list("platforms") == ["windows", "mac", "linux"])
        _ = try await tenant.admin("POST", "settings", ["allows_mobile": true])
        #expect(try await list("platforms") == ["windows", "mac", "linux", "android", "ios"])
        let actions = try await tenant.send(
            "GET", "/iocs/entities/actions/v1", query: [("ids", "prevent"), ("ids", "detect")])
        #expect(actions.json["resources"]?[0]?["platforms_by_type"]?.object?.keys == ["md5", "sha256"])
        #expect(
            actions.json["resources"]?[1]?["platforms_by_type"]?["domain"] == [
                "windows", "mac", "linux", "android", "ios",
            ])
    }

    @Test func `tells where a value was seen, by new and old paths`() async throws {
        let hash = String(repeating: "6a", count: 32)
        _ = try await tenant.admin(
            "POST", "sightings",
            ["type": "sha256", "value": .string(hash), "devices": ["host1": ["pid:host1:1"], "host2": []]])
        let query = [("type", "sha256"), ("value", hash)]
        let count = try await tenant.send("GET", "/iocs/aggregates/indicators/device-count/v1", query: query)
        #expect(count.json["resources"]?[0]?["device_count"]?.int == 2)
        #expect(try await tenant.send("GET", "/indicators/queries/devices/v1", query: query).ids == ["host1", "host2"])
        let processes = try await tenant.send(
            "GET", "/iocs/queries/indicators/processes/v1", query: query + [("device_id", "host1")])
        #expect(processes.ids == ["pid:host1:1"])
        let details = try await tenant.send("GET", "/processes/entities/processes/v1", query: [("ids", "pid:host1:1")])
        #expect(details.json["resources"]?[0]?["device_id"] == "host1")
        #expect(try await tenant.send("GET", "/iocs/queries/indicators/devices/v1").status == 400)
    }
}
