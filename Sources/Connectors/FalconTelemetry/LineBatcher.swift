// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import JSON
import Sekoia
import Storage

#if canImport(Glibc)
    import Glibc
#endif

/// How a destination wants the lines laid out in a body.
enum LineFrame: Sendable {
    /// `head "…","…" tail`, each line as a JSON string.
    case strings(IntakeFrame)
    /// Each line as it came, with a newline.
    case lines

    var head: [UInt8] { if case .strings(let frame) = self { frame.head } else { [] } }
    var tail: [UInt8] { if case .strings(let frame) = self { frame.tail } else { Array("\n".utf8) } }

    /// A line in this form, back as it came.
    func line(_ record: ArraySlice<UInt8>) -> [UInt8] {
        guard case .strings = self else { return Array(record) }
        return (try? JSONValue(parsing: record))?.string.map { Array($0.utf8) } ?? Array(record)
    }
}

/// What is read of a line; everything else passes through unseen.
struct LineFacts {
    var offset: UInt64?
    /// Milliseconds.
    var created: Int64?
    var walk: VertexWalk?
}

/// Turns the bytes of one feed into batches: finds lines, checks each by a full parse, and copies it into the body.
///
/// Nothing here is per line but these three things: no task, no lock, no allocation. Lines are never encoded again: 64-bit
/// integers, key order and escapes arrive as they were. Source: Sekoia.io module, 1.2.
struct LineBatcher {
    struct Limits: Sendable {
        /// Lines and bytes of one body.
        var lines = 1000
        var bytes = 1 << 20
        /// A longer line is no event.
        var lineBytes = 4 << 20
    }

    struct Policy: Sendable {
        /// The checkpoint's name: the feed's URL without its query.
        var partition: String
        var flow: Int64
        var frame: LineFrame
        var limits = Limits()
        /// Milliseconds: events before it are left out, where there is no checkpoint.
        var notBefore: Int64?
        /// Job runner for events whose vertices are wanted; `nil` for none.
        var walks: String?
        var spares: SpareBuffers?
        /// Whether the feed sends all events: where it is filtered at the source, missing offsets tell nothing.
        var isWhole = true
    }

    /// What a connection left out between the last event that had been read and its first.
    struct Gap: Sendable, Hashable {
        var last: UInt64
        var first: UInt64
    }

    /// Sums since the start, for metrics.
    struct Counts: Sendable, Hashable {
        var lines = 0
        var invalid = 0
        /// Offsets that had been read already.
        var repeats = 0
        /// Events whose offset does not follow the last one's: the tenant's numbering has holes of its own.
        var jumps = 0
        /// Events behind a later one of their connection, which had not been read before.
        var late = 0
        /// Connections that did not go on where the last one ended.
        var gaps = 0
        var tooOld = 0
    }

    private let policy: Policy
    private let parser = JSONParser(limits: JSONLimits(maxBytes: 8 << 20, maxDepth: 1000))
    /// The begin of a line whose end has not arrived.
    private var carry: [UInt8] = []
    private var isSkipping = false
    private var bytes: [UInt8] = []
    private var used = 0
    private var ends: [Int] = []
    private var letters: [DeadLetter] = []
    private var letterBytes = 0
    private var jobs: [Job] = []
    private var skipped = 0
    private var position: UInt64?
    private var created: Int64?
    private var lastSize = 64 << 10
    /// When the oldest line of the open batch came.
    private(set) var openSince: Duration?
    private(set) var lastOffset: UInt64
    /// Where the connection begins: up to here everything has been read.
    private var begun: UInt64
    /// The last offsets that were read, in a ring: what comes behind a later one is either among them or has not come yet.
    private var recent = [UInt64](repeating: 0, count: 4096)
    private var recentAt = 0
    private var notBefore: Int64?
    private(set) var counts = Counts()
    /// No offset has come since the connection was made.
    private var isFirst = true
    /// A server that counts the asked offset in begins with the event that is known already.
    private var isInclusive = false
    /// Of the last connection, until it is asked for.
    private var gap: Gap?

    /// - Parameter lastOffset: the last one that is durable; 0 for none.
    init(_ policy: Policy, lastOffset: UInt64 = 0) {
        self.policy = policy
        self.lastOffset = lastOffset
        begun = lastOffset
        notBefore = policy.notBefore
    }

    /// A new connection: what was left of the last line comes again.
    ///
    /// - Parameter moment: milliseconds: events before it are left out from now on.
    mutating func connected(notBefore moment: Int64? = nil) {
        begun = lastOffset
        if let moment { notBefore = moment }
        carry = []
        isSkipping = false
        isFirst = true
    }

    /// The gap that the last connection began with, once.
    mutating func takeGap() -> Gap? {
        defer { gap = nil }
        return gap
    }

    /// Lines that do not come from the stream as one body, unchecked.
    mutating func body(_ lines: [[UInt8]]) -> RelayBatch {
        var batch = RelayBatch(partition: policy.partition)
        for line in lines { line.withUnsafeBytes { append($0) { _ in } } }
        close { batch = $0 }
        return batch
    }

    /// Takes what has arrived; gives the batches that it filled.
    mutating func take(_ piece: [UInt8], at now: Moment, emit: (RelayBatch) -> Void) {
        piece.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            var at = 0
            while at < buffer.count {
                let found = memchr(base + at, Int32(UInt8(ascii: "\n")), buffer.count - at)
                let end = found.map { UnsafeRawPointer($0) - base } ?? buffer.count
                let part = UnsafeRawBufferPointer(rebasing: buffer[at..<end])
                at = end + 1
                if found == nil {
                    keep(part)
                } else if carry.isEmpty, !isSkipping {
                    line(part, padding: buffer.count - end, at: now, emit: emit)
                } else {
                    keep(part)
                    finishCarried(at: now, emit: emit)
                }
            }
        }
    }

    /// Hands over what is open, if it has waited so long.
    mutating func flush(olderThan age: Duration, at now: Moment, emit: (RelayBatch) -> Void) {
        guard let openSince, now.uptime - openSince >= age else { return }
        close(emit)
    }

    private mutating func keep(_ part: UnsafeRawBufferPointer) {
        guard !isSkipping else { return }
        if carry.count + part.count > policy.limits.lineBytes {
            // Its begin is kept to be looked at; the rest is passed over up to the next newline.
            carry.append(contentsOf: part.prefix(max(0, 4096 - carry.count)))
            isSkipping = true
        } else {
            carry.append(contentsOf: part)
        }
    }

    private mutating func finishCarried(at now: Moment, emit: (RelayBatch) -> Void) {
        var whole: [UInt8] = []
        swap(&whole, &carry)
        if isSkipping {
            isSkipping = false
            counts.lines += 1
            let reason = "the line is longer than \(policy.limits.lineBytes) bytes; its begin is kept"
            bury(Array(whole.prefix(4096)), code: "event.too_long", reason, at: now, emit: emit)
        } else {
            whole.withUnsafeBytes { line($0, padding: 0, at: now, emit: emit) }
        }
        whole.removeAll(keepingCapacity: whole.capacity <= 64 << 10)
        swap(&whole, &carry)
    }

    private mutating func line(
        _ raw: UnsafeRawBufferPointer, padding: Int, at now: Moment, emit: (RelayBatch) -> Void
    ) {
        var first = 0
        var end = raw.count
        while end > first, Self.isBlank(raw[end - 1]) { end -= 1 }
        while first < end, Self.isBlank(raw[first]) { first += 1 }
        // A blank line keeps the connection; it says nothing.
        guard first < end else { return }
        let text = UnsafeRawBufferPointer(rebasing: raw[first..<end])
        counts.lines += 1
        let facts: LineFacts
        do {
            facts = try parser.withDocument(text, padding: padding + raw.count - end) { root in
                try Self.facts(root, wantsWalk: policy.walks != nil)
            }
        } catch {
            counts.invalid += 1
            let reason = (error as? JSONError)?.description ?? "it is no JSON object"
            return bury(Array(text), code: "event.invalid", reason, at: now, emit: emit)
        }
        if let offset = facts.offset {
            if isFirst { begin(at: offset) }
            if isRepeat(offset) {
                counts.repeats += 1
                return skip(at: now)
            }
            note(offset)
        }
        if let bound = notBefore, let created = facts.created, created < bound {
            counts.tooOld += 1
            move(to: facts.offset)
            return skip(at: now)
        }
        if case .strings = policy.frame, Self.isTooLong(text) {
            let reason = "it is longer than \(IntakeFrame.maxEventScalars) characters, the intake's limit"
            move(to: facts.offset)
            return bury(Array(text), code: "event.too_long", reason, at: now, emit: emit)
        }
        append(text, emit: emit)
        move(to: facts.offset)
        created = facts.created ?? created
        if let runner = policy.walks, let walk = facts.walk {
            jobs.append(walk.job(runner: runner, flow: policy.flow, offset: facts.offset, at: now.wall))
        }
        open(at: now)
        if ends.count >= policy.limits.lines || used >= policy.limits.bytes { close(emit) }
    }

    private func isRepeat(_ offset: UInt64) -> Bool {
        guard offset <= lastOffset else { return false }
        return offset <= begun || offset == lastOffset || recent.contains(offset)
    }

    private mutating func note(_ offset: UInt64) {
        recent[recentAt] = offset
        recentAt = (recentAt + 1) % recent.count
        if offset < lastOffset {
            counts.late += 1
        } else {
            if lastOffset > 0, offset > lastOffset + 1 { counts.jumps += 1 }
            lastOffset = offset
        }
    }

    private mutating func move(to offset: UInt64?) { if let offset { position = max(position ?? 0, offset) } }

    /// The first offset of a connection: it was asked for the last one that had been read.
    private mutating func begin(at offset: UInt64) {
        isFirst = false
        guard lastOffset > 0, policy.isWhole else { return }
        if offset <= lastOffset { isInclusive = true }
        // Holes of the tenant's own numbering can't be told from lost events, unless the server is known to begin with
        // the event that was asked for.
        if offset > lastOffset + 1 || isInclusive && offset > lastOffset {
            counts.gaps += 1
            gap = Gap(last: lastOffset, first: offset)
        }
    }

    private mutating func append(_ text: UnsafeRawBufferPointer, emit: (RelayBatch) -> Void) {
        let room = EscapedText.room(for: text.count) + 8
        // A body never outgrows the intake's limit; a line whose worst case does not fit goes into the next one.
        if !ends.isEmpty, used + text.count * 2 + 8 > IntakeFrame.maxBodyBytes / 2 { close(emit) }
        if bytes.isEmpty {
            // Room for a few of the longest lines beyond the bound: growing copies.
            let size = min(lastSize + lastSize / 8, policy.limits.bytes) + max(room, 64 << 10)
            bytes = buffer(of: size)
            let head = policy.frame.head
            bytes.replaceSubrange(0..<head.count, with: head)
            used = head.count
        }
        if bytes.count < used + room {
            grow(to: max(bytes.count * 3 / 2, used + room))
        }
        let isString = if case .strings = policy.frame { true } else { false }
        let separates = !ends.isEmpty
        used = bytes.withUnsafeMutableBytes { body in
            var at = used
            if separates {
                body[at] = isString ? UInt8(ascii: ",") : UInt8(ascii: "\n")
                at += 1
            }
            if isString {
                body[at] = UInt8(ascii: "\"")
                at += 1
                at += EscapedText.write(text, into: UnsafeMutableRawBufferPointer(rebasing: body[at...]))
                body[at] = UInt8(ascii: "\"")
                return at + 1
            }
            UnsafeMutableRawBufferPointer(rebasing: body[at...]).copyMemory(from: text)
            return at + text.count
        }
        ends.append(used)
    }

    /// Not zeroed: what is not written is cut off before anybody sees it.
    private func buffer(of size: Int) -> [UInt8] {
        guard var spare = policy.spares?.take(room: size) else {
            return [UInt8](unsafeUninitializedCapacity: size) { _, count in count = size }
        }
        while spare.count < size { spare.append(contentsOf: Self.filler.prefix(size - spare.count)) }
        return spare
    }

    private static let filler = [UInt8](repeating: 0, count: 64 << 10)

    private mutating func grow(to size: Int) {
        let (old, count) = (bytes, used)
        bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
            old.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(buffer).copyMemory(from: .init(rebasing: $0[..<count]))
            }
            filled = size
        }
    }

    private mutating func bury(
        _ input: [UInt8], code: String, _ reason: String, at now: Moment, emit: (RelayBatch) -> Void
    ) {
        letters.append(
            RelayCore.letter(
                input, flow: policy.flow, code: code, reason: reason, position: policy.partition, at: now.wall))
        letterBytes += input.count
        open(at: now)
        if letterBytes > policy.limits.bytes || letters.count >= policy.limits.lines { close(emit) }
    }

    private mutating func skip(at now: Moment) {
        skipped += 1
        // What only moves the checkpoint may wait with the next events, but not for ever.
        open(at: now)
    }

    private mutating func open(at now: Moment) { if openSince == nil { openSince = now.uptime } }

    private mutating func close(_ emit: (RelayBatch) -> Void) {
        openSince = nil
        var batch = RelayBatch(partition: policy.partition, position: position)
        if !ends.isEmpty {
            let tail = policy.frame.tail
            if bytes.count < used + tail.count { bytes.append(contentsOf: repeatElement(0, count: tail.count)) }
            for byte in tail {
                bytes[used] = byte
                used += 1
            }
            bytes.removeLast(bytes.count - used)
            lastSize = used
            batch.start = policy.frame.head.count
            batch.separator = 1
            swap(&batch.bytes, &bytes)
            swap(&batch.ends, &ends)
        }
        batch.deadLetters = letters
        batch.jobs = jobs
        batch.skipped = skipped
        batch.newest = created.map { Instant(milliseconds: $0) }
        bytes = []
        used = 0
        letters = []
        letterBytes = 0
        jobs = []
        skipped = 0
        created = nil
        ends.reserveCapacity(batch.ends.count)
        emit(batch)
    }

    private struct NoObject: Error {}

    private static func facts(_ root: JSONElement, wantsWalk: Bool) throws(NoObject) -> LineFacts {
        guard root.kind == .object else { throw NoObject() }
        guard let metadata = root["metadata"] else { return LineFacts() }
        var facts = LineFacts()
        // Compat: 0 counts as none, as in the original. Other forms of a number than digits are no offset.
        facts.offset = metadata["offset"]?.uint.flatMap { $0 == 0 ? nil : $0 }
        facts.created = metadata["eventCreationTime"]?.int
        if wantsWalk { facts.walk = VertexWalk(metadata, root["event"]) }
        return facts
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func isTooLong(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count > IntakeFrame.maxEventScalars else { return false }
        // Continuation bytes belong to the scalar before them.
        return text.count { $0 & 0xC0 != 0x80 } > IntakeFrame.maxEventScalars
    }
}
