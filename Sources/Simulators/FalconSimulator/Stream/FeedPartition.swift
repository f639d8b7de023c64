// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

#if canImport(Glibc)
    import Glibc
#endif

/// The events of one partition: generated ones, whose bytes are made while they are sent, and then those that were given.
///
/// A value of a few references; the vendor's lock guards it.
struct FeedPartition: Sendable {
    /// Events made from templates in turn: the offset and the time are written over their places.
    struct Generated: Sendable {
        var templates: [EventTemplate]
        var count: Int
        var firstOffset: UInt64
        /// Events a second from `began` on; 0 for all at once.
        var rate: Double
        var began: Duration
        /// Offsets between two events.
        var step: UInt64

        /// How many exist by now.
        func available(at now: Duration) -> Int {
            rate > 0 ? min(count, Int((now - began).inSeconds * rate)) : count
        }
        func offset(_ index: Int) -> UInt64 { firstOffset + UInt64(index) * step }
    }

    struct Given: Sendable {
        let offset: UInt64
        let type: String
        let compositeID: String?
        let bytes: [UInt8]
    }

    var generated: Generated?
    var given: [Given] = []

    func count(at now: Duration) -> Int {
        guard let generated else { return given.count }
        let made = generated.available(at: now)
        // What was given comes after all that is generated.
        return made < generated.count ? made : made + given.count
    }

    var lastOffset: UInt64 {
        given.last?.offset ?? generated.map { $0.count > 0 ? $0.offset($0.count - 1) : 0 } ?? 0
    }

    /// The place of the first event with at least this offset.
    func index(atOrAfter offset: UInt64) -> Int {
        let made = generated?.count ?? 0
        if let generated, made > 0, offset <= generated.offset(made - 1) {
            guard offset > generated.firstOffset else { return 0 }
            return Int((offset - generated.firstOffset + generated.step - 1) / generated.step)
        }
        return made + (given.firstIndex { $0.offset >= offset } ?? given.count)
    }

    /// One JSON object a line, with `metadata.offset`; those without one get the next.
    mutating func append(_ lines: [[UInt8]]) {
        for line in lines {
            let json = try? JSONValue(parsing: line)
            let offset = json?["metadata"]?["offset"]?.number?.uint64 ?? lastOffset + 1
            given.append(
                Given(
                    offset: offset, type: json?["metadata"]?["eventType"]?.string ?? "",
                    compositeID: json?["event"]?["CompositeId"]?.string, bytes: line))
        }
    }
}

/// A line with the places of its offset (ten digits) and its time (thirteen).
struct EventTemplate: Sendable {
    let type: String
    let compositeID: String?
    let bytes: [UInt8]
    let offsetAt: Int
    let timeAt: Int

    /// Pads the event to about `size` bytes with a member that the vendor's events of that size have: a long command line.
    init?(_ line: [UInt8], size: Int) {
        guard let json = try? JSONValue(parsing: line), var root = json.object,
            var metadata = root["metadata"]?.object, let type = metadata["eventType"]?.string
        else { return nil }
        metadata["offset"] = .int(1_000_000_000)
        metadata["eventCreationTime"] = .int(1_000_000_000_000)
        root["metadata"] = .object(metadata)
        var bytes = JSONValue.object(root).bytes
        if bytes.count + 30 < size, var event = root["event"]?.object {
            let path = #"C:\Program Files\Example "Vendor"\bin\tool.exe --verbose --config=/etc/x "#
            var filler = ""
            while JSONValue.string(filler).bytes.count + bytes.count + 20 < size { filler += path }
            event["PaddedCommandLine"] = .string(filler)
            root["event"] = .object(event)
            bytes = JSONValue.object(root).bytes
        }
        guard let offsetAt = Self.place(of: #""offset":1000000000"#, in: bytes, digits: 10),
            let timeAt = Self.place(of: #""eventCreationTime":1000000000000"#, in: bytes, digits: 13)
        else { return nil }
        self.type = type
        compositeID = json["event"]?["CompositeId"]?.string
        self.bytes = bytes + [UInt8(ascii: "\n")]
        self.offsetAt = offsetAt
        self.timeAt = timeAt
    }

    /// Lines as they are, the shorter ones padded until the mean is the wanted one.
    static func mix(_ lines: [[UInt8]], mean: Int) -> [EventTemplate] {
        guard !lines.isEmpty else { return [] }
        var low = 0
        var high = mean * 4
        while low < high {
            let middle = (low + high) / 2
            let sum = lines.reduce(0) { $0 + max($1.count, middle) }
            if sum < mean * lines.count { low = middle + 1 } else { high = middle }
        }
        return lines.compactMap { EventTemplate($0, size: low) }
    }

    func write(offset: UInt64, time: Int64, into target: UnsafeMutableRawBufferPointer) {
        bytes.withUnsafeBytes { target.copyMemory(from: $0) }
        Self.digits(offset, 10, target, offsetAt)
        Self.digits(UInt64(max(0, time)), 13, target, timeAt)
    }

    private static func digits(_ value: UInt64, _ count: Int, _ target: UnsafeMutableRawBufferPointer, _ at: Int) {
        var rest = value
        for place in stride(from: at + count - 1, through: at, by: -1) {
            target[place] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }

    private static func place(of text: String, in bytes: [UInt8], digits: Int) -> Int? {
        let wanted = Array(text.utf8)
        guard bytes.count >= wanted.count else { return nil }
        for start in 0...(bytes.count - wanted.count) where bytes[start] == wanted[0] {
            if bytes[start..<start + wanted.count].elementsEqual(wanted) { return start + wanted.count - digits }
        }
        return nil
    }
}
