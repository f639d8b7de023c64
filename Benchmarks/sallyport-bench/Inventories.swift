// SPDX-License-Identifier: Apache-2.0

import Base
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
        let scene = try Scene(program)
        let falcon = try await scene.simulator("falcon")
        let sekoia = try await scene.simulator("sekoia")
        try await scene.web.post("\(falcon)/_admin/hosts/generate", ["count": .int(Self.devices)])
        try await scene.web.post("\(sekoia)/_admin/settings", ["keeps_events": false])
        var figures = try await ours(scene, falcon, sekoia)
        if let python {
            let rate = try await baseline(python, falcon, sekoia)
            let own = figures["devices_per_second"]?.double ?? 0
            figures["baseline"] = "requests, a page of 100 ids, their details and one post after the other, no mapping"
            figures["baseline_devices_per_second"] = .double(rate)
            figures["ratio"] = .double(own / rate)
        }
        try await scene.tearDown()
        return .object(figures)
    }

    private func ours(_ scene: Scene, _ falcon: String, _ sekoia: String) async throws -> JSONObject {
        let module: JSONValue = [
            "client_id": "ed578da6b8d84d1e9312e833e493773a",
            "client_secret": "Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz", "base_url": .string(falcon),
        ]
        let connector: JSONValue = [
            "sekoia_api_key": "sim-asset-key-51c9", "sekoia_base_url": .string(sekoia), "batch_size": 100,
        ]
        let started = time.uptime
        let folder = scene.folder
        let process = try scene.start(
            ["crowdstrike_falcon_device_asset_connector"],
            [
                "MODULE_CONFIGURATION": module.text, "CONNECTOR_CONFIGURATION": connector.text,
                "CONNECTOR_CONFIGURATION_UUID": "bench", "LIVENESS_PORT": "0", "METRICS_PORT": "0",
                "SYMPHONY_DATA_PATH": "\(folder)/data", "SALLYPORT_STATE_DIR": "\(folder)/state",
                "SALLYPORT_HTTP_LISTEN": "127.0.0.1:\(try Loopback.freePort())",
            ])
        var peak = 0
        var summary: JSONValue = [:]
        while summary["distinct"]?.int ?? 0 < Self.devices {
            guard process.isRunning else { throw BenchFailure("the connector ended; log in \(folder)") }
            guard time.uptime - started < .seconds(300) else { throw BenchFailure("stuck at \(summary.text)") }
            try await time.sleep(for: .milliseconds(50))
            peak = max(peak, process.memory?.peak ?? 0)
            summary = try await scene.web.get("\(sekoia)/_admin/assets")
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
}
