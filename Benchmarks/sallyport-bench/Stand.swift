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
    let folder: String
    private let openCTIURL: String
    private let falconURL: String
    var falcon: String { falconURL }
    private let program: String
    private let transport: CurlTransport
    private var processes: [Subprocess] = []
    private var metrics = ""

    init(_ program: String, plain: Int, latency: Int) async throws {
        self.program = program
        var configuration = HTTPConfiguration()
        configuration.proxy = .none
        transport = try CurlTransport(configuration: configuration)
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/sallyport-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BenchFailure("no temporary folder in \(base)") }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let platform = try await Self.simulator(program, folder, "opencti", ["--plain", "\(plain)"])
        let tenant = try await Self.simulator(program, folder, "falcon", ["--latency-ms", "\(latency)"])
        processes = [platform.0, tenant.0]
        openCTIURL = platform.1
        falconURL = tenant.1
    }

    private static func simulator(
        _ program: String, _ folder: String, _ name: String, _ options: [String]
    ) async throws -> (Subprocess, String) {
        let process = try Subprocess(
            program, ["simulate", name, "--port", "0", "--json"] + options, environment: [:],
            errors: .file("\(folder)/\(name).log"))
        guard let line = await process.nextLine(), let url = (try? JSONValue(parsing: line))?["url"]?.string else {
            throw BenchFailure("the \(name) simulator did not start")
        }
        return (process, url)
    }

    /// The connector with default settings, and nothing but the original's variables besides its folder and its port.
    func startConnector() throws -> Subprocess {
        let port = 20_000 + Int.random(in: 0..<20_000)
        metrics = "http://127.0.0.1:\(port)"
        let process = try Subprocess(
            program, ["run", "opencti-crowdstrike"],
            environment: [
                "OPENCTI_URL": openCTIURL, "OPENCTI_TOKEN": "7d3f0a52-1c9b-4b7e-9f60-2e5a8c4d1b39",
                "CONNECTOR_ID": "6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11",
                "CONNECTOR_LIVE_STREAM_ID": "1d0a53c4-6b62-4a3c-b0c5-7a7d1e5d9a20",
                "CROWDSTRIKE_API_BASE_URL": falconURL, "CROWDSTRIKE_CLIENT_ID": "ed578da6b8d84d1e9312e833e493773a",
                "CROWDSTRIKE_CLIENT_SECRET": "Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz",
                "CROWDSTRIKE_REQUESTS_PER_MINUTE": "1000000", "SALLYPORT_STATE_DIR": "\(folder)/state",
                "SALLYPORT_HTTP_LISTEN": "127.0.0.1:\(port)",
            ], errors: .file("\(folder)/connector.log"))
        processes.append(process)
        return process
    }

    func stop(_ process: Subprocess) async {
        process.signal(SIGTERM)
        _ = await process.exitStatus()
    }

    /// Ends everything and removes the folder.
    func tearDown() async {
        for process in processes where process.isRunning { process.signal(SIGKILL) }
        for process in processes { _ = await process.exitStatus() }
        for name in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm", "state.sqlite.lock"] {
            unlink("\(folder)/state/\(name)")
        }
        rmdir("\(folder)/state")
        for name in ["opencti", "falcon", "connector"] { unlink("\(folder)/\(name).log") }
        rmdir(folder)
    }

    // MARK: Reading

    func iocCount() async throws -> Int {
        let states = try await json("\(falconURL)/_admin/states")
        return Int(states["live"]?.int ?? 0)
    }

    func writes() async throws -> Int {
        let states = try await json("\(falconURL)/_admin/states")
        let writes = states["writes"]
        return Int(["creates", "updates", "deletes", "recreates"].reduce(0) { $0 + (writes?[$1]?.int ?? 0) })
    }

    func calls() async throws -> Int {
        let counters = try await json("\(falconURL)/_admin/counters")
        return Int(counters["total"]?.int ?? 0)
    }

    func resetPlatformState() async throws {
        let request = HTTPRequest(.post, "\(openCTIURL)/_admin/connector-state/reset", body: .bytes(Array("{}".utf8)))
        _ = try await transport.send(request, by: .after(.seconds(10)))
    }

    func ended(_ outcome: String) async -> Int {
        guard let text = try? await text("\(metrics)/metrics") else { return 0 }
        for line in text.split(separator: "\n")
        where line.hasPrefix("sallyport_effects_total{") && line.contains("outcome=\"\(outcome)\"") {
            return line.split(separator: " ").last.flatMap { Double($0) }.map { Int($0) } ?? 0
        }
        return 0
    }

    func isReady() async -> Bool {
        let request = HTTPRequest(.get, "\(metrics)/health/ready")
        return (try? await transport.send(request, by: .after(.seconds(1))).status) == 200
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

    private func json(_ url: String) async throws -> JSONValue { try JSONValue(parsing: try await text(url)) }

    private func text(_ url: String) async throws -> String {
        let response = try await transport.send(HTTPRequest(.get, url), by: .after(.seconds(10)))
        return String(decoding: response.body, as: UTF8.self)
    }
}
