// SPDX-License-Identifier: Apache-2.0

public import Base
public import Engine
public import Storage

/// Why a running service did not carry out a request.
public enum RequestError: ActionableError {
    /// Nobody who holds the state has answered.
    case notTakenUp
    /// The service took it up and could not begin.
    case failed(reason: String)
    /// The service ended before the sample did.
    case left

    public var code: ErrorCode {
        switch self {
        case .notTakenUp: "triage.not_taken_up"
        case .failed: "triage.not_begun"
        case .left: "triage.left"
        }
    }
    public var isRetryable: Bool { true }
    public var description: String {
        switch self {
        case .notTakenUp:
            "The process that holds the state does not take the sample up: it runs this connector not at all, once only "
                + "(VMRAY_RUNTIME_MODE=CLI) or as a dry run, or has ended. Wait for its end, or look at its log."
        case .failed(let reason): "The service could not begin with the sample: \(reason)"
        case .left: "The service stopped before the sample came to its end. It goes on at the next start."
        }
    }
}

extension SandboxTriageConnector {
    /// So long may a service show no sign of life.
    static let patience: Duration = .seconds(30)

    /// Has the service that holds the state bring a sample to its end, and waits for that. A second command for the same
    /// sample follows the first one's request.
    ///
    /// - Parameter store: opened beside the service.
    /// - Returns: `nil` when it was stopped: the service goes on all the same, unless it had not begun.
    /// - Throws: ``RequestError``, `StorageError`.
    public func follow(
        _ sha256: String, in store: any StateStore, until stop: StopSignal,
        progress: @escaping @Sendable (_ step: String, _ detail: String) -> Void
    ) async throws -> Report? {
        guard let flow = try await store.names(in: .flow)[flowName] else { throw RequestError.notTakenUp }
        let book = RequestBook(store: store, flow: flow)
        let time = context.time
        if try await book.all()[sha256].map({ $0.state == .ended }) ?? true {
            try await book.set(TriageRequest(at: time.now), of: sha256)
        }
        progress("service", "The running service is asked.")
        var told = 0
        var seen: (request: TriageRequest?, sign: [UInt8]?) = (nil, nil)
        var lastSign = time.uptime
        while true {
            let request = try await book.all()[sha256]
            let sign = try await book.signOfLife()
            if request != seen.request || sign != seen.sign {
                seen = (request, sign)
                lastSign = time.uptime
            }
            for step in (request?.steps ?? []).dropFirst(told) { progress(step.name, step.detail) }
            told = max(told, request?.steps.count ?? 0)
            // Gone: another command has fetched the answer.
            guard let request, request.state != .ended else {
                try await book.set(nil, of: sha256)
                return try await report(sha256, request, book)
            }
            if stop.isRaised {
                if request.state == .asked { try await book.set(nil, of: sha256) }
                return nil
            }
            guard time.uptime - lastSign < Self.patience else {
                try await book.set(nil, of: sha256)
                throw request.state == .asked ? RequestError.notTakenUp : RequestError.left
            }
            await stop.wait(atMost: .milliseconds(300), on: time)
        }
    }

    private func report(_ sha256: String, _ request: TriageRequest?, _ book: RequestBook) async throws -> Report {
        if let reason = request?.failure { throw RequestError.failed(reason: reason) }
        guard let record = try await book.record(sha256), let outcome = request?.outcome ?? record.outcome else {
            throw RequestError.left
        }
        if request != nil, request?.outcome == nil { throw RequestError.left }
        return Report(record, outcome)
    }
}
