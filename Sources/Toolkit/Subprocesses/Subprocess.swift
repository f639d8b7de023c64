// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A child process: started without a shell, watched, signalled, and reaped whatever happens.
///
/// For programs that drive other programs: the demo and the benchmarks.
public final class Subprocess: Sendable {
    public enum Stream: Sendable {
        /// Of the parent.
        case inherited
        /// Nowhere.
        case discarded
        /// Appended to a file.
        case file(String)
    }

    public struct Failure: ActionableError {
        public let program: String
        public let reason: String
        public var code: ErrorCode { "subprocess.failed" }
        public var isRetryable: Bool { false }
        public var description: String { "\(program): \(reason)" }
    }

    private struct State {
        var status: Int32?
        var waiting: [CheckedContinuation<Int32, Never>] = []
    }

    public let pid: Int32
    private let program: String
    private let lines = BoundedChannel<String>(capacity: 1024)
    private let state = Mutex(State())

    /// Starts `program` with an environment of its own. Lines of its standard output come out of ``nextLine()``.
    public init(
        _ program: String, _ arguments: [String], environment: [String: String], errors: Stream = .inherited
    ) throws(Failure) {
        self.program = program
        var descriptors: [Int32] = [0, 0]
        guard pipe(&descriptors) == 0 else { throw Failure(program: program, reason: Self.reason(errno)) }
        // Other children must not inherit our end, or the pipe would outlive this one.
        for descriptor in descriptors { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, descriptors[1], STDOUT_FILENO)
        switch errors {
        case .inherited: break
        case .discarded: posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        case .file(let path):
            posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        }
        var child = pid_t()
        let failure = Self.withStrings([program] + arguments) { arguments in
            Self.withStrings(environment.map { "\($0.key)=\($0.value)" }) { environment in
                posix_spawn(&child, program, &actions, nil, arguments, environment)
            }
        }
        close(descriptors[1])
        guard failure == 0 else {
            close(descriptors[0])
            throw Failure(program: program, reason: Self.reason(failure))
        }
        pid = child
        let output = descriptors[0]
        startThread(named: "child output") { [lines] in Self.pump(output, into: lines) }
        startThread(named: "child wait") { [self] in reap() }
    }

    /// The next line of standard output; nil when the child has closed it. A reader that is slow loses lines, never the
    /// child.
    public func nextLine() async -> String? { await lines.receive() }

    public var isRunning: Bool { state.withLock { $0.status == nil } }

    public func signal(_ number: Int32) { if isRunning { kill(pid, number) } }

    /// The exit status; 128 + the number of the signal that ended it.
    public func exitStatus() async -> Int32 {
        await withCheckedContinuation { continuation in
            let known: Int32? = state.withLock { state in
                if state.status == nil { state.waiting.append(continuation) }
                return state.status
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    /// Resident memory now and at its highest, in bytes; nil once the child is gone.
    public var memory: (resident: Int, peak: Int)? {
        guard let resident = Self.field("VmRSS", of: pid), let peak = Self.field("VmHWM", of: pid) else { return nil }
        return (resident << 10, peak << 10)
    }

    private func reap() {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        // WIFEXITED, WEXITSTATUS and WTERMSIG are macros that Swift does not see.
        let code = status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
        let waiting = state.withLock { state in
            state.status = code
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: code) }
    }

    private static func pump(_ descriptor: Int32, into lines: BoundedChannel<String>) {
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            pending += buffer[..<count]
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                _ = lines.offer(String(decoding: pending[..<end], as: UTF8.self))
                pending.removeFirst(end + 1)
            }
        }
        close(descriptor)
        lines.finish()
    }

    private static func field(_ name: String, of pid: pid_t) -> Int? {
        guard let file = fopen("/proc/\(pid)/status", "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix(name + ":") { return Int(text.filter(\.isNumber)) }
        }
        return nil
    }

    private static func withStrings<Result>(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return body(&pointers)
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
