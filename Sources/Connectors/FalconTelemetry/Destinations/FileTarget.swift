// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Engine

#if canImport(Glibc)
    import Glibc
#endif

/// Newline-delimited files: one that grows, moved aside when it is full. A batch is taken once it is on the disk.
///
/// A moved file's name ends in the time: `events.ndjson.20260214T090000Z`. What a full disk or a crash cut off in the middle
/// of a batch is removed again, so that every file holds whole lines.
actor FileTarget: RelaySink {
    private let path: String
    private let maxBytes: Int
    private let kept: Int
    private let events: Events
    private let pulse: SymphonyPulse
    private let time: any TimeSource
    private var descriptor: Int32
    private var size: Int
    private var lastMoved = (stamp: "", number: 0)
    private let thread = DedicatedThread(name: "file")

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - maxBytes: 0 never moves the file.
    ///   - kept: how many moved files stay; 0 keeps all.
    /// - Throws: ``ConnectorError/configuration(setting:reason:)`` when it can't be opened.
    init(
        path: String, maxBytes: Int, kept: Int, events: Events, pulse: SymphonyPulse, time: any TimeSource
    ) throws(ConnectorError) {
        self.path = path
        self.maxBytes = maxBytes
        self.kept = kept
        self.events = events
        self.pulse = pulse
        self.time = time
        guard let file = Self.open(path) else {
            throw .configuration(
                setting: "event_stream.file", reason: "\(path) can't be opened: \(String(cString: strerror(errno))).")
        }
        (descriptor, size) = file
    }

    deinit { Glibc.close(descriptor) }

    nonisolated func input(_ index: Int, of batch: RelayBatch) -> [UInt8] { Array(batch.bytes[batch.range(index)]) }

    func append(_ batch: RelayBatch) -> RecordResult {
        let begin = time.uptime
        if maxBytes > 0, size > 0, size + batch.bytes.count > maxBytes { rotate() }
        var failure = writeAll(batch.bytes, to: descriptor).failure
        if failure == nil, fdatasync(descriptor) != 0 { failure = String(cString: strerror(errno)) }
        if let failure {
            let reason = "\(path) can't be written: \(failure)"
            ftruncate(descriptor, off_t(size))
            pulse.failed()
            events.retry(batch.count, mayRepeat: false, reason: reason, wait: .seconds(5))
            return .retry(after: .seconds(5), code: "relay.unavailable", reason: reason)
        }
        size += batch.bytes.count
        pulse.pushed()
        events.delivered(batch, refused: 0, in: time.uptime - begin)
        return .appended(refused: [:])
    }

    private func rotate() {
        let stamp = time.now.secondsDescription.filter { $0 != "-" && $0 != ":" }
        // A number is not given twice in a second: what is moved last must sort last.
        var number = lastMoved.stamp == stamp ? lastMoved.number + 1 : 1
        func name() -> String { number == 1 ? "\(path).\(stamp)" : "\(path).\(stamp).\(number)" }
        while access(name(), F_OK) == 0 { number += 1 }
        let moved = name()
        // Where the folder allows no renaming or no new file, the same file grows on: better than losing lines.
        guard rename(path, moved) == 0 else { return }
        guard let fresh = Self.open(path) else {
            rename(moved, path)
            return
        }
        Glibc.close(descriptor)
        (descriptor, size) = fresh
        lastMoved = (stamp, number)
        prune()
    }

    private func prune() {
        guard kept > 0 else { return }
        var found = glob_t()
        defer { globfree(&found) }
        guard glob("\(path).*", 0, nil, &found) == 0 else { return }
        var moved: [(stamp: Substring, number: Int, name: String)] = []
        for index in 0..<Int(found.gl_pathc) {
            guard let name = found.gl_pathv[index].map({ String(cString: $0) }),
                let (stamp, number) = Self.stamp(name.dropFirst(path.count + 1))
            else { continue }
            moved.append((stamp, number, name))
        }
        moved.sort { ($0.stamp, $0.number) < ($1.stamp, $1.number) }
        for file in moved.dropLast(kept) { unlink(file.name) }
    }

    /// `20260214T090000Z`, `20260214T090000Z.2`; `nil` for the end of a name that we did not give.
    private static func stamp(_ ending: Substring) -> (stamp: Substring, number: Int)? {
        let parts = ending.split(separator: ".", omittingEmptySubsequences: false)
        guard let stamp = parts.first, stamp.count == 16, parts.count <= 2,
            zip(stamp, "00000000T000000Z").allSatisfy({ $1 == "0" ? $0.isASCII && $0.isNumber : $0 == $1 }),
            let number = parts.count == 2 ? Int(parts[1]) : 1
        else { return nil }
        return (stamp, number)
    }

    private static func open(_ path: String) -> (Int32, Int)? {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { return nil }
        syncFolder(path.lastIndex(of: "/").map { String(path[...$0]) } ?? ".")
        var status = stat()
        fstat(descriptor, &status)
        return (descriptor, wholeLines(descriptor, Int(status.st_size)))
    }

    /// Cuts off a last line without its end.
    private static func wholeLines(_ descriptor: Int32, _ size: Int) -> Int {
        var end = size
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while end > 0 {
            let start = max(0, end - block.count)
            guard pread(descriptor, &block, end - start, off_t(start)) == end - start else { return size }
            if let newline = block[..<(end - start)].lastIndex(of: UInt8(ascii: "\n")) {
                end = start + newline + 1
                break
            }
            end = start
        }
        if end < size { ftruncate(descriptor, off_t(end)) }
        return end
    }
}

/// Standard output. Its reader has a line when the pipe has it; nobody can know more.
actor OutputTarget: RelaySink {
    private let events: Events
    private let pulse: SymphonyPulse
    private let time: any TimeSource
    private let thread = DedicatedThread(name: "output")

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(events: Events, pulse: SymphonyPulse, time: any TimeSource) {
        self.events = events
        self.pulse = pulse
        self.time = time
        // A reader that has gone is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
    }

    nonisolated func input(_ index: Int, of batch: RelayBatch) -> [UInt8] { Array(batch.bytes[batch.range(index)]) }

    func append(_ batch: RelayBatch) -> RecordResult {
        let begin = time.uptime
        if let failure = writeAll(batch.bytes, to: STDOUT_FILENO).failure {
            let reason = "standard output can't be written: \(failure)"
            events.retry(batch.count, mayRepeat: true, reason: reason, wait: .seconds(5))
            return .retry(after: .seconds(5), code: "relay.unavailable", reason: reason)
        }
        pulse.pushed()
        events.delivered(batch, refused: 0, in: time.uptime - begin)
        return .appended(refused: [:])
    }
}
