// SPDX-License-Identifier: Apache-2.0

import OpenCTI
import Settings
import Testing

@testable import ConnectorKit

@Suite("What the platform is told of an enrichment connector") struct ConnectorProfileTests {
    private func profile(_ environment: [String: String] = [:]) async throws -> ConnectorProfile {
        try await ServiceRig(environment, handler: ScriptedHandler { _ in .skipped(message: "") }).service.connector
    }

    // covers: key:CONNECTOR_AUTO, key:CONNECTOR_AUTO_UPDATE, key:CONNECTOR_ONLY_CONTEXTUAL
    @Test func `when it wants to be asked`() async throws {
        let plain = try await profile()
        #expect(plain.kind == .internalEnrichment && plain.scope == ["IPv4-Addr"] && plain.playbookCompatible)
        #expect(!plain.auto && !plain.autoUpdate && !plain.onlyContextual && plain.listenCallbackURI == nil)
        let changed = try await profile([
            "CONNECTOR_AUTO": "true", "CONNECTOR_AUTO_UPDATE": "yes", "CONNECTOR_ONLY_CONTEXTUAL": "1",
        ])
        #expect(changed.auto && changed.autoUpdate && changed.onlyContextual)
    }

    // covers: key:CONNECTOR_LISTEN_PROTOCOL, key:CONNECTOR_LISTEN_PROTOCOL_API_PORT
    // covers: key:CONNECTOR_LISTEN_PROTOCOL_API_PATH, key:CONNECTOR_LISTEN_PROTOCOL_API_URI
    // covers: key:CONNECTOR_LISTEN_PROTOCOL_API_SSL
    @Test(
        arguments: [
            ([:], "http://127.0.0.1:7070/api/callback"),
            (["PORT": "8080", "PATH": "/x"], "http://127.0.0.1:8080/x"),
            (["URI": "https://connector.example:7070/", "PATH": "/x"], "https://connector.example:7070/x"),
            (["SSL": "true"], "https://127.0.0.1:7070/api/callback"),
        ] as [([String: String], String)])
    func `where it can be called`(_ changes: [String: String], _ address: String) async throws {
        var environment = ["CONNECTOR_LISTEN_PROTOCOL": "Api"]
        for (name, value) in changes { environment["CONNECTOR_LISTEN_PROTOCOL_API_" + name] = value }
        #expect(try await profile(environment).listenCallbackURI == address)
    }

    // covers: key:CONNECTOR_QUEUE_PROTOCOL
    @Test func `the broker's credentials are asked for only where it is used`() async throws {
        #expect(try await profile().usesBroker)
        #expect(try await !profile(["CONNECTOR_LISTEN_PROTOCOL": "API"]).usesBroker)
        #expect(
            try ServiceRig.settings(["CONNECTOR_QUEUE_PROTOCOL": "", "QUEUE_PROTOCOL": "api"])[
                BundleSettings.queueProtocol] == .api)
        #expect(throws: SettingsError.self) { try ServiceRig.settings(["CONNECTOR_QUEUE_PROTOCOL": "mqtt"]) }
    }
}
