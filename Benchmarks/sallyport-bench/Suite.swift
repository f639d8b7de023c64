// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import STIX
import Subprocesses

/// All figures of one run. Absolute, and where there is a named baseline of the same run, as a ratio to it.
struct Suite {
    private let options: BenchOptions
    private let time = SystemTime()

    init(_ options: BenchOptions) { self.options = options }

    func run() async throws -> JSONValue {
        var figures: JSONObject = [:]
        if options.wants("pattern") { figures["pattern"] = pattern() }
        if options.wants("start") { figures["start_to_ready"] = try await start() }
        if options.wants("backfill") {
            figures["backfill_0ms"] = try await backfill(count: options.count, latency: 0, replays: true)
            figures["backfill_100ms"] = try await backfill(count: options.count, latency: 100, replays: false)
        }
        if options.wants("baseline"), let python = options.python {
            for latency in [0, 20] {
                figures["ratio_to_the_original_\(latency)ms"] = try await ratio(python, latency: latency)
            }
        }
        if options.wants("telemetry") { figures["telemetry"] = try await TelemetrySuite(options).run() }
        if options.wants("large") {
            figures["backfill_large"] = try await backfill(count: options.large, latency: 0, replays: false)
        }
        if options.wants("inventories") {
            figures["inventories"] = try await InventoryBench(options.sallyport, python: options.python).run()
        }
        if options.wants("enrichment"), let python = options.python {
            figures["enrichment"] = try await EnrichmentBench(program: options.sallyport, python: python).run()
        }
        if options.wants("triage") {
            figures["triage"] = try await TriageBench(program: options.sallyport, python: options.python).run()
        }
        if options.wants("harfanglab") {
            figures["harfanglab"] = try await HarfangLabBench(options.sallyport, python: options.python).run()
        }
        return [
            "settings": [
                "count": .int(options.count), "large": .int(options.large),
                "note":
                    "default settings but for the request budget; simulators in processes of their own on the same cores",
            ], "figures": .object(figures),
        ]
    }

    // MARK: Figures

    private func pattern() -> JSONValue {
        let bytes = Array("[ipv4-addr:value = '203.0.113.7']".utf8)
        let rounds = 3_000_000
        var found = 0
        let started = time.uptime
        bytes.withUnsafeBufferPointer { pattern in
            for _ in 0..<rounds { found += (try? PatternParser.observables(in: pattern))?.observables.count ?? 0 }
        }
        let seconds = (time.uptime - started).inSeconds
        return ["parses_per_second_per_core": .int(Int(Double(found) / seconds)), "parses": .int(rounds)]
    }

    private func start() async throws -> JSONValue {
        let stand = try await Stand(options.sallyport, plain: 1, latency: 0)
        var samples: [Double] = []
        for _ in 0..<5 {
            let started = time.uptime
            let connector = try stand.startConnector()
            while await !stand.isReady() {
                guard connector.isRunning else { throw BenchFailure("the connector ended at its start") }
                try await time.sleep(for: .milliseconds(5))
            }
            samples.append((time.uptime - started).inSeconds * 1000)
            await stand.stop(connector)
        }
        try await stand.tearDown()
        samples.sort()
        return ["median_ms": .double(samples[2]), "max_ms": .double(samples[4])]
    }

    private func backfill(count: Int, latency: Int, replays: Bool) async throws -> JSONValue {
        let stand = try await Stand(options.sallyport, plain: count, latency: latency)
        let started = time.uptime
        let connector = try stand.startConnector()
        var lastFifth: Duration?
        var peak = 0
        while true {
            let there = try await stand.iocCount()
            peak = max(peak, connector.memory?.peak ?? 0)
            if lastFifth == nil, there >= count * 4 / 5 { lastFifth = time.uptime }
            if there >= count { break }
            guard connector.isRunning else { throw BenchFailure("the connector ended; log in \(stand.folder)") }
            guard time.uptime - started < .seconds(600) else { throw BenchFailure("stuck at \(there) of \(count)") }
            // The simulator counts its table for each answer: asking a large one often would cost what is measured.
            try await time.sleep(for: .milliseconds(20 + count / 4000))
        }
        let seconds = (time.uptime - started).inSeconds
        let tail = lastFifth.map { (time.uptime - $0).inSeconds } ?? seconds
        let calls = try await stand.calls()
        var figure: JSONObject = [
            "indicators": .int(count), "target_latency_ms": .int(latency), "seconds": .double(seconds),
            "indicators_per_second": .int(Int(Double(count) / seconds)),
            "last_fifth_per_second": .int(Int(Double(count - count * 4 / 5) / max(tail, 0.001))),
            "calls": .int(calls), "indicators_per_call": .double(Double(count) / Double(max(calls, 1))),
        ]
        peak = max(peak, connector.memory?.peak ?? 0)
        figure["peak_rss_mib"] = .double(Double(peak) / 1_048_576)
        await stand.stop(connector)
        figure["state"] = try await stand.stateFacts()
        if replays { figure["replay"] = try await replay(stand, count) }
        try await stand.tearDown()
        return .object(figure)
    }

    /// The platform has forgotten the position: everything comes again and nothing has changed.
    private func replay(_ stand: Stand, _ count: Int) async throws -> JSONValue {
        try await stand.resetPlatformState()
        let writes = try await stand.writes()
        let started = time.uptime
        let connector = try stand.startConnector()
        while await stand.ended("unchanged") < count {
            guard connector.isRunning else { throw BenchFailure("the connector ended; log in \(stand.folder)") }
            guard time.uptime - started < .seconds(300) else { throw BenchFailure("the replay is stuck") }
            try await time.sleep(for: .milliseconds(20))
        }
        let seconds = (time.uptime - started).inSeconds
        let peak = connector.memory?.peak ?? 0
        await stand.stop(connector)
        return [
            "indicators": .int(count), "seconds": .double(seconds),
            "indicators_per_second": .int(Int(Double(count) / seconds)),
            "writes_at_the_target": .int(try await stand.writes() - writes),
            "peak_rss_mib": .double(Double(peak) / 1_048_576),
        ]
    }

    /// The original's libraries at their work, against the same simulators in the same run.
    private func ratio(_ python: String, latency: Int) async throws -> JSONValue {
        let stand = try await Stand(options.sallyport, plain: 20_000, latency: latency)
        let rate = try await stand.baseline(python)
        try await stand.tearDown()
        let ours = try await backfill(count: options.count, latency: latency, replays: false)
        let own = Double(ours["indicators_per_second"]?.int ?? 0)
        return [
            "baseline":
                "pycti reads the live stream, falconpy searches and creates each, logged as in the original's sample",
            "baseline_indicators_per_second": .double(rate), "indicators_per_second": .double(own),
            "ratio": .double(own / rate),
        ]
    }
}
