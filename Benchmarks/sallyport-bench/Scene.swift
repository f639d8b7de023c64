// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import Messaging
import Subprocesses

#if canImport(Glibc)
    import Glibc
#endif

/// A folder, and the processes that a measurement starts in it; all of them end with it.
final class Scene {
    let program: String
    let folder: String
    let web: BenchWeb
    private var processes: [Subprocess] = []

    init(_ program: String) throws {
        self.program = program
        web = try BenchWeb()
        guard let folder = makeTemporaryFolder("sallyport-bench") else {
            throw BenchFailure("no temporary folder in \(temporaryFolders)")
        }
        self.folder = folder
    }

    deinit { for process in processes where process.isRunning { process.signal(SIGKILL) } }

    /// - Returns: the URL of a simulator of its own.
    func simulator(_ name: String, _ options: [String] = []) async throws -> String {
        let process = try Subprocess(
            program, ["simulate", name, "--port", "0", "--json"] + options, environment: [:],
            errors: .file("\(folder)/\(name).log"))
        processes.append(process)
        guard let line = await process.nextLine(), let url = (try? JSONValue(parsing: line))?["url"]?.string else {
            throw BenchFailure("the \(name) simulator did not start")
        }
        return url
    }

    /// Starts what is measured; its log is `connector.log`.
    func start(_ arguments: [String], _ environment: [String: String]) throws -> Subprocess {
        let process = try Subprocess(
            program, arguments, environment: environment, errors: .file("\(folder)/connector.log"))
        processes.append(process)
        return process
    }

    /// Kills what still runs and removes the folder.
    func tearDown() async throws {
        for process in processes where process.isRunning { process.signal(SIGKILL) }
        for process in processes { _ = await process.exitStatus() }
        let removal = try Subprocess("/bin/rm", ["-r", folder], environment: [:])
        _ = await removal.exitStatus()
    }
}

/// A RabbitMQ of the benchmark's own.
struct BenchBroker {
    let port: Int
    private let process: Subprocess

    /// Runs `measure` with a broker that is there for it alone.
    static func during(
        _ program: String, python: String, _ measure: (BenchBroker) async throws -> JSONObject
    ) async throws -> JSONObject {
        let scene = try Scene(program)
        let broker = try await BenchBroker(python, in: scene.folder)
        let figures: Result<JSONObject, any Error>
        do { figures = .success(try await measure(broker)) } catch { figures = .failure(error) }
        await broker.end()
        try await scene.tearDown()
        return try figures.get()
    }

    /// - Parameter folder: where its data lies.
    private init(_ python: String, in folder: String) async throws {
        process = try Subprocess(
            python, ["Benchmarks/broker.py", folder],
            environment: ["PATH": getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"])
        guard let line = await process.nextLine(), let port = Int(line) else {
            throw BenchFailure("RabbitMQ did not start")
        }
        self.port = port
    }

    /// Ends it and what it started.
    private func end() async {
        process.signal(SIGTERM)
        _ = await process.exitStatus()
    }

    /// What a bare client of the same library gets through, on a queue that nobody reads.
    ///
    /// - Returns: confirmed messages a second.
    func bareRate(_ messages: Int, bytes: Int) async throws -> Double {
        let address = BrokerAddress(host: "127.0.0.1", port: port, user: Secret("guest"), password: Secret("guest"))
        try await BrokerTopology.assert([.init(exchange: "bench", queue: "bench", routingKey: "bench")], at: address)
        let rate = try bareRate(
            messages, of: [UInt8](repeating: 0x61, count: bytes), exchange: "bench", routingKey: "bench")
        try await BrokerTopology.delete(["bench"], at: address)
        return rate
    }

    /// The same to a queue that is there already, read by whoever reads it.
    func bareRate(_ messages: Int, of body: [UInt8], exchange: String, routingKey: String) throws -> Double {
        let seconds = try BareClient.publish(
            body, count: messages, port: port, routingKey: routingKey, exchange: exchange,
            now: { SystemTime().uptime.inSeconds })
        return Double(messages) / seconds
    }
}

/// Calls to the simulators, past any proxy.
struct BenchWeb {
    let transport: CurlTransport

    init() throws {
        var configuration = HTTPConfiguration()
        configuration.proxy = .none
        transport = try CurlTransport(configuration: configuration)
    }

    func text(_ url: String) async throws -> String {
        String(decoding: try await transport.send(HTTPRequest(.get, url), by: .after(.seconds(60))).body, as: UTF8.self)
    }

    func get(_ url: String) async throws -> JSONValue { try await json(HTTPRequest(.get, url)) }

    @discardableResult
    func post(_ url: String, _ body: JSONValue) async throws -> JSONValue {
        try await json(HTTPRequest(.post, url, body: .bytes(body.bytes)))
    }

    func json(_ request: HTTPRequest) async throws -> JSONValue {
        let response = try await transport.send(request, by: .after(.seconds(60)))
        guard response.status < 300 else { throw BenchFailure("\(request.url) answered \(response.status)") }
        return try JSONValue(parsing: response.body)
    }

    /// The sum of a counter over those of its series that contain `part`; 0 where nobody answers yet.
    func counter(_ name: String, with part: String = "", at metrics: String) async -> Int {
        guard let text = try? await text("\(metrics)/metrics") else { return 0 }
        var sum = 0.0
        for line in text.split(separator: "\n")
        where line.hasPrefix("\(name){") && (part.isEmpty || line.contains(part)) {
            sum += line.split(separator: " ").last.flatMap { Double($0) } ?? 0
        }
        return Int(sum)
    }
}

/// Sockets of this machine.
enum Loopback {
    /// A listening socket and its port.
    static func listen() throws -> (descriptor: Int32, port: Int) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && Glibc.listen(listener, 1) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        guard isListening else { throw BenchFailure("no socket to listen at") }
        return (listener, Int(UInt16(bigEndian: address.sin_port)))
    }

    static func freePort() throws -> Int {
        let (descriptor, port) = try listen()
        close(descriptor)
        return port
    }
}
