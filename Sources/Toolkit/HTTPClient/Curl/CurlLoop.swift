// SPDX-License-Identifier: Apache-2.0

import Base
import CCurl
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// One thread that drives one libcurl multi handle, and the way to tell it something.
///
/// The thread ends when the last holder of the loop lets go; by then no transfer is left, since each holds the loop
/// through its caller.
final class CurlLoop: Sendable {
    enum Command: Sendable {
        case start(Transfer)
        case cancel(Transfer)
        /// The reader took what was ready and more is held back.
        case drained(Transfer)
        /// The request's body has something for libcurl again.
        case fed(Transfer)
    }

    private let mailbox: Mailbox

    init(_ limits: HTTPConfiguration.Limits) throws(HTTPConfigurationError) {
        guard Self.isLibraryReady else { throw .libraryFailed(reason: "its global initialisation failed") }
        guard let multi = curl_multi_init() else { throw .libraryFailed(reason: "out of memory") }
        sp_curl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, limits.connectionsPerHost)
        sp_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, limits.idleConnections)
        let mailbox = Mailbox(multi)
        self.mailbox = mailbox
        startThread(named: "http") {
            // A peer that resets during a TLS write must not end the process.
            var signals = sigset_t()
            sigemptyset(&signals)
            sigaddset(&signals, SIGPIPE)
            pthread_sigmask(SIG_BLOCK, &signals, nil)
            CurlDriver(mailbox).run()
        }
    }

    deinit { mailbox.stop() }

    func post(_ command: Command) { mailbox.post(command) }

    private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    /// What is said to the thread. It outlives the loop by as long as the thread needs to notice.
    final class Mailbox: Sendable {
        private struct State {
            var commands: [Command] = []
            var isStopped = false
        }
        private let handle: MultiHandle
        private let state = Mutex(State())

        init(_ multi: UnsafeMutableRawPointer) { handle = MultiHandle(pointer: multi) }

        /// For the thread only.
        var multi: UnsafeMutableRawPointer { handle.pointer }

        func post(_ command: Command) {
            // Waking under the lock: after `isStopped` the thread may free the handle at any time.
            state.withLock { state in
                guard !state.isStopped else { return }
                state.commands.append(command)
                if state.commands.count == 1 { curl_multi_wakeup(handle.pointer) }
            }
        }

        func stop() {
            state.withLock { state in
                state.isStopped = true
                curl_multi_wakeup(handle.pointer)
            }
        }

        /// Swaps the waiting commands into `commands`, which must be empty.
        /// - Returns: false when the thread shall end.
        func take(_ commands: inout [Command]) -> Bool {
            state.withLock { state in
                swap(&commands, &state.commands)
                return !state.isStopped
            }
        }
    }

    // Safe because: only the loop's thread uses the handle; others call nothing but curl_multi_wakeup, which libcurl
    // documents as callable from any thread.
    private struct MultiHandle: @unchecked Sendable {
        let pointer: UnsafeMutableRawPointer
    }
}
