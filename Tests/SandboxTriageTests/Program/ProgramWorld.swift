// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import FalconSimulator
import Foundation
import HTTPClient
import JSON
import Settings
import SimulatorKit
import Storage
import Telemetry
import Testing
import VMRaySimulator

@testable import SandboxTriage

/// The whole connector between a simulated tenant and a simulated VMRay, both over HTTP, on a clock that only waits move.
final class ProgramWorld: Sendable {
    let scenario: Scenario
    let time: VirtualTime
    let falcon: SimulatedFalcon
    let vmray: SimulatedVMRay
    let store: SQLiteStore
    let folder: String
    private let http: CurlTransport

    init(_ scenario: Scenario) async throws {
        self.scenario = scenario
        time = VirtualTime(start: scenario.start)
        var tenant = FalconConfiguration()
        tenant.options.recordsRequests = true
        tenant.region = "simulated"
        falcon = try SimulatedFalcon(tenant, time: time.forServers)
        var instance = VMRayConfiguration()
        instance.options.recordsRequests = true
        instance.analysis = .zero
        vmray = try SimulatedVMRay(instance, time: time.forServers)
        store = try await SQLiteStore.open(path: ":memory:")
        http = try CurlTransport()
        folder = NSTemporaryDirectory() + "triage-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    }

    func close() async throws {
        await store.close()
        await falcon.server.stop()
        await vmray.server.stop()
        try FileManager.default.removeItem(atPath: folder)
    }

    // MARK: The program

    private var settings: ResolvedSettings {
        get throws {
            var environment = [
                "CROWDSTRIKE_CLIENT_ID": FalconConfiguration.defaultClient.id,
                "CROWDSTRIKE_CLIENT_SECRET": FalconConfiguration.defaultClient.secret,
                "CROWDSTRIKE_API_BASE_URL": falcon.server.baseURL, "VMRAY_URL": vmray.server.baseURL,
                "VMRAY_API_KEY": VMRayConfiguration.defaultKey, "VMRAY_RUNTIME_MODE": "CLI", "VMRAY_LOG_FILE": "",
                "VMRAY_DOWNLOAD_DIR": folder, "VMRAY_CONFIG_DIR": folder,
            ]
            for (key, value) in scenario.json["config"]?.object ?? [:] {
                let name = key == "SUBMIT_OR_DOWNLOAD_ERROR_OPEN_CASE" ? "ERROR_OPEN_CASE" : key
                environment["VMRAY_" + name] = value.string ?? value.text
                if value == "VERDICT" { environment["VMRAY_API_KEY"] = VMRayConfiguration.defaultVerdictKey }
            }
            let declaration = SandboxTriageConnector.declaration
            let input = SettingsInput(environment: environment)
            return try SettingsCatalogue(connectors: [declaration]).dropIn(declaration, input: input).flows[0].settings
        }
    }

    func connector() throws -> SandboxTriageConnector {
        try SandboxTriageConnector(
            ConnectorContext(
                name: "vmray", settings: try settings, store: store, log: .silent, metrics: Metrics(),
                health: Health(time: time), time: time, guards: .standard, ceiling: DeleteCeiling(),
                shared: SharedParts()))
    }

    /// One run to its end.
    ///
    /// - Returns: whether everything could be done.
    func run() async throws -> Bool {
        do {
            try await connector().run(until: StopSignal())
            return true
        } catch ConnectorError.incomplete { return false }
    }

    func book() async throws -> SampleBook {
        let connector = try connector()
        return try await SampleBook(
            store, flow: connector.flowName, target: connector.targetName, fencingToken: 0, time: time)
    }

    /// Puts the stored state of the case into the store, by what the program itself stores with.
    func seed() async throws {
        let book = try await book()
        for (source, text) in scenario.json["state_before"]?["watermarks"]?.object ?? [:] {
            guard let moment = text.string.flatMap({ Instant(parsing: $0) }) else { continue }
            _ = try await book.add(alerts: [:], files: [:], watermark: ("watermark." + source, moment))
        }
        for (hash, record) in scenario.stored {
            let alerts = scenario.alerts.filter { row in
                record.alerts.contains { $0.compositeID == row["composite_id"]?.string }
            }
            let files = (scenario.json["falcon"]?["quarantined_files"]?.array ?? []).filter { row in
                record.files.contains { $0.id == row["id"]?.string }
            }
            _ = try await book.add(
                alerts: [hash: alerts.map { AlertFact(row: $0) }], files: [hash: files.map { QuarantineFact(row: $0) }])
            var seeded = record
            seeded.alerts = alerts.map { AlertFact(row: $0) }
            seeded.files = files.map { QuarantineFact(row: $0) }
            if record.stage == .done { seeded.outcome = record.findings.map { SampleOutcome($0.verdict) } }
            try await book.write(seeded, isOver: true)
        }
    }

    // MARK: The servers

    func tell(_ server: Server, _ path: String, _ body: JSONValue) async throws {
        let address = server == .falcon ? falcon.server.adminURL : vmray.server.adminURL
        let response = try await http.send(
            HTTPRequest(.post, address + "/" + path, body: .bytes(body.bytes)), by: .never)
        #expect(response.status == 200, "\(path): \(String(decoding: response.body, as: UTF8.self))")
    }

    /// Requests in their order: operation, method, path, query, body, status.
    func requests(_ server: Server) async throws -> [JSONValue] {
        let address = server == .falcon ? falcon.server.adminURL : vmray.server.adminURL
        let response = try await http.send(HTTPRequest(.get, address + "/requests"), by: .never)
        return try response.body.split(separator: UInt8(ascii: "\n")).map { try JSONValue(parsing: Array($0)) }
    }

    enum Server { case falcon, vmray }
}

extension AlertFact {
    init(row alert: JSONValue) {
        self.init(
            compositeID: alert["composite_id"]?.string ?? "", product: alert["product"]?.string ?? "",
            link: alert["falcon_host_link"]?.string ?? "", status: alert["status"]?.string ?? "",
            host: alert["device"]?["device_id"]?.string ?? "")
    }
}

extension QuarantineFact {
    init(row file: JSONValue) { self.init(id: file["id"]?.string ?? "", host: file["aid"]?.string ?? "") }
}
