// SPDX-License-Identifier: Apache-2.0

import Base
import Synchronization

/// What all requests of a server share.
final class ServerCore: Sendable {
    private struct State {
        var exchanges: [ObjectIdentifier: Exchange] = [:]
        var isStopping = false
        var isCutting = false
        var drained: [CheckedContinuation<Void, Never>] = []
    }
    let configuration: WebServer.Configuration
    let time: any TimeSource
    let handler: RequestHandler
    private let state = Mutex(State())

    init(configuration: WebServer.Configuration, time: any TimeSource, handler: @escaping RequestHandler) {
        self.configuration = configuration
        self.time = time
        self.handler = handler
    }

    var activeRequests: Int { state.withLock { $0.exchanges.count } }
    var isStopping: Bool { state.withLock { $0.isStopping } }

    func add(_ exchange: Exchange) {
        let isLate = state.withLock { state in
            state.exchanges[ObjectIdentifier(exchange)] = exchange
            return state.isCutting
        }
        if isLate { exchange.cut() }
    }

    func remove(_ exchange: Exchange) {
        let waiting: [CheckedContinuation<Void, Never>] = state.withLock { state in
            state.exchanges[ObjectIdentifier(exchange)] = nil
            guard state.exchanges.isEmpty else { return [] }
            defer { state.drained = [] }
            return state.drained
        }
        for continuation in waiting { continuation.resume() }
    }

    func beginStopping() {
        let exchanges = state.withLock { state in
            state.isStopping = true
            return Array(state.exchanges.values)
        }
        for exchange in exchanges { exchange.prepareToStop() }
    }

    /// Returns when no request is in work, or after `grace`.
    func drain(within grace: Duration) async {
        let timer = Task { [time] in
            try? await time.sleep(for: grace)
            giveUpDraining()
        }
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                if !state.exchanges.isEmpty { state.drained.append(continuation) }
                return state.exchanges.isEmpty
            }
            if isEmpty { continuation.resume() }
        }
        timer.cancel()
    }

    func cutAll() {
        let exchanges = state.withLock { state in
            state.isStopping = true
            state.isCutting = true
            return Array(state.exchanges.values)
        }
        for exchange in exchanges { exchange.cut() }
    }

    private func giveUpDraining() {
        let waiting = state.withLock { state in
            defer { state.drained = [] }
            return state.drained
        }
        for continuation in waiting { continuation.resume() }
    }
}
