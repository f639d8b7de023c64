// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Subprocesses

#if canImport(Glibc)
    import Glibc
#endif

/// Samples through the sandbox: how near the wall time comes to what the sandbox's own machines need, and how much memory
/// large samples in flight take.
struct TriageBench {
    let program: String
    let python: String?
    private let time = SystemTime()

    private struct Load {
        let samples: Int
        let bytes: Int
        let machines: Int
        let analysis: Int
        let transfers: Int
    }

    func run() async throws -> JSONValue {
        var figures: JSONObject = [
            "samples_1mib": try await measure(
                Load(samples: 1000, bytes: 1 << 20, machines: 64, analysis: 2000, transfers: 8)),
            "samples_32mib": try await measure(
                Load(samples: 16, bytes: 32 << 20, machines: 8, analysis: 2000, transfers: 8)),
        ]
        guard let python else { return .object(figures) }
        let rate = try await original(
            python, Load(samples: 20, bytes: 1 << 20, machines: 64, analysis: 2000, transfers: 1))
        let own = figures["samples_1mib"]?["samples_per_second"]?.double ?? 0
        figures["ratio_to_the_original"] = [
            "baseline":
                "falconpy and vmray-rest-api, 20 samples of 1 MiB, one call after the other as the Python original does",
            "baseline_samples_per_second": .double(rate), "samples_per_second": .double(own),
            "ratio": .double(own / rate),
        ]
        return .object(figures)
    }

    private func simulators(_ scene: Scene, _ load: Load) async throws -> (tenant: String, sandbox: String) {
        let tenant = try await scene.simulator("falcon")
        let sandbox = try await scene.simulator(
            "vmray", ["--analysis-ms", "\(load.analysis)", "--machines", "\(load.machines)"])
        try await fill(tenant, load, scene.web)
        return (tenant, sandbox)
    }

    private func original(_ python: String, _ load: Load) async throws -> Double {
        let scene = try Scene(program)
        let (tenant, sandbox) = try await simulators(scene, load)
        let process = try Subprocess(
            python, ["Benchmarks/baseline_triage.py", tenant, sandbox], environment: ["PYTHONWARNINGS": "ignore"])
        guard let line = await process.nextLine(), let rate = Double(line), rate > 0 else {
            throw BenchFailure("the baseline of the triage gave no figure")
        }
        _ = await process.exitStatus()
        try await scene.tearDown()
        return rate
    }

    private func measure(_ load: Load) async throws -> JSONValue {
        let scene = try Scene(program)
        let (tenant, sandbox) = try await simulators(scene, load)
        let metrics = "http://127.0.0.1:\(try Loopback.freePort())"
        let started = time.uptime
        let connector = try scene.start(
            ["run", "vmray"],
            [
                "CROWDSTRIKE_CLIENT_ID": "ed578da6b8d84d1e9312e833e493773a",
                "CROWDSTRIKE_CLIENT_SECRET": "Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz",
                "CROWDSTRIKE_API_BASE_URL": tenant, "CROWDSTRIKE_REQUESTS_PER_MINUTE": "1000000",
                "VMRAY_URL": sandbox, "VMRAY_API_KEY": "vmray-key-EXAMPLE", "VMRAY_RUNTIME_MODE": "CLI",
                "VMRAY_MAX_CONCURRENT": "\(load.transfers)", "VMRAY_DOWNLOAD_DIR": scene.folder, "VMRAY_LOG_FILE": "",
                "SALLYPORT_STATE_DIR": "\(scene.folder)/state",
                "SALLYPORT_HTTP_LISTEN": String(metrics.dropFirst("http://".count)),
            ])
        var peak = 0
        var mostInFlight = 0
        while connector.isRunning {
            peak = max(peak, Int(connector.memory?.peak ?? 0))
            mostInFlight = max(mostInFlight, try await inFlight(sandbox, metrics, scene.web))
            guard time.uptime - started < .seconds(600) else { throw BenchFailure("stuck; log in \(scene.folder)") }
            try await time.sleep(for: .milliseconds(200))
        }
        let seconds = (time.uptime - started).inSeconds
        let status = await connector.exitStatus()
        guard status == 0 else { throw BenchFailure("the connector ended with \(status); log in \(scene.folder)") }
        let done = try await scene.web.text("\(sandbox)/_admin/submissions").split(separator: "\n").count
        let traffic = try await scene.web.get("\(tenant)/_admin/samples")
        try await scene.tearDown()
        let ideal = Double((load.samples + load.machines - 1) / load.machines * load.analysis) / 1000
        return [
            "samples": .int(load.samples), "sample_bytes": .int(load.bytes), "submissions": .int(done),
            "transfers_at_once": .int(load.transfers), "most_submitted_and_not_told": .int(mostInFlight),
            "most_downloads_at_once": traffic["most_downloads"] ?? nil, "seconds": .double(seconds),
            "samples_per_second": .double(Double(load.samples) / seconds),
            "mib_per_second": .double(Double(load.samples * load.bytes >> 20) / seconds),
            "baseline": .string("\(load.machines) machines that are never idle, \(load.analysis) ms an analysis"),
            "baseline_seconds": .double(ideal), "ratio": .double(seconds / ideal),
            "peak_rss_mib": .double(Double(peak) / 1_048_576),
        ]
    }

    private func inFlight(_ sandbox: String, _ metrics: String, _ web: BenchWeb) async throws -> Int {
        let submitted = try await web.text("\(sandbox)/_admin/submissions").split(separator: "\n").count
        return submitted - (await web.counter("sallyport_triage_samples_total", at: metrics))
    }

    private func fill(_ tenant: String, _ load: Load, _ web: BenchWeb) async throws {
        for start in stride(from: 0, to: load.samples, by: 100) {
            let numbers = start..<min(start + 100, load.samples)
            let answer = try await web.post(
                "\(tenant)/_admin/samples",
                .array(numbers.map { ["bytes": .int(load.bytes), "seed": .int($0 + 1)] }))
            let created = time.now.advanced(by: .seconds(-60)).secondsDescription
            let alerts: [JSONValue] = zip(numbers, answer["sha256"]?.array ?? []).map { number, hash in
                [
                    "composite_id": .string("c:ind:h\(number):\(number)"), "product": "epp", "status": "new",
                    "created_timestamp": .string(created), "sha256": hash,
                    "device": ["device_id": .string("h\(number)")],
                ]
            }
            try await web.post("\(tenant)/_admin/entities/alerts", .array(alerts))
        }
    }
}
