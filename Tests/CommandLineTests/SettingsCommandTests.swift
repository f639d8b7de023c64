// SPDX-License-Identifier: Apache-2.0

import Foundation
import JSON
import Settings
import Testing

@testable import sallyport

@Suite("sallyport settings") struct SettingsCommandTests {
    private func answer(_ line: String...) throws -> String {
        guard case .run(let parsed) = try ArgumentParser(root: .sallyport).parse(["settings"] + line) else { return "" }
        return try SettingsCommand.answer(parsed, width: 80)
    }

    // covers: cli:settings
    @Test func `a terminal shows each setting with its default, in lines that fit`() throws {
        let text = try answer()
        let settings = Catalogue.settings.connectors.flatMap(\.settings) + Catalogue.settings.globals
        for setting in settings {
            #expect(text.contains(setting.variables.first ?? setting.key), "\(setting.key)")
        }
        #expect(text.contains("  CROWDSTRIKE_BATCH_SIZE  whole number, default 200\n"))
        #expect(text.contains("  OPENCTI_URL  URL, required\n"))
        for line in text.split(separator: "\n") where line.contains(" ") {
            #expect(line.count <= 80 || line.split(separator: " ").count < 5, "\(line)")
        }
    }

    @Test func `one connector is found by any of its names`() throws {
        let one = try answer("crowdstrike-endpoint-security")
        #expect(try one == answer("opencti-crowdstrike"))
        #expect(one.hasPrefix("opencti-crowdstrike: OpenCTI → CrowdStrike Falcon\n"))
        #expect(!one.contains("SALLYPORT_STATE_DIR"))
        let error = #expect(throws: UsageError.self) { try answer("opencti-crowdstrik") }
        #expect(error?.description.contains("Did you mean “opencti-crowdstrike”?") == true)
    }

    // covers: cli:json
    @Test func `programs get JSON`() throws {
        for line in [["--json"], ["--format", "json"]] {
            let text = try line.count == 1 ? answer(line[0]) : answer(line[0], line[1])
            let listing = try JSONValue(parsing: text)
            #expect(listing["connectors"]?[0]?["name"]?.string == "opencti-crowdstrike")
            #expect(listing["process"]?.array?.isEmpty == false)
        }
        #expect(try JSONValue(parsing: answer("--schema"))["$defs"]?.object != nil)
    }

    @Test func `documents exclude each other`() throws {
        #expect(throws: UsageError.self) { try answer("--sample", "--schema") }
        #expect(try answer("--format", "markdown", "opencti-crowdstrike").hasPrefix("# OpenCTI → CrowdStrike Falcon"))
    }

    @Test func `the samples are what the program takes`() throws {
        let folder = try Folder()
        let secrets = [
            "OPENCTI_TOKEN": "t", "CROWDSTRIKE_CLIENT_ID": "c", "CROWDSTRIKE_CLIENT_SECRET": "s",
            "CROWDSEC_KEY": "k", "SEKOIA_INTAKE_KEY": "k", "HARFANGLAB_TOKEN": "h", "HARFANGLAB_INTEL_TOKEN": "h",
            "HARFANGLAB_INCIDENTS_TOKEN": "h", "SEKOIA_API_KEY": "a", "VMRAY_API_KEY": "v",
        ]
        let yaml = try answer("--sample").replacing("ChangeMe", with: "given")
        let file = try folder.write("sallyport.yaml", yaml)
        let configuration = try Catalogue.settings.file(file, input: SettingsInput(environment: secrets))
        #expect(configuration.flows.map(\.name) == Catalogue.settings.connectors.map(\.name))
        #expect(configuration.warnings.isEmpty)
        let dotEnv = try folder.write(".env", try answer("--sample-env").replacing("ChangeMe", with: "given"))
        let connector = try #require(Catalogue.settings.connector(named: "opencti-crowdstrike"))
        let dropIn = try Catalogue.settings.dropIn(
            connector, files: DropInFiles(dotEnv: dotEnv), input: SettingsInput())
        #expect(dropIn.flows.count == 1 && dropIn.warnings.isEmpty, "\(dropIn.warnings)")
    }
}

@Suite("Examples") struct ExampleTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../examples")
        .standardized
    static let secrets = [
        "OPENCTI_TOKEN": "example-token", "CROWDSTRIKE_CLIENT_ID": "client", "CROWDSTRIKE_CLIENT_SECRET": "secret",
        "CROWDSEC_KEY": "key", "SEKOIA_INTAKE_KEY": "intake-key", "HARFANGLAB_TOKEN": "h",
        "HARFANGLAB_INTEL_TOKEN": "h",
        "HARFANGLAB_INCIDENTS_TOKEN": "h", "SEKOIA_API_KEY": "asset-key", "VMRAY_API_KEY": "v",
    ]
    /// Folders below `examples`, each named as the connector whose compose files it has.
    static let connectors = [
        "opencti-crowdstrike", "crowdsec", "harfanglab", "harfanglab-intel", "harfanglab-incidents", "vmray",
    ]

    static func files(in folder: URL, _ suffix: String) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.lastPathComponent.hasSuffix(suffix) }.sorted { $0.path < $1.path }
    }

    @Test(arguments: try files(in: folder, ".yaml")) func `each sallyport.yaml is accepted`(_ file: URL) throws {
        let scratch = try Folder()
        let secret = try scratch.write("secret", "secret")
        let text = try String(contentsOf: file, encoding: .utf8)
            .replacing("/run/secrets/crowdstrike_client_secret", with: secret)
        let configuration = try Catalogue.settings.file(
            try scratch.write("sallyport.yaml", text), input: SettingsInput(environment: Self.secrets))
        #expect(!configuration.flows.isEmpty && configuration.warnings.isEmpty)
    }

    @Test(arguments: try connectors.flatMap { try files(in: folder.appending(path: $0), ".yaml") })
    func `each compose file's environment is accepted`(_ file: URL) throws {
        let scratch = try Folder()
        var environment: [String: String] = [:]
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
            guard let match = line.wholeMatch(of: /\s+- ([A-Z_]+)=(.*)/) else { continue }
            let name = String(match.1)
            let secret = Self.secrets[name.hasSuffix("_FILE") ? String(name.dropLast(5)) : name]
            if name.hasSuffix("_FILE") {
                environment[name] = try scratch.write(name, try #require(secret))
            } else {
                environment[name] = match.2.hasPrefix("${") ? try #require(secret) : String(match.2)
            }
        }
        let name = file.deletingLastPathComponent().lastPathComponent
        let connector = try #require(Catalogue.settings.connector(named: name))
        let configuration = try Catalogue.settings.dropIn(
            connector, files: DropInFiles(), input: SettingsInput(environment: environment))
        // One original asks for a login that it never used.
        let warnings = configuration.warnings.filter { $0.key != "harfanglab.login" }
        #expect(configuration.flows.count == 1 && warnings.isEmpty, "\(warnings)")
    }
}

/// A folder that goes with its test.
struct Folder: ~Copyable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "sallyport-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    func write(_ name: String, _ text: String) throws -> String {
        let file = url.appending(path: name)
        try text.write(to: file, atomically: true, encoding: .utf8)
        return file.path
    }

    deinit { try? FileManager.default.removeItem(at: url) }
}
