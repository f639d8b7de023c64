// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Testing

@testable import Settings

@Suite("Generated documents") struct DocumentTests {
    static let environment = [
        "OPENCTI_TOKEN": "t", "CROWDSTRIKE_CLIENT_SECRET": "s", "CONNECTOR_LIVE_STREAM_ID": "live",
    ]

    @Test func `the sample file is valid once its placeholders are filled`() throws {
        let text = Sample.catalogue.sampleFile(for: [Sample.connector])
        #expect(throws: SettingsError.self) {
            try Sample.yaml(text, ["OPENCTI_TOKEN": "t", "CROWDSTRIKE_CLIENT_SECRET": "s"])
        }
        let configuration = try Sample.yaml(text.replacing("ChangeMe", with: "live"), Self.environment)
        #expect(configuration.flows.map(\.name) == ["opencti-crowdstrike"] && configuration.warnings.isEmpty)
        #expect(configuration.flows[0].settings[Sample.token].reveal() == "t")
        #expect(configuration.process[LogSettings.level] == .info)
    }

    @Test func `every optional line of the sample file can be switched on`() throws {
        let text = Sample.catalogue.sampleFile(for: [Sample.connector]).replacing("ChangeMe", with: "live")
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let bare = line.drop { $0 == " " }
            guard bare.hasPrefix("#"), !bare.hasPrefix("# ") else { return String(line) }
            return String(line.prefix(line.count - bare.count)) + bare.dropFirst()
        }
        let configuration = try Sample.yaml(lines.joined(separator: "\n"), Self.environment)
        #expect(configuration.flows[0].settings.origin(of: Sample.batch).description.hasPrefix("sallyport.yaml:"))
        #expect(configuration.flows[0].settings[Sample.batch] == 200)
        #expect(configuration.process.isSet(ListenerSettings.address))
    }

    @Test func `the sample environment is valid drop-in configuration`() throws {
        let text = Sample.catalogue.sampleEnvironment(for: Sample.connector).replacing("ChangeMe", with: "x")
        let folder = try Folder([".env": text])
        let files = DropInFiles(dotEnv: folder.path(".env"))
        let configuration = try Sample.catalogue.dropIn(Sample.connector, files: files, input: SettingsInput())
        #expect(configuration.flows[0].settings[Sample.url].text == "https://opencti.example")
        #expect(configuration.flows[0].settings[Sample.stream] == "x")
    }

    // covers: cli:settings
    @Test func `the reference has a row for every setting`() throws {
        let pages = Sample.catalogue.referencePages
        #expect(
            pages.map(\.name) == ["settings.md", "settings-opencti-crowdstrike.md", "settings-opencti-other.md"])
        for setting in Sample.connector.settings where setting.ignoredBecause == nil {
            #expect(pages[1].text.contains("| `\(setting.key)` |"), "\(setting.key)")
        }
        for setting in ProcessSettings.all { #expect(pages[0].text.contains("| `\(setting.key)` |"), "\(setting.key)") }
        for row in [
            "| `crowdstrike.batch_size` | `CROWDSTRIKE_BATCH_SIZE` | `batch_size` | whole number | `200` | IOCs in a call. From 1 to 2000. |",
            "| `opencti.token` | `OPENCTI_TOKEN` | `token` | secret | **required** | API token. |",
            "| `metrics.port` | `METRICS_PORT` | – | whole number | `9113` | Their port. From 1 to 65535. Only with `metrics.enable`. |",
            "| `CONNECTOR_CONFIDENCE_LEVEL` | the platform computes it |",
            "| `intel.list` | `INTEL_LIST`, `HARFANGLAB_LIST`, `OLD_LIST` | `list` | text | – | A list. |",
        ] { #expect(pages[1].text.contains(row + "\n"), "\(pages[1].text)") }
        for page in pages {
            #expect(page.text.hasSuffix("|\n") && !page.text.contains("\n\n\n"), "\(page.text)")
        }
    }

    @Test func `the listing tells all and no secret`() throws {
        let connector = try #require(Sample.catalogue.listing["connectors"]?[0])
        let batch = try #require(connector["settings"]?.array?.first { $0["key"] == "crowdstrike.batch_size" })
        #expect(
            batch == [
                "key": "crowdstrike.batch_size", "variables": ["CROWDSTRIKE_BATCH_SIZE"],
                "place": ["flow": true, "key": "batch_size"], "type": "whole number", "required": false,
                "secret": false,
                "default": "200", "range": "from 1 to 2000", "doc": "IOCs in a call.",
            ])
        let values = try Sample.dropIn().flows[0].settings.listing
        #expect(values[1] == ["key": "opencti.token", "value": "[redacted]", "origin": "OPENCTI_TOKEN"])
        #expect(!values.text.contains("t0ken"))
    }

    @Test func `every reference of the schema leads somewhere, and every key is in it`() throws {
        let schema = Sample.catalogue.jsonSchema
        var references: Set<String> = []
        func walk(_ value: JSONValue) {
            for (key, value) in value.object ?? JSONObject() {
                if key == "$ref", let text = value.string { references.insert(text) }
                walk(value)
            }
            for element in value.array ?? [] { walk(element) }
        }
        walk(schema)
        for reference in references {
            #expect(schema["$defs"]?[String(reference.dropFirst("#/$defs/".count))] != nil, "\(reference)")
        }
        let falcon = schema["$defs"]?["connection-falcon"]?["properties"]
        #expect(
            falcon?["client_secret"]?["writeOnly"] == true
                && falcon?["base_url"]?["default"] == "https://api.crowdstrike.com")
        let flow = try #require(schema["$defs"]?["flow-opencti-crowdstrike"])
        #expect(flow["additionalProperties"] == false)
        #expect(flow["properties"]?["batch_size"]?["anyOf"]?[0] == ["type": "integer", "minimum": 1, "maximum": 2000])
        #expect(flow["properties"]?["soft_delete_action"]?["anyOf"]?[0] == ["enum": ["keep", "no_action"]])
        #expect(schema["properties"]?["log"]?["properties"]?["level"] != nil)
    }

    @Test func `problems are readable by programs`() throws {
        do {
            _ = try Sample.yaml("flows:\n  a: {connector: nothing}\n")
            Issue.record("accepted")
        } catch let error as SettingsError {
            #expect(
                error.problems[0].json == [
                    "severity": "error", "key": "flows.a.connector", "file": "sallyport.yaml", "line": 2, "column": 18,
                    "what": "There is no connector “nothing”.",
                    "remedy": "Name one of opencti-crowdstrike, opencti-other.",
                ])
        }
    }
}
