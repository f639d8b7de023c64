// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import Synchronization

@testable import Engine

/// A source that gives what it is handed, waits for more, and ends when it is closed.
final class FakeSource: FlowSource {
    struct Broken: Error {}

    private struct State {
        var batches: [[Item]] = []
        var isClosed = false
        var failure: (any Error)?
        var reads = 0
        var acknowledged: [SourcePosition] = []
        var letters: [Int64: Item] = [:]
    }
    private let state = Mutex(State())
    private let changed = BoundedChannel<Void>(capacity: 1)

    init(_ batches: [Item]...) { state.withLock { $0.batches = batches } }

    func give(_ items: [Item]) {
        state.withLock { $0.batches.append(items) }
        _ = changed.offer(())
    }
    func fail(_ error: any Error) {
        state.withLock { $0.failure = error }
        _ = changed.offer(())
    }
    func answer(letter id: Int64, with item: Item) { state.withLock { $0.letters[id] = item } }
    var reads: Int { state.withLock { $0.reads } }
    var acknowledged: [SourcePosition] { state.withLock { $0.acknowledged } }
    var hasGivenAll: Bool { state.withLock { $0.batches.isEmpty } }

    func next() async throws -> SourceRead {
        state.withLock { $0.reads += 1 }
        while true {
            let read: Result<SourceRead, any Error>? = state.withLock { state in
                if let failure = state.failure { return .failure(failure) }
                if !state.batches.isEmpty { return .success(.items(state.batches.removeFirst())) }
                return state.isClosed ? .success(.end) : nil
            }
            if let read { return try read.get() }
            _ = await changed.receive()
            try Task.checkCancellation()
        }
    }

    func acknowledge(_ position: SourcePosition) async { state.withLock { $0.acknowledged.append(position) } }
    func item(from letter: DeadLetter) async -> Item? { state.withLock { $0.letters[letter.id] } }
    func close() async {
        state.withLock { $0.isClosed = true }
        _ = changed.offer(())
    }
}

/// A target in memory. It can hold its answers back until it is told to go on.
final class FakeSink: FlowSink {
    private struct State {
        var contents: [Digest128: String] = [:]
        var batches: [[String]] = []
        var isHolding = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        var acts: [String] = []
        var onAct: [ActResult] = []
        var onReadBack = ReadBack.didNot
        var holding = FlowCore.Holding.unknown
    }
    private let state = Mutex(State())

    var contents: [String] { state.withLock { $0.contents.values.sorted() } }
    var batches: [[String]] { state.withLock { $0.batches } }
    var acts: [String] { state.withLock { $0.acts } }
    var onAct: [ActResult] {
        get { state.withLock { $0.onAct } }
        set { state.withLock { $0.onAct = newValue } }
    }
    var onReadBack: ReadBack {
        get { state.withLock { $0.onReadBack } }
        set { state.withLock { $0.onReadBack = newValue } }
    }

    func hold() { state.withLock { $0.isHolding = true } }
    func release() {
        let waiting = state.withLock { state in
            state.isHolding = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
    /// Returns once that many batches have arrived.
    func wait(for count: Int) async { while batches.count < count { await Task.yield() } }

    func deliver(_ batch: OperationBatch) async -> [OperationResult] {
        state.withLock { $0.batches.append(batch.described) }
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isHolding { state.waiting.append(continuation) }
                return !state.isHolding
            }
            if isFree { continuation.resume() }
        }
        return state.withLock { state in
            batch.operations.map { operation in
                state.contents[operation.key] = operation.kind == .delete ? nil : operation.content.text
                return .applied(remoteID: operation.kind == .delete ? "" : operation.id)
            }
        }
    }

    func perform(_ act: Act) async -> ActResult {
        state.withLock { state in
            state.acts.append(act.id)
            return state.onAct.isEmpty ? .done(remoteID: "act-\(act.id)") : state.onAct.removeFirst()
        }
    }
    func readBack(_ act: Act) async -> ReadBack { onReadBack }
    func holding(_ key: Digest128, removal: [UInt8], source: Digest128) async -> FlowCore.Holding {
        state.withLock { $0.holding }
    }
}
