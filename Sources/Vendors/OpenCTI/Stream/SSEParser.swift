// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// Cuts server-sent events out of the chunks of a response body.
///
/// Lines end at `\r\n`, `\n` or `\r` and nowhere else: event data contains U+2028, U+0085 and other characters at which
/// generic line splitters break. Each byte is looked at once, however the chunks are cut; frames are ranges into the
/// chunk they came in, and only the unfinished tail is copied into the next.
///
/// Source: WHATWG HTML, 9.2 "Server-sent events"; OpenCTI protocol, 4.3.
public struct SSEParser: Sendable {
    /// The frame being read. Offsets count from its first byte, so they survive a move into the next buffer.
    private struct Pending: Sendable {
        var lineStart = 0
        /// Known to hold no line end before this.
        var searched = 0
        var id: Range<Int>?
        var event: Range<Int>?
        var data: Range<Int>?
        var moreData: [Range<Int>] = []
        var hasField = false
    }
    /// A frame beyond the limit: what is kept of it while the rest is thrown away.
    private struct Skipping: Sendable {
        let kind: StreamFrame.Kind
        let id: EventID?
        var dropped: Int
        var isAtLineStart: Bool
    }

    /// The server's `retry:` of the last frames, as it asked reconnects to wait.
    public private(set) var retry: Duration?

    private let maxFrameBytes: Int
    private var carry: [UInt8] = []
    private var pending = Pending()
    private var skipping: Skipping?
    /// The last line ended in a carriage return at the end of a chunk: a line feed next belongs to it.
    private var mayContinueLineEnd = false
    private var isAtStreamStart = true

    /// - Parameter maxFrameBytes: a longer frame is dropped and reported by ``StreamFrame/droppedBytes``; the stream goes on.
    public init(maxFrameBytes: Int = 16 << 20) { self.maxFrameBytes = maxFrameBytes }

    /// Bytes of an unfinished frame held back.
    public var pendingBytes: Int { carry.count }

    /// Forgets the unfinished frame: the first chunk of the next connection starts afresh.
    public mutating func reset() { self = SSEParser(maxFrameBytes: maxFrameBytes) }

    /// The frames that `chunk` completes; a batch without frames when it completes none.
    public mutating func read(_ chunk: consuming [UInt8]) -> StreamBatch {
        var bytes: [UInt8]
        if carry.isEmpty {
            bytes = chunk
        } else {
            bytes = carry
            carry = []
            bytes.append(contentsOf: chunk)
        }
        var output = Output()
        var frameStart = 0
        bytes.withUnsafeBufferPointer { frameStart = scan($0, into: &output) }
        if skipping != nil || frameStart == bytes.count {
            carry = []
        } else if frameStart == 0 {
            carry = bytes
            bytes = []
        } else {
            carry = Array(bytes[frameStart...])
        }
        return StreamBatch(frames: output.frames, bytes: output.frames.isEmpty ? [] : bytes, joined: output.joined)
    }

    private struct Output {
        var frames: [StreamFrame] = []
        var joined: [UInt8] = []
    }

    /// Returns where the unfinished frame starts.
    private mutating func scan(_ bytes: UnsafeBufferPointer<UInt8>, into output: inout Output) -> Int {
        var frameStart = 0
        if isAtStreamStart {
            // A byte order mark may precede the first frame; it needs three bytes to be told from data.
            let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
            if bytes.count < mark.count, bytes.elementsEqual(mark.prefix(bytes.count)) { return 0 }
            isAtStreamStart = false
            if bytes.starts(with: mark) { frameStart = mark.count }
        }
        var ends = LineEnds(bytes)
        while true {
            if mayContinueLineEnd {
                let next = skipping == nil ? frameStart + pending.lineStart : frameStart
                guard next < bytes.count else { break }
                mayContinueLineEnd = false
                if bytes[next] == UInt8(ascii: "\n") {
                    if skipping != nil || !pending.hasField {
                        skipping?.dropped += 1
                        frameStart += 1
                    } else {
                        pending.lineStart += 1
                        pending.searched = max(pending.searched, pending.lineStart)
                    }
                }
            }
            if skipping != nil {
                guard skip(bytes, from: &frameStart, &ends, into: &output) else { return bytes.count }
                continue
            }
            let lineStart = frameStart + pending.lineStart
            guard let lineEnd = ends.next(from: frameStart + pending.searched) else {
                pending.searched = bytes.count - frameStart
                break
            }
            let next = afterLineEnd(at: lineEnd, in: bytes)
            if lineEnd == lineStart {
                finish(bytes, from: frameStart, to: next, into: &output)
                frameStart = next
            } else {
                read(bytes, lineStart..<lineEnd, frameStart: frameStart)
                if !pending.hasField {
                    // Nothing but comments so far: they need not be kept, nor what was searched of them.
                    frameStart = next
                    pending.searched = 0
                    continue
                }
                pending.lineStart = next - frameStart
                pending.searched = pending.lineStart
            }
        }
        if bytes.count - frameStart > maxFrameBytes {
            skipping = Skipping(
                kind: kind(bytes, frameStart), id: id(bytes, frameStart), dropped: bytes.count - frameStart,
                isAtLineStart: frameStart + pending.lineStart == bytes.count)
            pending = Pending()
            return bytes.count
        }
        return frameStart
    }

    private mutating func afterLineEnd(at index: Int, in bytes: UnsafeBufferPointer<UInt8>) -> Int {
        guard bytes[index] == UInt8(ascii: "\r") else { return index + 1 }
        if index + 1 == bytes.count {
            mayContinueLineEnd = true
            return index + 1
        }
        return bytes[index + 1] == UInt8(ascii: "\n") ? index + 2 : index + 1
    }

    private mutating func read(_ bytes: UnsafeBufferPointer<UInt8>, _ line: Range<Int>, frameStart: Int) {
        let text = UnsafeBufferPointer(rebasing: bytes[line])
        guard text[0] != UInt8(ascii: ":") else { return }
        let name = text.firstIndex(of: UInt8(ascii: ":")) ?? text.count
        var start = min(name + 1, text.count)
        if start < text.count, text[start] == UInt8(ascii: " ") { start += 1 }
        let value = line.lowerBound - frameStart + start..<line.upperBound - frameStart
        let field = UnsafeBufferPointer(rebasing: text[..<name])
        if field.equals("data") {
            if pending.data == nil { pending.data = value } else { pending.moreData.append(value) }
        } else if field.equals("id") {
            // An id with a NUL is to be ignored.
            guard !text[start...].contains(0) else { return }
            pending.id = value
        } else if field.equals("event") {
            pending.event = value
        } else if field.equals("retry") {
            let digits = String(decoding: text[start...], as: UTF8.self)
            if let milliseconds = UInt32(digits) { retry = .milliseconds(Int64(milliseconds)) }
            return
        } else {
            return
        }
        pending.hasField = true
    }

    private mutating func finish(
        _ bytes: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int, into output: inout Output
    ) {
        defer { pending = Pending() }
        guard pending.hasField else { return }
        let isTooLong = end - start > maxFrameBytes
        var data = pending.data.map { start + $0.lowerBound..<start + $0.upperBound } ?? start..<start
        let isJoined = !pending.moreData.isEmpty && !isTooLong
        if isTooLong {
            data = start..<start
        } else if isJoined {
            let first = output.joined.count
            output.joined.append(contentsOf: bytes[data])
            for line in pending.moreData {
                output.joined.append(UInt8(ascii: "\n"))
                output.joined.append(contentsOf: bytes[start + line.lowerBound..<start + line.upperBound])
            }
            data = first..<output.joined.count
        }
        output.frames.append(
            StreamFrame(
                kind: kind(bytes, start), id: id(bytes, start), droppedBytes: isTooLong ? end - start : 0,
                idRange: pending.id.map { start + $0.lowerBound..<start + $0.upperBound },
                eventRange: pending.event.map { start + $0.lowerBound..<start + $0.upperBound },
                dataRange: data, isJoined: isJoined))
    }

    private func kind(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> StreamFrame.Kind {
        guard let event = pending.event else { return .unknown }
        return StreamFrame.Kind(
            UnsafeBufferPointer(rebasing: bytes[start + event.lowerBound..<start + event.upperBound]))
    }

    private func id(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> EventID? {
        pending.id.flatMap {
            EventID(parsing: UnsafeBufferPointer(rebasing: bytes[start + $0.lowerBound..<start + $0.upperBound]))
        }
    }

    /// Throws bytes away up to the end of the frame; `false` when it is not in this buffer.
    private mutating func skip(
        _ bytes: UnsafeBufferPointer<UInt8>, from position: inout Int, _ ends: inout LineEnds,
        into output: inout Output
    ) -> Bool {
        guard var state = skipping else { return true }
        while let lineEnd = ends.next(from: position) {
            let isEnd = state.isAtLineStart && lineEnd == position
            let next = afterLineEnd(at: lineEnd, in: bytes)
            state.dropped += next - position
            state.isAtLineStart = true
            position = next
            if isEnd {
                output.frames.append(
                    StreamFrame(
                        kind: state.kind, id: state.id, droppedBytes: state.dropped, idRange: nil, eventRange: nil,
                        dataRange: 0..<0, isJoined: false))
                skipping = nil
                return true
            }
            if mayContinueLineEnd { break }
        }
        if position < bytes.count {
            state.dropped += bytes.count - position
            state.isAtLineStart = false
        }
        skipping = state
        return false
    }
}

/// Finds line ends by `memchr`, remembering the next of each kind so that no byte is searched twice.
private struct LineEnds {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var lineFeed = -1
    private var carriageReturn = -1

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    /// Positions only grow from call to call.
    mutating func next(from position: Int) -> Int? {
        if lineFeed < position { lineFeed = find(UInt8(ascii: "\n"), from: position) }
        if carriageReturn < position { carriageReturn = find(UInt8(ascii: "\r"), from: position) }
        let end = min(lineFeed, carriageReturn)
        return end < bytes.count ? end : nil
    }

    private func find(_ byte: UInt8, from position: Int) -> Int {
        guard position < bytes.count, let base = bytes.baseAddress,
            let hit = memchr(base + position, Int32(byte), bytes.count - position)
        else { return bytes.count }
        return UnsafeRawPointer(base).distance(to: UnsafeRawPointer(hit))
    }
}
