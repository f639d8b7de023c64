// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import Subprocesses

#if canImport(Glibc)
    import Glibc
#endif

/// A tenant's whole inventory, read, mapped and posted: both simulators and the connector in processes of their own.
struct InventoryBench {
    let program: String
    let python: String?
    private let time = SystemTime()
    private static let devices = 100_000

    init(_ program: String, python: String?) {
        self.program = program
        self.python = python
    }

    func run() async throws -> JSONValue {
        var configuration = HTTPConfiguration()
        configuration.proxy = .none
        let transport = try CurlTransport(configuration: configuration)
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/sallyport-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BenchFailure("no temporary folder in \(base)") }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let falcon = try await simulator("falcon", [], folder)
        let sekoia = try await simulator("sekoia", [], folder)
        try await post(transport, "\(falcon.url)/_admin/hosts/generate", ["count": .int(Self.devices)])
        try await post(transport, "\(sekoia.url)/_admin/settings", ["keeps_events": false])
        var figures = try await ours(transport, falcon.url, sekoia.url, folder)
        if let python {
            let rate = try await baseline(python, falcon.url, sekoia.url)
            let own = figures["devices_per_second"]?.double ?? 0
            figures["baseline"] = "requests, a page of 100 ids, their details and one post after the other, no mapping"
            figures["baseline_devices_per_second"] = .double(rate)
            figures["ratio"] = .double(own / rate)
        }
        for process in [falcon.process, sekoia.process] {
            process.signal(SIGKILL)
            _ = await process.exitStatus()
        }
        for name in [
            "state/state.sqlite", "state/state.sqlite-wal", "state/state.sqlite-shm", "state/state.sqlite.lock",
        ] {
            unlink("\(folder)/\(name)")
        }
        for name in ["falcon.log", "sekoia.log", "connector.log", "data/context.json"] { unlink("\(folder)/\(name)") }
        for name in ["/state", "/data", ""] { rmdir(folder + name) }
        return .object(figures)
    }

    private func ours(
        _ transport: CurlTransport, _ falcon: String, _ sekoia: String, _ folder: String
    ) async throws -> JSONObject {
        let module: JSONValue = [
            "client_id": "ed578da6b8d84d1e9312e833e493773a",
            "client_secret": "Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz", "base_url": .string(falcon),
        ]
        let connector: JSONValue = [
            "sekoia_api_key": "sim-asset-key-51c9", "sekoia_base_url": .string(sekoia), "batch_size": 100,
        ]
        let started = time.uptime
        let process = try Subprocess(
            program, ["crowdstrike_falcon_device_asset_connector"],
            environment: [
                "MODULE_CONFIGURATION": module.text, "CONNECTOR_CONFIGURATION": connector.text,
                "CONNECTOR_CONFIGURATION_UUID": "bench", "LIVENESS_PORT": "0", "METRICS_PORT": "0",
                "SYMPHONY_DATA_PATH": "\(folder)/data", "SALLYPORT_STATE_DIR": "\(folder)/state",
                "SALLYPORT_HTTP_LISTEN": "127.0.0.1:\(20_000 + Int.random(in: 0..<20_000))",
            ], errors: .file("\(folder)/connector.log"))
        var peak = 0
        var summary: JSONValue = [:]
        while summary["distinct"]?.int ?? 0 < Self.devices {
            guard process.isRunning else { throw BenchFailure("the connector ended; log in \(folder)") }
            guard time.uptime - started < .seconds(300) else { throw BenchFailure("stuck at \(summary.text)") }
            try await time.sleep(for: .milliseconds(50))
            peak = max(peak, process.memory?.peak ?? 0)
            summary = try await get(transport, "\(sekoia)/_admin/assets")
        }
        let seconds = (time.uptime - started).inSeconds
        process.signal(SIGTERM)
        _ = await process.exitStatus()
        return [
            "devices": .int(Self.devices), "seconds": .double(seconds),
            "devices_per_second": .int(Int(Double(Self.devices) / seconds)),
            "posts": summary["pushes"] ?? nil, "repeats": summary["repeats"] ?? nil,
            "peak_rss_mib": .double(Double(peak) / 1_048_576),
        ]
    }

    private func baseline(_ python: String, _ falcon: String, _ sekoia: String) async throws -> Double {
        let process = try Subprocess(python, ["Benchmarks/baseline_assets.py", falcon, sekoia, "8"], environment: [:])
        guard let line = await process.nextLine(), let rate = Double(line), rate > 0 else {
            throw BenchFailure("the baseline of the inventories gave no figure")
        }
        _ = await process.exitStatus()
        return rate
    }

    private func simulator(
        _ name: String, _ options: [String], _ folder: String
    ) async throws -> (process: Subprocess, url: String) {
        let process = try Subprocess(
            program, ["simulate", name, "--port", "0", "--json"] + options, environment: [:],
            errors: .file("\(folder)/\(name).log"))
        guard let line = await process.nextLine(), let url = (try? JSONValue(parsing: line))?["url"]?.string else {
            throw BenchFailure("the \(name) simulator did not start")
        }
        return (process, url)
    }

    private func post(_ transport: CurlTransport, _ url: String, _ body: JSONValue) async throws {
        let response = try await transport.send(
            HTTPRequest(.post, url, body: .bytes(body.bytes)), by: .after(.seconds(10)))
        guard response.status == 200 else { throw BenchFailure("\(url) answered \(response.status)") }
    }

    private func get(_ transport: CurlTransport, _ url: String) async throws -> JSONValue {
        try JSONValue(parsing: try await transport.send(HTTPRequest(.get, url), by: .after(.seconds(10))).body)
    }
}
