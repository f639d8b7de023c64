// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import Synchronization

/// One connection to a feed: events as fast as the client takes them, blank lines while there are none.
final class FeedBody: ResponseBody {
    private struct Place {
        var index: Int
        /// A line that did not fit whole.
        var rest: ArraySlice<UInt8> = []
        var sent = 0
        var lastByte: Duration
        var waker: Task<Void, Never>?
    }
    private let feeds: EventFeeds
    private let partition: Int
    private let key: String
    private let token: String
    private let types: Set<String>
    private let place: Mutex<Place>

    init(_ feeds: EventFeeds, partition: Int, key: String, token: String, from index: Int, types: Set<String>) {
        self.feeds = feeds
        self.partition = partition
        self.key = key
        self.token = token
        self.types = types
        place = Mutex(Place(index: index, lastByte: feeds.time.uptime))
    }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, pull: Pull) -> Filled {
        if pull.isStopping { return .end }
        guard case .events(let events, let available, let time) = feeds.supply(partition, key: key, token: token) else {
            return .end
        }
        return place.withLock { place in
            var written = 0
            if !place.rest.isEmpty {
                let count = min(buffer.count, place.rest.count)
                buffer.copyBytes(from: place.rest.prefix(count))
                place.rest = place.rest.dropFirst(count)
                written = count
            }
            while place.rest.isEmpty, place.index < available, written < buffer.count {
                written += write(events, at: place.index, time, &place, buffer, written)
                place.index += 1
            }
            let now = feeds.time.uptime
            guard written == 0 else {
                place.lastByte = now
                return .bytes(written)
            }
            if now - place.lastByte >= feeds.heartbeat {
                place.lastByte = now
                buffer[0] = UInt8(ascii: "\n")
                return .bytes(1)
            }
            if place.waker == nil {
                place.waker = Task { [feeds] in
                    // Short enough for a quiet feed's events to come at once, as far as anybody can tell.
                    try? await feeds.time.sleep(for: .milliseconds(20))
                    self.place.withLock { $0.waker = nil }
                    pull.wake()
                }
            }
            return .wait
        }
    }

    /// Writes one event, or as much of it as fits.
    private func write(
        _ events: FeedPartition, at index: Int, _ time: Int64, _ place: inout Place,
        _ buffer: UnsafeMutableRawBufferPointer, _ start: Int
    ) -> Int {
        let made = events.generated?.count ?? 0
        if let generated = events.generated, index < made {
            let template = generated.templates[index % generated.templates.count]
            if !types.isEmpty, !types.contains(template.type) { return 0 }
            place.sent += 1
            let room = buffer.count - start
            if template.bytes.count <= room {
                let target = UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + template.bytes.count])
                template.write(offset: generated.offset(index), time: time, into: target)
                return template.bytes.count
            }
            var whole = [UInt8](repeating: 0, count: template.bytes.count)
            whole.withUnsafeMutableBytes { template.write(offset: generated.offset(index), time: time, into: $0) }
            return put(whole[...], &place, buffer, start)
        }
        let given = events.given[index - made]
        if !types.isEmpty, !types.contains(given.type) { return 0 }
        place.sent += 1
        return put((given.bytes + [UInt8(ascii: "\n")])[...], &place, buffer, start)
    }

    private func put(
        _ bytes: ArraySlice<UInt8>, _ place: inout Place, _ buffer: UnsafeMutableRawBufferPointer, _ start: Int
    ) -> Int {
        let count = min(buffer.count - start, bytes.count)
        UnsafeMutableRawBufferPointer(rebasing: buffer[start...]).copyBytes(from: bytes.prefix(count))
        place.rest = bytes.dropFirst(count)
        return count
    }

    func close() {
        let (sent, waker) = place.withLock { ($0.sent, $0.waker) }
        waker?.cancel()
        feeds.closed(key: key, token: token, sent: sent)
    }
}
