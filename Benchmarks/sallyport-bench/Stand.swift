// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import Storage
import Subprocesses

#if canImport(Glibc)
    import Glibc
#endif

/// Both simulators and the connector as processes of their own, and what can be read off them.
final class Stand {
    private let scene: Scene
    private let openCTIURL: String
    let falcon: String
    var folder: String { scene.folder }
    private var metrics = ""

    init(_ program: String, plain: Int, latency: Int) async throws {
        scene = try Scene(program)
        openCTIURL = try await scene.simulator("opencti", ["--plain", "\(plain)"])
        falcon = try await scene.simulator("falcon", ["--latency-ms", "\(latency)"])
    }

    /// Where any connector finds the platform.
    private var platform: [String: String] {
        [
            "OPENCTI_URL": openCTIURL, "OPENCTI_TOKEN": "7d3f0a52-1c9b-4b7e-9f60-2e5a8c4d1b39",
            "CONNECTOR_ID": "6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11",
            "CONNECTOR_LIVE_STREAM_ID": "1d0a53c4-6b62-4a3c-b0c5-7a7d1e5d9a20",
        ]
    }

    /// The connector with default settings, and nothing but the original's variables besides its folder and its port.
    func startConnector() throws -> Subprocess {
        let port = try Loopback.freePort()
        metrics = "http://127.0.0.1:\(port)"
        return try scene.start(
            ["run", "opencti-crowdstrike"],
            platform.merging([
                "CROWDSTRIKE_API_BASE_URL": falcon, "CROWDSTRIKE_CLIENT_ID": "ed578da6b8d84d1e9312e833e493773a",
                "CROWDSTRIKE_CLIENT_SECRET": "Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz",
                "CROWDSTRIKE_REQUESTS_PER_MINUTE": "1000000", "SALLYPORT_STATE_DIR": "\(folder)/state",
                "SALLYPORT_HTTP_LISTEN": "127.0.0.1:\(port)",
            ]) { $1 })
    }

    /// Indicators per second of the original's libraries, measured for some seconds against the same two simulators.
    func baseline(_ python: String) async throws -> Double {
        let process = try Subprocess(
            python, ["Benchmarks/baseline_indicators.py", falcon, "8"],
            environment: platform.merging([
                "PYTHONWARNINGS": "ignore", "HOME": folder, "CONNECTOR_NAME": "baseline", "CONNECTOR_SCOPE": "all",
                "CONNECTOR_TYPE": "STREAM", "CONNECTOR_LOG_LEVEL": "info",
                "CONNECTOR_LIVE_STREAM_START_TIMESTAMP": "0",
            ]) { $1 }, errors: .file("\(folder)/baseline.log"))
        guard let line = await process.nextLine(), let rate = Double(line), rate > 0 else {
            throw BenchFailure("the baseline gave no figure; log in \(folder)")
        }
        _ = await process.exitStatus()
        return rate
    }

    func stop(_ process: Subprocess) async {
        process.signal(SIGTERM)
        _ = await process.exitStatus()
    }

    func tearDown() async throws { try await scene.tearDown() }

    // MARK: Reading

    func iocCount() async throws -> Int {
        let states = try await scene.web.get("\(falcon)/_admin/states")
        return Int(states["live"]?.int ?? 0)
    }

    func writes() async throws -> Int {
        let states = try await scene.web.get("\(falcon)/_admin/states")
        let writes = states["writes"]
        return Int(["creates", "updates", "deletes", "recreates"].reduce(0) { $0 + (writes?[$1]?.int ?? 0) })
    }

    func calls() async throws -> Int {
        let counters = try await scene.web.get("\(falcon)/_admin/counters")
        return Int(counters["total"]?.int ?? 0)
    }

    func resetPlatformState() async throws {
        try await scene.web.post("\(openCTIURL)/_admin/connector-state/reset", [:])
    }

    func ended(_ outcome: String) async -> Int {
        await scene.web.counter("sallyport_effects_total", with: "outcome=\"\(outcome)\"", at: metrics)
    }

    func isReady() async -> Bool {
        let request = HTTPRequest(.get, "\(metrics)/health/ready")
        return (try? await scene.web.transport.send(request, by: .after(.seconds(1))).status) == 200
    }

    func stateFacts() async throws -> JSONValue {
        let store = try await SQLiteStore.open(path: "\(folder)/state/\(SQLiteStore.defaultFileName)", mode: .reader)
        let facts = try await store.facts()
        await store.close()
        var answer: JSONObject = [:]
        for (name, value) in facts.sorted(by: { $0.key < $1.key }) where name != "path" && name != "instance" {
            answer[name] = .string(value)
        }
        return .object(answer)
    }
}
