// SPDX-License-Identifier: Apache-2.0

public import Base
import Dispatch
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

    /// Of the child's standard input.
    public enum Input: Sendable {
        /// Empty.
        case nothing
        /// What ``write(_:)`` is given.
        case pipe
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
    private let feeder: Feeder?

    /// Starts `program` with an environment of its own. Lines of its standard output come out of ``nextLine()``.
    public init(
        _ program: String, _ arguments: [String], environment: [String: String], errors: Stream = .inherited,
        input: Input = .nothing
    ) throws(Failure) {
        self.program = program
        var descriptors: [Int32] = [0, 0]
        guard pipe(&descriptors) == 0 else { throw Failure(program: program, reason: Self.reason(errno)) }
        var feed: [Int32] = [-1, -1]
        if case .pipe = input {
            guard pipe(&feed) == 0 else {
                for descriptor in descriptors { close(descriptor) }
                throw Failure(program: program, reason: Self.reason(errno))
            }
            for descriptor in feed { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        }
        // Other children must not inherit our end, or the pipe would outlive this one.
        for descriptor in descriptors { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if feed[0] >= 0 {
            posix_spawn_file_actions_adddup2(&actions, feed[0], STDIN_FILENO)
        } else {
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        }
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
        if feed[0] >= 0 { close(feed[0]) }
        guard failure == 0 else {
            close(descriptors[0])
            if feed[1] >= 0 { close(feed[1]) }
            throw Failure(program: program, reason: Self.reason(failure))
        }
        pid = child
        feeder = feed[1] >= 0 ? Feeder(feed[1]) : nil
        let output = descriptors[0]
        startThread(named: "child output") { [lines] in Self.pump(output, into: lines) }
        startThread(named: "child wait") { [self] in reap() }
        if let feeder { startThread(named: "child input") { feeder.loop() } }
    }

    /// Hands bytes to the child's standard input, in order and without waiting. Nothing happens once the child has closed
    /// it.
    public func write(_ bytes: [UInt8]) { feeder?.append(bytes) }

    /// The child sees the end of its input after what was written.
    public func finishInput() { feeder?.append(nil) }

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
        feeder?.append(nil)
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

/// Writes to a child's standard input on a thread of its own: a child that does not read must not hold up the pool.
private final class Feeder: Sendable {
    private let descriptor: Int32
    private let pieces = Mutex<[[UInt8]?]>([])
    private let wake = DispatchSemaphore(value: 0)

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// - Parameter bytes: `nil` for the end.
    func append(_ bytes: [UInt8]?) {
        pieces.withLock { $0.append(bytes) }
        wake.signal()
    }

    func loop() {
        // A child that is gone must not end this process.
        var mask = sigset_t()
        sigemptyset(&mask)
        sigaddset(&mask, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &mask, nil)
        while true {
            wake.wait()
            guard let bytes = pieces.withLock({ $0.removeFirst() }), write(bytes) else { break }
        }
        close(descriptor)
    }

    private func write(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { whole in
                let rest = UnsafeRawBufferPointer(rebasing: whole[offset...])
                return Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            offset += count
        }
        return true
    }
}
