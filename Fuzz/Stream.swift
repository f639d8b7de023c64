// SPDX-License-Identifier: Apache-2.0

internal import Base
internal import JSON
internal import OpenCTI

/// However the bytes are cut into chunks, the same frames come out, and they are those of the specification written down plainly.
/// The first four bytes of the input say how to cut the rest.
@Sendable func fuzzStream(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= 4 else { return }
    var random = SeededRandom(seed: UInt64(bytes.loadUnaligned(as: UInt32.self)))
    let text = Array(bytes[4...])
    let whole = frames(of: [text], maxFrameBytes: 1 << 20)
    check(whole == plainFrames(text), "\(whole) but plainly \(plainFrames(text))")
    var chunks: [[UInt8]] = []
    var rest = text[...]
    while !rest.isEmpty {
        let size = Int.random(in: 1...max(1, min(rest.count, 40)), using: &random)
        chunks.append(Array(rest.prefix(size)))
        rest = rest.dropFirst(size)
    }
    let cut = frames(of: chunks, maxFrameBytes: 1 << 20)
    check(cut == whole, "cut into \(chunks.map(\.count)) it is \(cut), whole \(whole)")
    // A small limit drops frames, and keeps no more than it and a chunk.
    _ = frames(of: chunks, maxFrameBytes: 24)
}

private struct Frame: Equatable {
    let id: String?
    let event: String?
    let data: String
}

private func frames(of chunks: [[UInt8]], maxFrameBytes: Int) -> [Frame] {
    var parser = SSEParser(maxFrameBytes: maxFrameBytes)
    var frames: [Frame] = []
    for chunk in chunks {
        let batch = parser.read(chunk)
        for frame in batch.frames {
            check(frame.droppedBytes == 0 || frame.droppedBytes > maxFrameBytes, "drops a short frame: \(frame)")
            frames.append(
                Frame(id: batch.idText(of: frame), event: batch.eventName(of: frame), data: batch.dataText(of: frame)))
        }
        check(parser.pendingBytes <= maxFrameBytes, "holds \(parser.pendingBytes) bytes back")
    }
    return frames
}

/// WHATWG HTML, 9.2.6, with one difference on purpose: a frame without data, but with an id or event, counts.
private func plainFrames(_ text: [UInt8]) -> [Frame] {
    var lines: [ArraySlice<UInt8>] = []
    var rest = text.starts(with: [0xEF, 0xBB, 0xBF]) ? text[3...] : text[...]
    while let end = rest.firstIndex(where: { $0 == 0x0A || $0 == 0x0D }) {
        lines.append(rest[..<end])
        rest = rest[rest[end...].starts(with: [0x0D, 0x0A]) ? (end + 2)... : (end + 1)...]
    }
    var frames: [Frame] = []
    var (id, event): (String?, String?) = (nil, nil)
    var data: [[UInt8]] = []
    for line in lines {
        guard !line.isEmpty else {
            if id != nil || event != nil || !data.isEmpty {
                let joined = String(decoding: Array(data.joined(separator: [0x0A])), as: UTF8.self)
                frames.append(Frame(id: id, event: event, data: joined))
            }
            (id, event, data) = (nil, nil, [])
            continue
        }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = line[colon...].dropFirst()
        if value.first == 0x20 { value = value.dropFirst() }
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "id" where !value.contains(0): id = String(decoding: value, as: UTF8.self)
        case "event": event = String(decoding: value, as: UTF8.self)
        case "data": data.append(Array(value))
        default: break
        }
    }
    return frames
}

/// An event of any shape is read, refused with a reason, or nobody's business; a patch applies as a whole or not at all.
@Sendable func fuzzEvent(_ bytes: UnsafeRawBufferPointer) {
    try? JSONParser(limits: JSONLimits(maxDepth: 16)).withDocument(bytes) { root in
        let envelope = try StreamEnvelope(root)
        _ = (envelope.origin, envelope.objectType, envelope.stableID, envelope.stixID)
        guard let indicator = try IndicatorEvent(envelope) else { return }
        check(!indicator.isSTIXPattern || indicator.withPattern { _ in true } == true, "accepted without a pattern")
        _ = (indicator.patternType, indicator.name, indicator.description, indicator.isRevoked, indicator.score?.double)
        _ = (indicator.isForDetection, indicator.labels, indicator.platforms, indicator.markings)
        for instant in [indicator.validFrom, indicator.validUntil, indicator.created] { _ = instant?.description }
        let previous = try indicator.previous()
        guard let patch = root["context"]?["reverse_patch"]?.value.array else {
            return check(previous == nil, "no patch")
        }
        // The short cut for simple patches gives what the whole patch gives.
        guard let before = try? JSONPatch.apply(patch, to: envelope.object.value), let previous else { return }
        check(previous.pattern == before["pattern"]?.string ?? "", "the short cut gives another pattern")
        check(previous.stixID == before["id"]?.string ?? indicator.stixID, "the short cut gives another id")
    }
}
