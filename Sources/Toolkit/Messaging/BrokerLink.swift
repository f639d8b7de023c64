// SPDX-License-Identifier: Apache-2.0

import Base
import Synchronization

/// How a connection to the broker stands; for logs, metrics and health.
public enum BrokerState: Sendable {
    case connecting
    case connected
    /// Open, but the broker takes nothing: its memory or disk is short.
    case blocked(reason: String)
    case disconnected(BrokerError, retryIn: Duration)
    case closed
}

/// What a consumer or a publisher does on its connection. Called on the connection's thread only.
protocol BrokerRole: AnyObject {
    /// The connection is open: set the channel up.
    func opened(_ session: AMQPSession) throws(BrokerError)
    /// Publishes and settles what waits; it is flushed right after. Returns whether there is more to send at once.
    func send(_ session: AMQPSession) throws(BrokerError) -> Bool
    func received(_ event: AMQPEvent) throws(BrokerError)
    /// The connection is gone; what was under way on it must be done again.
    func lost()
    /// No connection comes any more.
    func ended()
}

/// A connection that comes back: one thread that opens it, reads, writes, and opens it again after a fault.
final class BrokerLink: Sendable {
    struct Options: Sendable {
        var address: @Sendable () -> BrokerAddress
        /// Shown by RabbitMQ's console.
        var name: String
        var limits: AMQPSession.Limits
        var firstPause: Duration = .seconds(1)
        /// pycti's pause between two tries. Source: OpenCTI protocol, 5.1.
        var longestPause: Duration = .seconds(10)
        var observe: @Sendable (BrokerState) -> Void
    }

    private struct State {
        var isClosing = false
        var hasEnded = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let options: Options
    private let waker: Waker
    private let state = Mutex(State())

    init(_ options: Options) throws(BrokerError) {
        self.options = options
        waker = try Waker()
    }

    /// Starts the thread. `makeRole` runs on it.
    func start(_ makeRole: @escaping @Sendable () -> any BrokerRole) {
        startThread(named: options.name) { [self] in
            let role = makeRole()
            run(role)
            role.ended()
            options.observe(.closed)
            let waiting = state.withLock { state in
                state.hasEnded = true
                defer { state.waiting = [] }
                return state.waiting
            }
            for continuation in waiting { continuation.resume() }
        }
    }

    /// There is something to send.
    func wake() { waker.wake() }

    /// Sends what waits, says goodbye, and returns when the thread has ended.
    func close() async {
        state.withLock { $0.isClosing = true }
        waker.wake()
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isOver = state.withLock { state in
                if state.hasEnded { return true }
                state.waiting.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    private var isClosing: Bool { state.withLock { $0.isClosing } }

    private func run(_ role: any BrokerRole) {
        var pause = options.firstPause
        let time = SystemTime()
        while !isClosing {
            options.observe(.connecting)
            let started = time.uptime
            do throws(BrokerError) {
                let session = try AMQPSession(options.address(), name: options.name, limits: options.limits)
                try role.opened(session)
                options.observe(.connected)
                try serve(role, session)
                session.close()
                return
            } catch {
                role.lost()
                if time.uptime - started > options.longestPause { pause = options.firstPause }
                // Spread out: after the broker's restart not every client at the same moment.
                let wait = pause * Double.random(in: 0.75...1.25)
                options.observe(.disconnected(error, retryIn: wait))
                sleep(wait, time)
                pause = min(pause * 2, options.longestPause)
            }
        }
    }

    /// Until closed, or until the connection fails.
    private func serve(_ role: any BrokerRole, _ session: AMQPSession) throws(BrokerError) {
        // Often enough for the heartbeat, which is sent and looked for while reading.
        let idle = options.limits.heartbeat / 4
        while true {
            let hasMoreToSend = try role.send(session)
            session.flush()
            let hasMoreToRead = try session.read(limit: 256) { (event) throws(BrokerError) in try role.received(event) }
            if hasMoreToSend || hasMoreToRead { continue }
            if isClosing { return }
            waker.wait(socket: session.socket, timeout: idle)
        }
    }

    private func sleep(_ pause: Duration, _ time: SystemTime) {
        let end = time.uptime + pause
        while !isClosing {
            let left = end - time.uptime
            if left <= .zero { return }
            waker.wait(socket: -1, timeout: left)
        }
    }
}
