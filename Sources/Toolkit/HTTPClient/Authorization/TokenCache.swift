// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// Keeps one token for all callers: fetched once however many wait, renewed ahead of its expiry, dropped when a server
/// rejects it.
///
/// Within the last five minutes (or the last fifth of a shorter life) the token is still handed out while a new one is
/// fetched in the background, so that a hiccup of the endpoint is felt by nobody.
public final class TokenCache: TokenSource {
    private typealias Waiter = CheckedContinuation<Result<AccessToken, HTTPError>, Never>
    private struct State {
        var token: AccessToken?
        /// When a new one is due; `nil` for never.
        var renewal: Duration?
        var isFetching = false
        var waiters: [UInt64: Waiter] = [:]
        var cancelled: Set<UInt64> = []
        var nextID: UInt64 = 0
        /// How the last fetch ended.
        var last: Result<AccessToken, HTTPError>?
        /// Until when the endpoint is not asked again.
        var rest: Duration = .zero
    }

    private let time: any TimeSource
    private let renewBefore: Duration
    private let restAfterFailure: Duration
    private let observer: (any HTTPObserver)?
    private let fetch: @Sendable () async throws(HTTPError) -> AccessToken
    private let state = Mutex(State())

    /// - Parameters:
    ///   - renewBefore: how long before its expiry a token is renewed.
    ///   - restAfterFailure: how long the endpoint is left alone after it refused the credentials; callers get the same
    ///     refusal meanwhile.
    ///   - fetch: gets a new token, within a bound of its own: no caller's deadline ends it, since all share it.
    public init(
        time: any TimeSource = SystemTime(), renewBefore: Duration = .seconds(300),
        restAfterFailure: Duration = .seconds(5), observer: (any HTTPObserver)? = nil,
        fetch: @escaping @Sendable () async throws(HTTPError) -> AccessToken
    ) {
        self.time = time
        self.renewBefore = renewBefore
        self.restAfterFailure = restAfterFailure
        self.observer = observer
        self.fetch = fetch
    }

    public func token(rejecting rejected: AccessToken? = nil) async throws(HTTPError) -> AccessToken {
        enum Step {
            case use(AccessToken, mustFetch: Bool)
            case refuse(HTTPError)
            case wait(id: UInt64, mustFetch: Bool)
        }
        let step: Step = state.withLock { state in
            let now = time.uptime
            if let token = state.token, token == rejected || token.expiry.map({ $0 <= now }) ?? false {
                state.token = nil
            }
            if let token = state.token {
                let isDue = state.renewal.map { $0 <= now } ?? false
                return .use(token, mustFetch: isDue && now >= state.rest && Self.startFetching(&state))
            }
            if case .failure(let error)? = state.last, case .unauthorized = error, now < state.rest {
                return .refuse(error)
            }
            state.nextID += 1
            return .wait(id: state.nextID, mustFetch: Self.startFetching(&state))
        }
        switch step {
        case .refuse(let error): throw error
        case .use(let token, let mustFetch):
            if mustFetch { fetchForAll() }
            return token
        case .wait(let id, let mustFetch):
            if mustFetch { fetchForAll() }
            return try await wait(id)
        }
    }

    private static func startFetching(_ state: inout State) -> Bool {
        defer { state.isFetching = true }
        return !state.isFetching
    }

    // A task of nobody in particular: whoever asked first may be cancelled while others still wait.
    private func fetchForAll() {
        Task {
            let result: Result<AccessToken, HTTPError>
            do throws(HTTPError) { result = .success(try await fetch()) } catch { result = .failure(error) }
            settle(result)
        }
    }

    private func settle(_ result: Result<AccessToken, HTTPError>) {
        let waiters = state.withLock { state in
            let now = time.uptime
            state.isFetching = false
            state.last = result
            switch result {
            case .success(let token):
                state.token = token
                state.renewal = token.expiry.map { $0 - min(renewBefore, max(.zero, $0 - now) / 5) }
                state.rest = .zero
            case .failure: state.rest = now + restAfterFailure
            }
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        if case .failure(let error) = result {
            observer?.observe(.token(failure: error.code))
        } else {
            observer?.observe(.token(failure: nil))
        }
        for waiter in waiters { waiter.resume(returning: result) }
    }

    private func wait(_ id: UInt64) async throws(HTTPError) -> AccessToken {
        let result: Result<AccessToken, HTTPError> = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let early: Result<AccessToken, HTTPError>? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return .failure(.cancelled) }
                    // The fetch may have ended between the first look and this one.
                    if !state.isFetching {
                        return state.last
                    }
                    state.waiters[id] = waiter
                    return nil
                }
                if let early { waiter.resume(returning: early) }
            }
        } onCancel: {
            cancel(id)
        }
        state.withLock { _ = $0.cancelled.remove(id) }
        return try result.get()
    }

    private func cancel(_ id: UInt64) {
        let waiter = state.withLock { state in
            let waiter = state.waiters.removeValue(forKey: id)
            if waiter == nil { state.cancelled.insert(id) }
            return waiter
        }
        waiter?.resume(returning: .failure(.cancelled))
    }
}
