// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A queue between tasks that makes a fast sender wait for a slow receiver.
///
/// `AsyncStream` has no back-pressure (it grows or drops), so data goes through this. Many senders and receivers are
/// fine; elements come out in the order in which ``send(_:)`` accepted them.
public final class BoundedChannel<Element: Sendable>: Sendable {
    /// The channel was finished: nothing can be sent any more.
    public struct Finished: Error, Sendable {}

    private struct Sender {
        let id: UInt64
        let element: Element
        let continuation: CheckedContinuation<Bool, Never>
    }
    private struct Receiver {
        let id: UInt64
        let continuation: CheckedContinuation<Element?, Never>
    }
    private struct State {
        var buffer: [Element?] = []
        var head = 0
        var senders: [Sender] = []
        var receivers: [Receiver] = []
        var isFinished = false
        var nextID: UInt64 = 0
        var cancelled: Set<UInt64> = []

        var count: Int { buffer.count - head }

        mutating func append(_ element: Element) { buffer.append(element) }

        mutating func popFirst() -> Element? {
            guard head < buffer.count else { return nil }
            let element = buffer[head]
            buffer[head] = nil
            head += 1
            if head == buffer.count {
                buffer.removeAll(keepingCapacity: true)
                head = 0
            } else if head > 1024, head * 2 > buffer.count {
                buffer.removeFirst(head)
                head = 0
            }
            return element
        }
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: elements held before a sender waits; at least 1.
    public init(capacity: Int) { self.capacity = max(1, capacity) }

    /// Elements waiting now.
    public var count: Int { state.withLock { $0.count } }

    /// Appends, waiting for room.
    ///
    /// - Throws: ``Finished`` after ``finish()``, `CancellationError` when the task is cancelled while it waits; the
    ///   element is then not in the channel.
    public func send(_ element: Element) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let accepted = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
                let (answer, receiver): (Bool?, Receiver?) = state.withLock { state in
                    if state.isFinished || state.cancelled.remove(id) != nil { return (false, nil) }
                    if !state.receivers.isEmpty { return (true, state.receivers.removeFirst()) }
                    if state.count < capacity {
                        state.append(element)
                        return (true, nil)
                    }
                    state.senders.append(Sender(id: id, element: element, continuation: continuation))
                    return (nil, nil)
                }
                receiver?.continuation.resume(returning: element)
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            cancelSender(id)
        }
        forget(id)
        if !accepted {
            try Task.checkCancellation()
            throw Finished()
        }
    }

    /// Appends if there is room now; `false` when full or finished. For callers that must not wait, such as C callbacks.
    public func offer(_ element: Element) -> Bool {
        let (accepted, receiver): (Bool, Receiver?) = state.withLock { state in
            if state.isFinished { return (false, nil) }
            if !state.receivers.isEmpty { return (true, state.receivers.removeFirst()) }
            guard state.count < capacity else { return (false, nil) }
            state.append(element)
            return (true, nil)
        }
        receiver?.continuation.resume(returning: element)
        return accepted
    }

    /// The next element; `nil` once the channel is finished and empty, or when the task is cancelled.
    public func receive() async -> Element? {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let element = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Element?, Never>) in
                let (answer, sender): (Element??, Sender?) = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return (.some(nil), nil) }
                    if let element = state.popFirst() { return (.some(element), Self.admitSender(&state)) }
                    if state.isFinished { return (.some(nil), nil) }
                    state.receivers.append(Receiver(id: id, continuation: continuation))
                    return (nil, nil)
                }
                sender?.continuation.resume(returning: true)
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            cancelReceiver(id)
        }
        forget(id)
        return element
    }

    /// The next element if one is waiting.
    public func poll() -> Element? {
        let (element, sender): (Element?, Sender?) = state.withLock { state in
            guard let element = state.popFirst() else { return (nil, nil) }
            return (element, Self.admitSender(&state))
        }
        sender?.continuation.resume(returning: true)
        return element
    }

    /// No more elements come. What is buffered can still be received; waiting senders are refused.
    public func finish() {
        let (senders, receivers) = state.withLock { state in
            state.isFinished = true
            defer {
                state.senders = []
                state.receivers = []
            }
            return (state.senders, state.receivers)
        }
        for sender in senders { sender.continuation.resume(returning: false) }
        for receiver in receivers { receiver.continuation.resume(returning: nil) }
    }

    private static func admitSender(_ state: inout State) -> Sender? {
        guard !state.senders.isEmpty else { return nil }
        let sender = state.senders.removeFirst()
        state.append(sender.element)
        return sender
    }

    // Cancellation may come before the continuation is stored: the id is then remembered until the caller has seen it.
    private func cancelSender(_ id: UInt64) {
        let sender: Sender? = state.withLock { state in
            guard let index = state.senders.firstIndex(where: { $0.id == id }) else {
                state.cancelled.insert(id)
                return nil
            }
            return state.senders.remove(at: index)
        }
        sender?.continuation.resume(returning: false)
    }

    private func cancelReceiver(_ id: UInt64) {
        let receiver: Receiver? = state.withLock { state in
            guard let index = state.receivers.firstIndex(where: { $0.id == id }) else {
                state.cancelled.insert(id)
                return nil
            }
            return state.receivers.remove(at: index)
        }
        receiver?.continuation.resume(returning: nil)
    }

    private func forget(_ id: UInt64) { state.withLock { _ = $0.cancelled.remove(id) } }
}
