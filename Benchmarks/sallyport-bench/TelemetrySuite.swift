// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import Subprocesses
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The event stream: a feed and an intake in processes of their own on the same cores, the relay between them.
///
/// The baseline is `curl feed | curl -T - sink` over the same feed, into the same intake, in the same run: what the network
/// costs when nothing is looked at.
struct TelemetrySuite {
    private let program: String
    private let events: Int
    private let time = SystemTime()

    init(_ options: BenchOptions) {
        program = options.sallyport
        events = options.events
    }

    func run() async throws -> JSONValue {
        var figures: JSONObject = [:]
        for bytes in [1300, 2600] {
            for latency in [0, 50] {
                figures["\(bytes)_bytes_\(latency)ms"] = try await relay(bytes: bytes, latency: latency)
            }
            figures["\(bytes)_bytes_curl_to_curl"] = try await baseline(bytes: bytes)
        }
        for bytes in [1300, 2600] {
            let own = figures["\(bytes)_bytes_0ms"]?["mib_per_second"]?.double ?? 0
            let curl = figures["\(bytes)_bytes_curl_to_curl"]?["mib_per_second"]?.double ?? 0
            figures["\(bytes)_bytes_ratio_to_curl"] = curl > 0 ? .double(own / curl) : .null
        }
        figures["quiet_tenant"] = try await quiet()
        return .object(figures)
    }

    private func relay(bytes: Int, latency: Int) async throws -> JSONValue {
        let stand = try await TelemetryStand(
            program, events: events, bytes: bytes, rate: 0, latency: latency, onlyCounts: true)
        let started = time.uptime
        let relay = try stand.start()
        var peak = 0
        var first: Duration?
        while true {
            let delivered = await stand.delivered()
            peak = max(peak, relay.memory?.peak ?? 0)
            if first == nil, delivered > 0 { first = time.uptime }
            if delivered >= events { break }
            guard relay.isRunning else { throw BenchFailure("the relay ended; log in \(stand.folder)") }
            guard time.uptime - started < .seconds(300) else { throw BenchFailure("stuck at \(delivered)") }
            try await time.sleep(for: .milliseconds(10))
        }
        let seconds = (time.uptime - started).inSeconds
        let received = try await stand.intakeCounts()
        let position = try await stand.stop(relay)
        try await stand.tearDown()
        guard position == stand.lastOffset else { throw BenchFailure("the checkpoint is \(position)") }
        let volume = Double(events * bytes) / 1_048_576
        return [
            "events": .int(events), "intake_latency_ms": .int(latency), "seconds": .double(seconds),
            "events_per_second": .int(Int(Double(events) / seconds)), "mib_per_second": .double(volume / seconds),
            "bodies": .int(received["batches"]?.int ?? 0), "peak_rss_mib": .double(Double(peak) / 1_048_576),
            "checkpoint": "durable at the last event",
        ]
    }

    /// Without a parse, without bodies, without a checkpoint.
    private func baseline(bytes: Int) async throws -> JSONValue {
        let stand = try await TelemetryStand(
            program, events: events, bytes: bytes, rate: 0, latency: 0, onlyCounts: true)
        let feed = try await stand.openFeed()
        let started = time.uptime
        let sink = try DiscardingServer()
        // The feed has no end: most of the bytes that it holds, then the pipe is closed.
        let amount = events * bytes / 10 * 9
        let command = """
            curl -sN -H 'Authorization: Token \(feed.token)' '\(feed.url)' | head -c \(amount) \
            | curl -s -o /dev/null -H 'Expect:' -T - http://127.0.0.1:\(sink.port)/
            """
        let pipe = try Subprocess("/bin/sh", ["-c", command], environment: [:])
        _ = await pipe.exitStatus()
        let seconds = (time.uptime - started).inSeconds
        try await stand.tearDown()
        guard sink.received > amount else {
            throw BenchFailure("curl | curl moved \(sink.received) of \(amount) bytes")
        }
        return [
            "bytes": .int(amount), "seconds": .double(seconds),
            "mib_per_second": .double(Double(amount) / 1_048_576 / seconds),
        ]
    }

    /// From an event's time to its arrival at the intake, at two a second.
    private func quiet() async throws -> JSONValue {
        let count = 40
        let stand = try await TelemetryStand(
            program, events: count, bytes: 1300, rate: 2, latency: 0, onlyCounts: false)
        let relay = try stand.start()
        let started = time.uptime
        while await stand.delivered() < count {
            guard relay.isRunning, time.uptime - started < .seconds(120) else {
                throw BenchFailure("the relay is stuck")
            }
            try await time.sleep(for: .milliseconds(50))
        }
        let counts = try await stand.intakeCounts()
        _ = try await stand.stop(relay)
        try await stand.tearDown()
        return ["events": .int(count), "events_per_second": 2, "delay_ms": counts["delay_ms"] ?? .null]
    }
}

/// Takes one upload and keeps nothing of it.
private final class DiscardingServer: Sendable {
    let port: Int
    private let count = Atomic<Int>(0)
    var received: Int { count.load(ordering: .relaxed) }

    init() throws {
        let (listener, port) = try Loopback.listen()
        self.port = port
        startThread(named: "discard") { [self] in
            let connection = accept(listener, nil, nil)
            var block = [UInt8](repeating: 0, count: 256 << 10)
            var tail: [UInt8] = []
            while true {
                let got = read(connection, &block, block.count)
                guard got > 0 else { break }
                count.add(got, ordering: .relaxed)
                tail = (tail + block[max(0, got - 5)..<got]).suffix(5)
                // The last chunk of the upload.
                if tail == Array("0\r\n\r\n".utf8) {
                    let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
                    _ = write(connection, answer, answer.count)
                    break
                }
            }
            close(connection)
            close(listener)
        }
    }
}

/// Falcon and Sekoia simulated, and the relay between them.
final class TelemetryStand {
    let lastOffset: Int
    private let scene: Scene
    private let falcon: String
    private let sekoia: String
    private let port: Int
    var folder: String { scene.folder }

    init(
        _ program: String, events: Int, bytes: Int, rate: Int, latency: Int, onlyCounts: Bool
    ) async throws {
        scene = try Scene(program)
        port = try Loopback.freePort()
        lastOffset = 1_000_000_000 + events - 1
        let mix = "Tests/Vectors/cases/falcon-events.ndjson"
        let file = access(mix, R_OK) == 0 ? ["--event-file", mix] : []
        falcon = try await scene.simulator(
            "falcon", ["--events", "\(events)", "--event-bytes", "\(bytes)", "--event-rate", "\(rate)"] + file)
        sekoia = try await scene.simulator(
            "sekoia", ["--latency-ms", "\(latency)"] + (onlyCounts ? ["--only-counts"] : []))
    }

    func start() throws -> Subprocess {
        let module: JSONValue = [
            "client_id": "ed578da6b8d84d1e9312e833e493773a",
            "client_secret": "Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz", "base_url": .string(falcon),
        ]
        return try scene.start(
            ["run", "sekoia-event-stream"],
            [
                "MODULE_CONFIGURATION": module.text,
                "CONNECTOR_CONFIGURATION": #"{"intake_key":"sim-intake-key-7f3a"}"#,
                "INTAKE_URL": sekoia, "SALLYPORT_STATE_DIR": folder + "/state", "SYMPHONY_DATA_PATH": folder + "/data",
                "LIVENESS_PORT": "0", "METRICS_PORT": "0", "SALLYPORT_HTTP_LISTEN": "127.0.0.1:\(port)",
            ])
    }

    /// A session for somebody else's reader.
    func openFeed() async throws -> (url: String, token: String) {
        var request = HTTPRequest(
            .post, falcon + "/oauth2/token",
            body: .bytes(
                Array(
                    ("client_id=ed578da6b8d84d1e9312e833e493773a&client_secret=Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz")
                        .utf8)))
        request.headers["Content-Type"] = "application/x-www-form-urlencoded"
        let token = try await scene.web.json(request)["access_token"]?.string ?? ""
        let listing = HTTPRequest(
            .get, falcon + "/sensors/entities/datafeed/v2?appId=baseline", headers: ["Authorization": "Bearer " + token]
        )
        let feed = try await scene.web.json(listing)["resources"]?[0]
        guard let url = feed?["dataFeedURL"]?.string, let session = feed?["sessionToken"]?["token"]?.string else {
            throw BenchFailure("no feed is listed")
        }
        return (url, session)
    }

    func delivered() async -> Int {
        await scene.web.counter(
            "sallyport_items_total", with: "outcome=\"delivered\"", at: "http://127.0.0.1:\(port)")
    }

    func intakeCounts() async throws -> JSONValue { try await scene.web.get(sekoia + "/_admin/intake") }

    /// Ends it in order; gives the position that it left in the original's file.
    func stop(_ process: Subprocess) async throws -> Int {
        process.signal(SIGTERM)
        _ = await process.exitStatus()
        guard let file = fopen(folder + "/data/cache.json", "r") else { return 0 }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = fread(&bytes, 1, bytes.count, file)
        let offsets = try JSONValue(parsing: bytes[..<count]).object ?? [:]
        return Int(offsets.compactMap { $0.value.int }.max() ?? 0)
    }

    func tearDown() async throws { try await scene.tearDown() }
}
