// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import HarfangLab
import JSON
import Testing

/// What is sent, and what is made of the answers. Source: HarfangLab ↔ OpenCTI, 1.
@Suite("The console's API") struct ClientTests {
    /// A console that gives one answer again and again.
    private struct Console {
        let transport: ScriptedTransport
        let client: HarfangLabClient

        init(_ answer: ScriptedTransport.Answer = .status(200, "{}")) throws {
            transport = ScriptedTransport { _ in answer }
            client = try HarfangLabClient(
                transport: transport, url: "https://hl.example:8443//", token: { Secret("t0ken") })
        }

        init(_ status: Int, _ body: String) throws { try self.init(.status(status, body)) }

        /// `GET /api/version`, with the body where there is one.
        var asked: [String] {
            transport.requests.map { recorded in
                let target = recorded.request.url.dropFirst("https://hl.example:8443".count)
                let body = recorded.text
                return "\(recorded.request.method.rawValue) \(target)" + (body.isEmpty ? "" : " \(body)")
            }
        }
    }

    private static let page = #"{"count":0,"next":null,"previous":null,"results":[]}"#
    private static let alerts = "/api/data/alert/alert"
    private static let intelligence = "/api/data/threat_intelligence"

    // covers: harfanglab:header_authorization, harfanglab:header_accept
    @Test func `every request carries the token and asks for JSON`() async throws {
        let console = try Console()
        _ = try await console.client.version()
        let headers = try #require(console.transport.requests.first).request.headers
        #expect(headers["Authorization"] == "Token t0ken")
        #expect(headers["Accept"] == "application/json" && headers["Content-Type"] == "application/json")
    }

    // covers: harfanglab:call_version, harfanglab:call_me, harfanglab:call_api_token
    @Test func `version, user and a short-lived token`() async throws {
        let console = try Console(200, #"{"version":"9.11.0","username":"opencti","api_token":"short"}"#)
        #expect(try await console.client.version() == "9.11.0")
        #expect(try await console.client.me() == "opencti")
        #expect(try await console.client.makeShortLivedToken().reveal() == "short")
        #expect(
            console.asked == [
                "GET /api/version", "GET /api/auth/users/me",
                #"POST /api/user/api_token/ {"is_expirable":true}"#,
            ])
    }

    // covers: harfanglab:call_list_sources, harfanglab:call_create_source
    @Test(arguments: [(RuleKind.ioc, "IOCSource"), (.sigma, "SigmaSource"), (.yara, "YaraSource")])
    func `a list is found by its exact name, or made`(_ kind: RuleKind, _ path: String) async throws {
        let found = try Console(
            200, #"{"count":2,"next":null,"results":[{"id":"1","name":"x"},{"id":"2","name":"mine"}]}"#)
        #expect(try await found.client.obtainSource(kind, named: "mine").id == "2")
        #expect(found.asked == ["GET \(Self.intelligence)/\(path)?name__exact=mine"])
        let missing = try Console(200, Self.page)
        await #expect(throws: HarfangLabError.self) { try await missing.client.obtainSource(kind, named: "mine") }
        let made = try #require(missing.asked.last)
        #expect(made.hasPrefix("POST \(Self.intelligence)/\(path)/ {") && made.contains(#""enabled":true"#))
    }

    // covers: harfanglab:call_find_ioc, harfanglab:call_create_ioc, harfanglab:call_update_ioc, harfanglab:call_delete_ioc
    // covers: harfanglab:call_search_ioc, harfanglab:param_value_exact, harfanglab:param_search, harfanglab:slash
    @Test func `IOC rules`() async throws {
        let console = try Console(200, #"{"id":"7","count":0,"next":null,"results":[]}"#)
        let client = console.client
        let body: JSONValue = ["value": "a&b"]
        _ = try await client.iocRule(source: "s", type: "url", value: "http://a/?b=c&d")
        _ = try await client.iocRules(value: "a b")
        _ = try await client.searchIOCRules(source: "s", "indicator--1")
        #expect(try await client.createIOCRule(body) == "7")
        try await client.updateIOCRule("7", body)
        try await client.deleteIOCRule("7")
        let rules = "\(Self.intelligence)/IOCRule"
        #expect(
            console.asked == [
                "GET \(rules)?source_id=s&type=url&value__exact=http%3A%2F%2Fa%2F%3Fb%3Dc%26d",
                "GET \(rules)?value__exact=a%20b", "GET \(rules)?source_id=s&search=indicator--1",
                #"POST \#(rules)/ {"value":"a&b"}"#, #"PATCH \#(rules)/7 {"value":"a&b"}"#, "DELETE \(rules)/7",
            ])
    }

    // covers: harfanglab:call_find_sigma, harfanglab:call_create_sigma, harfanglab:call_update_sigma
    // covers: harfanglab:call_delete_sigma, harfanglab:call_find_yara, harfanglab:call_create_yara
    // covers: harfanglab:call_update_yara, harfanglab:call_delete_yara, harfanglab:param_rule_name_exact
    @Test(arguments: [(RuleKind.sigma, "SigmaRule"), (.yara, "YaraFile")])
    func `Sigma rules and YARA files`(_ kind: RuleKind, _ path: String) async throws {
        let console = try Console(200, #"{"id":"7","name":"n","count":0,"next":null,"results":[]}"#)
        let client = console.client
        _ = try await client.contentRule(kind, source: "s", named: "n")
        #expect(try await client.createContentRule(kind, ["name": "n"]) == "7")
        try await client.updateContentRule(kind, "7", ["name": "n"])
        #expect(try await client.contentRule(kind, id: "7")?.name == "n")
        try await client.deleteContentRule(kind, "7")
        let rules = "\(Self.intelligence)/\(path)"
        #expect(
            console.asked == [
                "GET \(rules)?source_id=s&name__exact=n", #"POST \#(rules)/ {"name":"n"}"#,
                #"PATCH \#(rules)/7 {"name":"n"}"#, "GET \(rules)/7", "DELETE \(rules)/7",
            ])
        _ = try await client.sigmaRules(titled: "t")
        _ = try await client.yaraFiles(named: "f")
        _ = try await client.searchYARAFiles("f")
        #expect(
            console.asked.suffix(3) == [
                "GET \(Self.intelligence)/SigmaRule?rule_name__exact=t",
                "GET \(Self.intelligence)/YaraFile?name__exact=f", "GET \(Self.intelligence)/YaraFile?search=f",
            ])
    }

    // covers: harfanglab:answer_status_list, harfanglab:answer_plain_id
    @Test(arguments: [200, 201]) func `a rule's creation is answered in two ways`(_ status: Int) async throws {
        for body in [#"{"id":"7"}"#, #"{"status":[{"id":"7","filename":"n","status":true,"code":null}]}"#] {
            #expect(try await Console(status, body).client.createContentRule(.sigma, ["name": "n"]) == "7")
        }
    }

    // covers: harfanglab:answer_status_false, harfanglab:answer_status_empty, hlbug:intel-9
    @Test(arguments: [
        (#"{"status":[{"status":false,"code":"invalid_sigma_content","content":"why"}]}"#, "invalid_sigma_content"),
        (#"{"status":[{"code":"duplicate_rule"}]}"#, "duplicate_rule"), (#"{"status":[]}"#, "empty_status"),
        (#"{"status":[{"status":null}]}"#, "refused"),
    ])
    func `a 2xx may carry a refusal`(_ body: String, _ code: String) async throws {
        let error = await #expect(throws: HarfangLabError.self) {
            try await Console(201, body).client.createContentRule(.yara, ["name": "n"])
        }
        guard case .contentRefused(code, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    // covers: harfanglab:status_400, harfanglab:status_400_exists, harfanglab:status_401, harfanglab:status_403
    // covers: harfanglab:status_404, harfanglab:status_408, harfanglab:status_429, harfanglab:status_5xx
    // covers: harfanglab:status_redirect, harfanglab:error_linked
    @Test(arguments: [
        (400, #"{"name":["too long"]}"#, "harfanglab.refused", false),
        (
            400, #"{"__all__":["['Ioc rule with this Type, Value and Source already exists.']"]}"#,
            "harfanglab.already_exists", false
        ),
        (400, #"{"id":["Sigma rule with this Id already exists."]}"#, "harfanglab.already_exists", false),
        (
            400, #"{"code":"linked_sigma_rule","linked_correlation":[{"correlation_rule_name":"chain"}]}"#,
            "harfanglab.refused", false
        ),
        (401, #"{"detail":"no"}"#, "harfanglab.unauthorized", false), (403, "{}", "harfanglab.forbidden", false),
        (404, #"{"detail":"Not found."}"#, "harfanglab.not_found", false), (408, "", "harfanglab.unavailable", true),
        (429, "", "harfanglab.rate_limit", true), (500, "<html>", "harfanglab.unavailable", true),
        (503, "", "harfanglab.unavailable", true), (301, "", "harfanglab.redirected", false),
        (200, "<html>", "harfanglab.malformed", true),
    ])
    func `refusals are told apart`(_ status: Int, _ body: String, _ code: String, _ isRetryable: Bool) async throws {
        let error = await #expect(throws: HarfangLabError.self) {
            try await Console(status, body).client.createIOCRule(["value": "v"])
        }
        #expect(error?.code.text == code && error?.isRetryable == isRetryable)
        if body.contains("chain") { #expect(error?.description.contains("chain") == true) }
    }

    // covers: harfanglab:retry_after
    @Test func `the console's wish to wait is kept`() async throws {
        let error = await #expect(throws: HarfangLabError.self) {
            try await Console(.status(429, headers: ["Retry-After": "7"], "")).client.version()
        }
        guard case .rateLimited(.some(.seconds(7)))? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    // covers: harfanglab:call_list_alerts, harfanglab:param_status, harfanglab:param_alert_type, harfanglab:param_maturity
    // covers: harfanglab:param_ordering, harfanglab:param_limit, harfanglab:param_from, harfanglab:param_threat_key
    // covers: harfanglab:param_last_update, harfanglab:call_list_threats
    @Test func `lists of events and threats`() async throws {
        let console = try Console(200, Self.page)
        let filter = AlertFilter(statuses: "new,closed", types: "ioc")
        _ = try await console.client.alerts(filter, from: "2026-03-02T07:26:01.276000+00:00")
        _ = try await console.client.alerts(filter, ofThreat: 41)
        _ = try await console.client.alerts(filter, updatedSince: "2026-03-02T07:26:01+00:00")
        _ = try await console.client.threats(from: "2026-03-02")
        _ = try await console.client.threats(updatedSince: "2026-03-02")
        let common = "\(Self.alerts)/Alert?status=new%2Cclosed&alert_type=ioc&maturity=stable"
        #expect(
            console.asked == [
                "GET \(common)&ordering=alert_time&limit=100&from=2026-03-02T07%3A26%3A01.276000%2B00%3A00",
                "GET \(common)&ordering=alert_time&limit=100&threat_key=41",
                "GET \(common)&ordering=last_update&limit=100&last_update__gte=2026-03-02T07%3A26%3A01%2B00%3A00",
                "GET \(Self.alerts)/Threat?limit=100&ordering=creation_date&from=2026-03-02",
                "GET \(Self.alerts)/Threat?limit=100&ordering=last_update&last_update__gte=2026-03-02",
            ])
    }

    // covers: harfanglab:call_get_alert, harfanglab:call_tag_alerts, harfanglab:call_get_threat
    // covers: harfanglab:call_threat_rules, harfanglab:call_threat_status, harfanglab:call_threat_comment
    // covers: harfanglab:call_list_agents, harfanglab:call_get_agent, harfanglab:call_users
    @Test func `single events, threats, agents and users`() async throws {
        let console = try Console(200, #"{"alert":{"id":"a"},"count":0,"next":null,"results":[]}"#)
        let client = console.client
        #expect(try await client.alert("a/b")?["id"]?.string == "a")
        try await client.setStatus(.closed, ofAlerts: ["a"])
        #expect(try await client.threat(41) != nil)
        _ = try await client.rules(ofThreat: 41)
        try await client.setStatus(.investigating, ofThreats: [41])
        try await client.comment("seen", onThreat: 41)
        _ = try await client.agents(hostname: "pc 1", threat: 41)
        _ = try await client.agent("x")
        _ = try await client.users(ofThreat: 41)
        #expect(
            console.asked == [
                "GET \(Self.alerts)/Alert/a%2Fb/details/",
                #"POST \#(Self.alerts)/Alert/tag/ {"ids":["a"],"new_status":"closed"}"#,
                "GET \(Self.alerts)/Threat/41/",
                "GET \(Self.alerts)/Threat/rules/?threat_id=41&fields=rule_level%2Crule_name%2Csecurity_event_count",
                #"PATCH \#(Self.alerts)/Threat/status/ {"threat_ids":[41],"new_status":"investigating","update_by_query":true}"#,
                #"POST \#(Self.alerts)/Threat/41/comment/ {"comment":"seen"}"#,
                "GET /api/data/endpoint/Agent/?limit=100&ordering=firstseen&hostname=pc%201&threat_id=41",
                "GET /api/data/endpoint/Agent/x/", "GET /api/data/host_properties/local_users/windows/?threat_id=41",
            ])
    }

    // covers: harfanglab:call_threat_note
    @Test func `a threat without a note is answered with nothing`() async throws {
        #expect(try await Console(200, "").client.note(ofThreat: 41) == nil)
        #expect(try await Console(404, "{}").client.note(ofThreat: 41) == nil)
        let note = try Console(200, #"{"title":"t","content":"c"}"#)
        #expect(try await note.client.note(ofThreat: 41)?["content"]?.string == "c")
        #expect(note.asked == ["GET \(Self.alerts)/Threat/41/note"])
    }

    // covers: harfanglab:paging_next, harfanglab:paging_host, harfanglab:paging_ceiling
    @Test func `pages follow the console's own words, on its own host, below its ceiling`() async throws {
        func next(_ text: String) throws -> Console {
            try Console(200, #"{"count":20000,"next":"\#(text)","results":[{"id":"1"}]}"#)
        }
        let list = "\(Self.alerts)/Alert?limit=100&offset=100"
        for text in [list, "https://hl.example:8443\(list)"] {
            let console = try next(text)
            let page = try await console.client.alerts(AlertFilter(statuses: nil, types: nil), from: "x")
            #expect(page.next == list && !page.isCutAtCeiling && page.count == 20_000)
            _ = try await console.client.page(try #require(page.next), operation: "list_Alert")
            #expect(console.asked.last == "GET \(list)")
        }
        await #expect(throws: HarfangLabError.self) {
            try await next("https://evil.example\(list)").client.threats(from: "x")
        }
        let last = try await next("\(Self.alerts)/Alert?limit=100&offset=10000").client.threats(from: "x")
        #expect(last.next == nil && last.isCutAtCeiling)
    }

    // covers: harfanglab:token_missing
    @Test(arguments: ["", "two words", "ünsafe"]) func `a token that can't be one is refused at the start`(
        _ token: String
    ) {
        #expect(throws: HarfangLabError.self) {
            try HarfangLabClient(
                transport: ScriptedTransport { _ in .status(200, "") }, url: "https://hl.example",
                token: { Secret(token) })
        }
    }
}
