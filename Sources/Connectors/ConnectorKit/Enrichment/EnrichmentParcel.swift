// SPDX-License-Identifier: Apache-2.0

import Base
import Messaging
import Storage

/// A message on its way through the shell, wherever it came from.
struct EnrichmentParcel: Sendable {
    enum Origin: Sendable {
        /// Stays the broker's until acknowledged.
        case queue(Delivery.Tag)
        /// Ours: it came over HTTP, or waited too long.
        case job(Job)
    }

    var origin: Origin
    var body: [UInt8]
    /// Names the message: the same for each delivery of it.
    var digest: Digest128
    /// The whole size, where the body is only its beginning.
    var cutFrom: Int?
    /// It was delivered before, so that somebody may have begun with it.
    var mayBeRepeated: Bool
    /// What a quorum queue counted.
    var deliveryCount: Int
    var received: Instant
    /// On the clock that never jumps: until when it may be held.
    var holdUntil: Duration
}

/// What becomes of a parcel.
enum ParcelEnd: Sendable {
    /// Over: acknowledge.
    case done
    /// Not now: it becomes a job, due after the pause.
    case later(reason: String)
    /// We stop: whoever had it gets it back.
    case givenBack
}

/// Which messages are in work here, and which ended lately: a broker that lost the connection delivers both again.
actor ParcelRegister {
    private var inWork: [Digest128: [Delivery.Tag]] = [:]
    private var ended: Set<Digest128> = []
    private var endedOrder: [Digest128] = []
    /// Enough for what a broker can have out at a time.
    private static let kept = 4096

    enum Entry: Sendable { case begin, inWork, ended }

    func enter(_ parcel: EnrichmentParcel) -> Entry {
        var tags: [Delivery.Tag] = []
        if case .queue(let tag) = parcel.origin { tags = [tag] }
        if inWork[parcel.digest] != nil {
            inWork[parcel.digest]?.append(contentsOf: tags)
            return .inWork
        }
        if parcel.mayBeRepeated, ended.contains(parcel.digest) { return .ended }
        inWork[parcel.digest] = tags
        return .begin
    }

    /// - Returns: the deliveries to settle.
    func leave(_ parcel: EnrichmentParcel, isDone: Bool) -> [Delivery.Tag] {
        if isDone, ended.insert(parcel.digest).inserted {
            endedOrder.append(parcel.digest)
            if endedOrder.count > 2 * Self.kept {
                for old in endedOrder.prefix(Self.kept) { ended.remove(old) }
                endedOrder.removeFirst(Self.kept)
            }
        }
        return inWork.removeValue(forKey: parcel.digest) ?? []
    }

    var count: Int { inWork.count }
    func isInWork(_ digest: Digest128) -> Bool { inWork[digest] != nil }
}
