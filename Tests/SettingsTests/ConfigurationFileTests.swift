// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@testable import Settings

@Suite("sallyport.yaml") struct ConfigurationFileTests {
    static let whole = """
        connections:
          opencti: { url: https://opencti.example, token: ${env:T} }
          falcon-eu:
            kind: falcon
            base_url: https://api.eu-1.crowdstrike.com
            client_secret: ${file:secret}
        log: { level: debug }
        flows:
          iocs-to-falcon:
            connector: opencti-crowdstrike
            opencti: opencti
            falcon: falcon-eu
            live_stream_id: abc
            owned_client_ids: [a, "${env:T}-b"]

        """

    @Test func `connections and flows become one set of settings per flow`() throws {
        let folder = try Folder(["secret": "s3cret\n"])
        let configuration = try Sample.yaml(Self.whole, ["T": "t0ken"], in: folder)
        #expect(configuration.flows.map(\.name) == ["iocs-to-falcon"] && configuration.warnings.isEmpty)
        let flow = configuration.flows[0]
        #expect(flow.connections == ["opencti": "opencti", "falcon": "falcon-eu"])
        #expect(flow.connector.name == "opencti-crowdstrike")
        #expect(flow.settings[Sample.url].text == "https://opencti.example")
        #expect(flow.settings[Sample.token].reveal() == "t0ken")
        #expect(flow.settings[Sample.baseURL].host == "api.eu-1.crowdstrike.com")
        #expect(flow.settings[Sample.owned] == ["a", "t0ken-b"])
        #expect(flow.settings[LogSettings.level] == .debug && configuration.process[LogSettings.level] == .debug)
        #expect(flow.settings[Sample.port] == 9113)
        try folder.write("secret", "new")
        #expect(try flow.settings.source(of: Sample.secret).read().reveal() == "new")
        #expect(flow.settings.origin(of: Sample.stream).description.hasSuffix("sallyport.yaml:13:21"))
    }

    // covers: config:unknown-yaml, config:all-problems
    @Test func `all problems at once, with place and nearest name`() {
        let problems = Sample.problems {
            try Sample.yaml(
                """
                connections:
                  opencti: { url: opencti.example, token: "${env:NONE}", tokn: x }
                  falcon: { base_url: https://api.crowdstrike.com }
                  spare: {}
                lgo: {}
                log: { levl: debug, format: xml }
                flows:
                  a:
                    connector: opencti-crowdstrik
                  b:
                    connector: opencti-crowdstrike
                    opencti: openct
                    batch_size: "${env"
                    bad key: 1
                  "c c": {}
                  d: [1]
                """)
        }
        #expect(
            problems == [
                "sallyport.yaml:5:1: lgo: This key is not known. Did you mean “log”?",
                "sallyport.yaml:6:8: log.levl: This key is not known. Did you mean “level”?",
                "sallyport.yaml:6:29: log.format: “xml” is not allowed. Give auto, pretty, json, logfmt or opencti.",
                "sallyport.yaml:15:3: flows: “c c” is no name. Use at most 64 letters, digits, - and _.",
                "sallyport.yaml:16:6: flows.d: Here is a list where a section is expected. Write its keys below it, indented.",
                "sallyport.yaml:9:16: flows.a.connector: There is no connector “opencti-crowdstrik”. Did you mean “opencti-crowdstrike”?",
                "sallyport.yaml:12:14: flows.b.opencti: There is no connection “openct”. Did you mean “opencti”?",
                "warning: sallyport.yaml:2:3: connections.opencti: No flow uses this connection. Remove it, or name it in a flow.",
                "sallyport.yaml:2:58: connections.opencti.tokn: This key is not known. Did you mean “token”?",
                "sallyport.yaml:4:3: connections.spare.kind: Nothing says what kind of connection this is. Add “kind:” with one of falcon, opencti.",
                "sallyport.yaml:14:5: flows.b.bad key: This key is not known. Remove it. Known: connector, opencti, falcon, live_stream_id, batch_size, soft_delete_action, owned_client_ids, list.",
                "sallyport.yaml:3:3: connections.falcon.client_secret (CROWDSTRIKE_CLIENT_SECRET): It is required. Add “client_secret” to connections.falcon, or set CROWDSTRIKE_CLIENT_SECRET.",
                "sallyport.yaml:10:3: flows.b.live_stream_id (CONNECTOR_LIVE_STREAM_ID): It is required. Add “live_stream_id” to flows.b, or set CONNECTOR_LIVE_STREAM_ID.",
                "sallyport.yaml:13:17: flows.b.batch_size: The reference has no closing brace. Write ${env:NAME} or ${file:/path}.",
            ])
    }

    static let two = """
        connections:
          opencti: {url: https://o.example, token: t}
          eu: {client_secret: yaml-eu}
          us: {client_secret: yaml-us, kind: falcon}
        flows:
          a: {connector: opencti-crowdstrike, falcon: eu, live_stream_id: x}
          b: {connector: opencti-crowdstrike, falcon: us, live_stream_id: y, batch_size: 3}

        """

    @Test func `a variable applies only where it can mean one thing`() throws {
        let one = Self.two.split(separator: "\n").filter { !$0.contains("us") }.joined(separator: "\n")
        let single = try Sample.yaml(one, ["CROWDSTRIKE_CLIENT_SECRET": "env", "CROWDSTRIKE_BATCH_SIZE": "9"])
        #expect(single.flows[0].settings[Sample.secret].reveal() == "env")
        #expect(single.flows[0].settings[Sample.batch] == 9 && single.warnings.isEmpty)

        let several = try Sample.yaml(
            Self.two, ["CROWDSTRIKE_CLIENT_SECRET": "env", "OPENCTI_TOKEN": "both", "SALLYPORT_LOG_LEVEL": "debug"])
        #expect(several.flows.map { $0.settings[Sample.secret].reveal() } == ["yaml-eu", "yaml-us"])
        #expect(several.flows.map { $0.settings[Sample.token].reveal() } == ["both", "both"])
        #expect(several.process[LogSettings.level] == .debug)
        #expect(several.warnings.map(\.variable) == ["CROWDSTRIKE_CLIENT_SECRET"])
    }

    @Test func `the command line names a key everywhere or in one place`() throws {
        let configuration = try Sample.yaml(
            Self.two,
            overrides: [
                .init(key: "crowdstrike.batch_size", text: "5"), .init(key: "flows.a.batch_size", text: "6"),
                .init(key: "connections.us.base_url", text: "https://us.example"),
                .init(key: "log.level", text: "error"),
            ])
        #expect(configuration.flows.map { $0.settings[Sample.batch] } == [6, 5])
        #expect(configuration.flows.map { $0.settings[Sample.baseURL].host } == ["api.crowdstrike.com", "us.example"])
        #expect(configuration.process[LogSettings.level] == .error)
        #expect(
            Sample.problems { try Sample.yaml(Self.two, overrides: [.init(key: "flows.a.batchsize", text: "1")]) } == [
                "flows.a.batchsize: The command line sets a key that is not known. Did you mean flows.a.batch_size?"
            ])
    }

    @Test func `a connection of the wrong kind is refused`() {
        let problems = Sample.problems {
            try Sample.yaml(Self.two.replacing("falcon: us", with: "falcon: opencti"))
        }
        #expect(
            problems.contains(
                "sallyport.yaml:2:3: flows.b.falcon: The connection “opencti” is of kind opencti, not falcon. Name a connection of kind falcon."
            ))
    }

    // covers: config:references
    @Test func `a reference that can't be followed is one error`() {
        let problems = Sample.problems {
            try Sample.yaml(
                Self.two.replacing("yaml-eu", with: "${file:/nowhere/x}").replacing("yaml-us", with: "${env:NOT_SET}")
                    .replacing("batch_size: 3", with: "batch_size: ${exec:rm}"))
        }
        #expect(problems.count == 3, "\(problems)")
        #expect(problems.contains { $0.contains("connections.eu.client_secret: The file “/nowhere/x” cannot be read") })
        #expect(problems.contains { $0.contains("connections.us.client_secret: The variable NOT_SET") })
    }

    @Test func `a value that came through a reference is not shown`() throws {
        let problems = Sample.problems {
            try Sample.yaml(Self.two.replacing("batch_size: 3", with: "batch_size: \"${env:PW}\""), ["PW": "hunter2"])
        }
        #expect(
            problems == [
                "sallyport.yaml:7:82: flows.b.batch_size: The value is no whole number. Give a whole number, from 1 to 2000."
            ])
    }

    @Test(arguments: [
        "", "# nothing\n", "flows: {}\n", "- a\n", "just text\n", "flows:\n  a: {}\n", "connections: 5\n",
    ])
    func `a file without a flow is an error, never a crash`(_ text: String) {
        let problems = Sample.problems { try Sample.yaml(text) }
        #expect(!problems.isEmpty && problems.allSatisfy { $0.hasPrefix("sallyport.yaml:") }, "\(problems)")
    }

    @Test func `a missing file says which`() {
        #expect {
            try Sample.catalogue.file("/nowhere/sallyport.yaml", input: SettingsInput())
        } throws: { error in
            let error = error as? SettingsError
            return error?.code == "settings.invalid" && error?.description.contains("/nowhere/sallyport.yaml") == true
        }
    }

    @Test func `a connection is found by its kind's name when the flow is silent`() throws {
        let configuration = try Sample.yaml(
            "connections: {opencti: {url: https://o, token: t}}\nflows: {a: {connector: opencti-other}}\n")
        #expect(configuration.flows[0].connections == ["opencti": "opencti"])
    }

    @Test func `secrets given as numbers stay text`() throws {
        let configuration = try Sample.yaml(
            "connections: {opencti: {url: https://o, token: 0012}}\nflows: {a: {connector: opencti-other}}\n")
        #expect(configuration.flows[0].settings[Sample.token].reveal() == "0012")
    }
}
