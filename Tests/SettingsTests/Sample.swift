// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation

@testable import Settings

/// A connector with a setting of each sort, in the manner of the real ones.
enum Sample {
    enum Action: String, SettingChoice {
        case keep
        case noAction = "no_action"
    }

    static let url = Setting<EndpointURL>("opencti.url", "URL of the platform.")
        .at(.connection("opencti", "url")).example("https://opencti.example")
    static let token = Setting<Secret>("opencti.token", "API token.").at(.connection("opencti", "token"))
    static let verify = Setting<TLSVerification>("opencti.ssl_verify", default: .system, "TLS.")
        .at(.connection("opencti", "ssl_verify"))
    static let baseURL = Setting<EndpointURL>(
        "crowdstrike.api_base_url", default: "https://api.crowdstrike.com", "Falcon cloud."
    ).at(.connection("falcon", "base_url")).checking {
        $0.isSecureOrLoopback ? nil : InvalidValue("is not encrypted", remedy: "Use https.")
    }
    static let secret = Setting<Secret>("crowdstrike.client_secret", "Secret of the API client.")
        .at(.connection("falcon", "client_secret"))
    static let memberCID = Setting<String?>("crowdstrike.member_cid", "Child CID.")
        .at(.connection("falcon", "member_cid"))
    static let stream = Setting<String>("connector.live_stream_id", "The live stream.")
    static let batch = Setting<Int>("crowdstrike.batch_size", default: 200, "IOCs in a call.").within(1...2000)
    static let action = Setting<Action>("crowdstrike.soft_delete_action", default: .keep, "Of a soft delete.")
    static let owned = Setting<[String]>("crowdstrike.owned_client_ids", default: [], "Former clients.")
    static let metrics = Setting<Bool>("metrics.enable", default: false, "Metrics on.").at(.dropIn)
    static let port = Setting<Int>("metrics.port", default: 9113, "Their port.").at(.dropIn)
        .within(1...65_535).relevant(when: metrics)
    static let renamed = Setting<String?>("intel.list", "A list.").or("harfanglab.list").orVariables("OLD_LIST")
    static let confidence = Setting<Int?>("connector.confidence_level", "Confidence.").at(.dropIn)
        .ignored(because: "the platform computes it")
    static let level = LogSettings.level.or("connector.log_level").defaulting(to: .error)

    static let connector = ConnectorSettings(
        name: "opencti-crowdstrike", aliases: ["crowdstrike-endpoint-security"], title: "OpenCTI → Falcon",
        summary: "Pushes indicators.",
        settings: [
            url, token, verify, baseURL, secret, memberCID, stream, batch, action, owned, metrics, port, renamed,
            confidence, level,
        ],
        rules: [
            { settings in
                settings[batch] == 13 ? .init(batch, "13 brings bad luck.", remedy: "Give another number.") : nil
            }
        ])
    static let other = ConnectorSettings(
        name: "opencti-other", title: "Other", summary: "Another.", settings: [url, token, verify, batch])
    static let catalogue = SettingsCatalogue(connectors: [connector, other])

    static let required = [
        "OPENCTI_URL": "http://opencti:8080/", "OPENCTI_TOKEN": "t0ken", "CROWDSTRIKE_CLIENT_SECRET": "s3cret",
        "CONNECTOR_LIVE_STREAM_ID": "live",
    ]

    /// Drop-in reading of the required variables and more; `nil` takes one away.
    static func dropIn(
        _ changes: [String: String?] = [:], files: DropInFiles = DropInFiles(),
        overrides: [SettingsInput.Override] = []
    ) throws -> Configuration {
        var environment = required
        for (name, value) in changes { environment[name] = value }
        let input = SettingsInput(environment: environment, overrides: overrides)
        return try catalogue.dropIn(connector, files: files, input: input)
    }

    static func yaml(
        _ text: String, _ environment: [String: String] = [:], overrides: [SettingsInput.Override] = [],
        in folder: Folder? = nil
    ) throws -> Configuration {
        let name = folder.map { $0.path("sallyport.yaml") } ?? "sallyport.yaml"
        return try catalogue.read(
            yaml: Array(text.utf8), named: name,
            input: SettingsInput(environment: environment, overrides: overrides))
    }

    /// The lines of the errors that `body` throws, or nothing.
    static func problems(_ body: () throws -> Configuration) -> [String] {
        do { return try body().warnings.map { "warning: \($0)" } } catch let error as SettingsError {
            return error.problems.map { $0.severity == .error ? "\($0)" : "warning: \($0)" }
        } catch { return ["unexpected \(error)"] }
    }
}

/// A folder that goes with the test.
final class Folder {
    private let url = FileManager.default.temporaryDirectory.appendingPathComponent("sallyport-\(UUID().uuidString)")

    init(_ files: [String: String] = [:]) throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        for (name, text) in files { try write(name, text) }
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }

    func write(_ name: String, _ text: String) throws {
        let file = url.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    /// The text with this folder's path cut out.
    func relative(_ lines: [String]) -> [String] { lines.map { $0.replacingOccurrences(of: url.path + "/", with: "") } }
}

extension Folder {
    func writeBytes(_ name: String, _ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
    }
}
