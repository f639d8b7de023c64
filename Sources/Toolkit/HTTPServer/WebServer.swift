// SPDX-License-Identifier: Apache-2.0

public import Base
import CMicroHTTPD
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// An HTTP/1.1 server: libmicrohttpd with epoll on a few threads of its own. It listens from `init` until
/// ``stop(within:)``.
///
/// Handlers that answer at once run on those threads and must not block; others answer from a task while the connection
/// is suspended.
public final class WebServer: Sendable {
    public struct Configuration: Sendable {
        /// IPv4 or IPv6 address, or `localhost`.
        public var address = "127.0.0.1"
        /// 0 takes any free port: see ``WebServer/port``.
        public var port: UInt16 = 0
        /// Threads that serve connections.
        public var threads = 2
        public var maxConnections = 1024
        /// Larger request heads are refused with 431, or 414 by the library.
        public var maxHeaderBytes = 32 << 10
        /// Larger request bodies are refused with 413.
        public var maxBodyBytes = 1 << 20
        /// The longest silence of a client while it sends a request or takes an answer, and between two requests.
        public var idleTimeout: Duration = .seconds(60)
        /// Answers of 512 bytes and more go out gzip-encoded to clients that accept it.
        public var compressesAnswers = true
        /// Room for one piece of a streamed body; part of each connection's memory.
        public var streamBlockBytes = 32 << 10
        /// With one the server speaks TLS 1.2 and 1.3 only; without, plain text.
        public var certificate: ServerCertificate?

        public init() {}
    }

    /// The port in use.
    public let port: UInt16
    /// `http://address:port` or `https://…`, without a trailing slash.
    public let baseURL: String
    private let core: ServerCore
    private let daemon: Daemon

    /// Starts to listen and to serve.
    ///
    /// - Parameter time: what delays and silences of ``ServerResponse`` are measured with.
    public init(
        _ configuration: Configuration = Configuration(), time: any TimeSource = SystemTime(),
        handler: @escaping RequestHandler
    ) throws(WebServerError) {
        if configuration.certificate != nil, sp_mhd_has_tls() == 0 { throw .noTLS }
        let socket = try ListeningSocket.open(address: configuration.address, port: configuration.port)
        core = ServerCore(configuration: configuration, time: time, handler: handler)
        guard let daemon = Daemon(core: core, socket: socket.descriptor) else {
            close(socket.descriptor)
            // The library does not say why. It looks at the certificate before it starts a thread.
            throw configuration.certificate == nil ? .cannotStart : .badCertificate
        }
        self.daemon = daemon
        port = socket.port
        let host = configuration.address.contains(":") ? "[\(configuration.address)]" : configuration.address
        baseURL = "\(configuration.certificate == nil ? "http" : "https")://\(host):\(socket.port)"
    }

    deinit { daemon.stop(core) {} }

    /// Requests being served now.
    public var activeRequests: Int { core.activeRequests }

    /// Accepts nothing new, lets the requests in work end, and cuts what is left after `grace`. Streamed bodies are told
    /// (``Pull/isStopping``). Returns when no thread of the server runs any more; a second call waits for the first.
    public func stop(within grace: Duration = .seconds(5)) async {
        daemon.quiesce()
        core.beginStopping()
        await core.drain(within: grace)
        await withCheckedContinuation { continuation in
            daemon.stop(core) { continuation.resume() }
        }
    }
}

/// The library's handle and its listening socket.
private final class Daemon: Sendable {
    private struct Handle: @unchecked Sendable {
        // Safe because: the library locks inside; the lifetime is guarded by `state`.
        let pointer: OpaquePointer
    }
    private enum State {
        case running(Handle)
        case quiet(Handle)
        case stopping(waiting: [@Sendable () -> Void])
        case stopped
    }
    private let socket: Int32
    private let state: Mutex<State>

    init?(core: ServerCore, socket: Int32) {
        let configuration = core.configuration
        var settings = sp_mhd_settings()
        settings.listen_socket = socket
        settings.threads = UInt32(max(1, configuration.threads))
        settings.max_connections = UInt32(max(configuration.threads, configuration.maxConnections))
        settings.idle_seconds = UInt32(max(1, configuration.idleTimeout.components.seconds))
        // Half of the memory holds the head while the other half takes pieces of the body.
        settings.connection_bytes = max(32 << 10, configuration.maxHeaderBytes * 2 + configuration.streamBlockBytes)
        settings.context = Unmanaged.passRetained(core).toOpaque()
        settings.begin = { context, target, connection in
            guard let context, let connection else { return nil }
            let core = Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
            let exchange = Exchange(
                core: core, connection: Connection(pointer: connection),
                target: target.map { String(cString: $0) } ?? "/")
            core.add(exchange)
            return Unmanaged.passRetained(exchange).toOpaque()
        }
        settings.handle = { _, _, _, method, _, upload, count, exchange in
            guard let exchange = exchange?.pointee, let count else { return .NO }
            let size = Int(count.pointee)
            count.pointee = 0
            return Unmanaged<Exchange>.fromOpaque(exchange).takeUnretainedValue()
                .proceed(method: method, upload: upload, count: size)
        }
        settings.completed = { _, _, exchange, _ in
            guard let pointer = exchange?.pointee else { return }
            exchange?.pointee = nil
            Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue().complete()
        }
        guard let pointer = Self.start(&settings, configuration.certificate) else {
            Unmanaged.passUnretained(core).release()
            return nil
        }
        self.socket = socket
        state = Mutex(.running(Handle(pointer: pointer)))
    }

    /// The texts have to live for the call only: the library reads them in it.
    private static func start(_ settings: inout sp_mhd_settings, _ certificate: ServerCertificate?) -> OpaquePointer? {
        guard let certificate else { return sp_mhd_start(&settings) }
        return certificate.chain.withCString { chain in
            certificate.key.reveal().withCString { key in
                (certificate.passphrase?.reveal() ?? "").withCString { passphrase in
                    settings.certificate = chain
                    settings.key = key
                    settings.passphrase = certificate.passphrase == nil ? nil : passphrase
                    return sp_mhd_start(&settings)
                }
            }
        }
    }

    /// Accepts no more connections; new ones are refused by the system.
    func quiesce() {
        state.withLock { state in
            guard case .running(let handle) = state else { return }
            MHD_quiesce_daemon(handle.pointer)
            shutdown(socket, Int32(SHUT_RDWR))
            state = .quiet(handle)
        }
    }

    /// Cuts what is in work, joins the threads on a thread where that may block, and then calls `done`.
    func stop(_ core: ServerCore, _ done: @escaping @Sendable () -> Void) {
        quiesce()
        let handle: Handle? = state.withLock { state in
            switch state {
            case .running(let handle), .quiet(let handle):
                state = .stopping(waiting: [done])
                return handle
            case .stopping(let waiting):
                state = .stopping(waiting: waiting + [done])
                return nil
            case .stopped: return nil
            }
        }
        guard let handle else {
            if state.withLock({ if case .stopped = $0 { true } else { false } }) { done() }
            return
        }
        startThread(named: "http-stop") { [self] in
            core.cutAll()
            MHD_stop_daemon(handle.pointer)
            close(socket)
            Unmanaged.passUnretained(core).release()
            let waiting = state.withLock { state in
                defer { state = .stopped }
                if case .stopping(let waiting) = state { return waiting }
                return []
            }
            for done in waiting { done() }
        }
    }
}
