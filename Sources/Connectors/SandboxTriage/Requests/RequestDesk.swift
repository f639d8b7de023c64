// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Storage

/// The service's side of requests: sees them within seconds whatever a run is busy with, and tells how they go on.
actor RequestDesk {
    /// How often it looks. A command that sees nothing for much longer gives up.
    static let interval: Duration = .seconds(2)
    /// Steps that are kept of one request.
    private static let maxSteps = 500
    /// An answer that nobody has fetched by then goes.
    private static let keptFor: Duration = .seconds(3600)

    private let samples: SampleBook
    private let book: RequestBook
    private let time: any TimeSource
    private var waiting: [String] = []
    private var active: [String: TriageRequest] = [:]
    /// Those that a process before this one had taken are taken again.
    private var isFirstLook = true
    /// Somebody has approved, or wants dead letters tried again.
    private var isCalled = false

    init(_ samples: SampleBook, time: any TimeSource) {
        self.samples = samples
        book = RequestBook(store: samples.store, flow: samples.flow)
        self.time = time
    }

    /// Looks until the service stops.
    func watch(until stop: StopSignal) async throws {
        while !stop.isRaised, !Task.isCancelled {
            try await look()
            await stop.wait(atMost: Self.interval, on: time)
        }
    }

    private func look() async throws(StorageError) {
        let requests = try await book.all()
        for (sha256, request) in requests.sorted(by: { $0.key < $1.key }) where active[sha256] == nil {
            switch request.state {
            case .taken where !isFirstLook: continue
            case .asked, .taken:
                var taken = TriageRequest(at: time.now)
                taken.state = .taken
                active[sha256] = taken
                waiting.append(sha256)
                try await book.set(taken, of: sha256)
            case .ended:
                guard request.changed.duration(to: time.now) > Self.keptFor else { continue }
                try await book.set(nil, of: sha256)
            }
        }
        isFirstLook = false
        if !active.isEmpty { try await book.beat(at: time.now) }
        isCalled = try await samples.isAskedFor(FlowValues.approval)
    }

    /// Tells those who still wait that nothing more happens now.
    func close() async throws(StorageError) {
        try await look()
        for (sha256, request) in active.sorted(by: { $0.key < $1.key }) {
            try await end(sha256, nil, failure: request.steps.isEmpty ? "it stops." : nil)
        }
    }

    // MARK: For a run

    /// Whether a person wants anything of the service.
    var isAsked: Bool { isCalled || !waiting.isEmpty }

    /// Returns when ``isAsked``, or when the task is cancelled.
    func wait() async { while !isAsked, !Task.isCancelled { try? await time.sleep(for: .milliseconds(500)) } }

    /// The samples that were asked for since; the run then owns them.
    func take() -> [String] {
        isCalled = false
        defer { waiting = [] }
        return waiting
    }

    func tell(_ sha256: String, step: String, _ detail: String) async throws(StorageError) {
        guard var request = active[sha256], request.steps.count < Self.maxSteps else { return }
        request.steps.append(.init(name: step, detail: detail))
        request.changed = time.now
        active[sha256] = request
        try await book.set(request, of: sha256)
    }

    /// - Parameter outcome: `nil` when it was left where it stands.
    func end(_ sha256: String, _ outcome: SampleOutcome?, failure: String? = nil) async throws(StorageError) {
        guard var request = active.removeValue(forKey: sha256) else { return }
        request.state = .ended
        request.outcome = outcome
        request.failure = failure
        request.changed = time.now
        try await book.set(request, of: sha256)
    }
}
