// SPDX-License-Identifier: Apache-2.0

import CLinux
import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// One OS thread that runs an actor's jobs in order, for C libraries that block.
///
/// Use it as the `unownedExecutor` of the actor that owns the library's handle. The thread lives as long as somebody
/// holds the executor, or until ``stop()``.
public final class DedicatedThread: SerialExecutor, Sendable {
    private let mailbox: Mailbox

    /// - Parameter name: shown by `top -H` and in core files; at most 15 bytes are kept.
    public init(name: String) {
        let mailbox = Mailbox()
        self.mailbox = mailbox
        startThread(named: name) { mailbox.loop() }
    }

    deinit { mailbox.stop() }

    public func enqueue(_ job: consuming ExecutorJob) {
        mailbox.append(Work(job: UnownedJob(job), executor: asUnownedSerialExecutor()))
    }

    /// Lets the thread end once the jobs queued so far are done. Jobs enqueued later never run.
    public func stop() { mailbox.stop() }
}

/// Runs `body` on an OS thread of its own, for loops that block. The thread ends when `body` returns.
///
/// - Parameter name: shown by `top -H` and in core files; at most 15 bytes are kept.
public func startThread(named name: String, _ body: @escaping @Sendable () -> Void) {
    let start = ThreadStart(name: name, body: body)
    var thread = pthread_t()
    let failure = pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            let start = Unmanaged<ThreadStart>.fromOpaque(context).takeRetainedValue()
            sp_name_this_thread(start.name)
            start.body()
            return nil
        }, Unmanaged.passRetained(start).toOpaque())
    precondition(failure == 0, "the system refuses a new thread (errno \(failure)): raise the limit of processes")
    pthread_detach(thread)
}

private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private struct Work: Sendable {
    let job: UnownedJob
    let executor: UnownedSerialExecutor
}

/// The queue, apart from the executor so that the thread does not keep the executor alive.
private final class Mailbox: Sendable {
    private struct State {
        var incoming: [Work] = []
        var isStopped = false
    }
    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)

    func append(_ work: Work) {
        let mustWake = state.withLock { state in
            state.incoming.append(work)
            return state.incoming.count == 1
        }
        if mustWake { wake.signal() }
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        wake.signal()
    }

    func loop() {
        // Two arrays that swap: the lock is taken once a round, not once a job.
        var batch: [Work] = []
        while true {
            let isStopped = state.withLock { state in
                swap(&batch, &state.incoming)
                return state.isStopped
            }
            if batch.isEmpty {
                if isStopped { return }
                wake.wait()
                continue
            }
            for work in batch { work.job.runSynchronously(on: work.executor) }
            batch.removeAll(keepingCapacity: true)
        }
    }
}
