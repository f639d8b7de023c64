// SPDX-License-Identifier: Apache-2.0

/// One frame of the live stream: where its parts lie in the ``StreamBatch`` that owns the bytes.
public struct StreamFrame: Sendable, Hashable {
    /// The name on the frame's `event:` line. It decides what happened, never the `type` inside the data: an update that
    /// makes an element leave the stream's filter arrives as ``delete`` with `"type":"update"` inside.
    ///
    /// Source: OpenCTI protocol, 4.3.
    public enum Kind: Sendable, Hashable {
        case create, update, delete, merge
        /// Moves the position only. `consumer_metrics` and the old `sync` count as heartbeats too.
        case heartbeat
        /// First frame of a connection, without an id: what the platform still holds.
        case connected
        /// The platform refuses to recover this stream; live events follow.
        case noRecover
        /// A name this version does not know, or none.
        case unknown

        /// Whether the data line is an event about an element.
        public var isData: Bool {
            switch self {
            case .create, .update, .delete, .merge: true
            default: false
            }
        }

        init(_ name: UnsafeBufferPointer<UInt8>) {
            self =
                switch name.count {
                case 4 where name.equals("sync"): .heartbeat
                case 5 where name.equals("merge"): .merge
                case 6 where name.equals("create"): .create
                case 6 where name.equals("update"): .update
                case 6 where name.equals("delete"): .delete
                case 9 where name.equals("heartbeat"): .heartbeat
                case 9 where name.equals("connected"): .connected
                case 10 where name.equals("no-recover"): .noRecover
                case 16 where name.equals("consumer_metrics"): .heartbeat
                default: .unknown
                }
        }
    }

    public let kind: Kind
    /// `nil` without an `id:` line or with one that is no event id; the position then stays.
    public let id: EventID?
    /// Bytes of the frame that were thrown away because it exceeds the limit; 0 for a whole frame.
    public let droppedBytes: Int

    let idRange: Range<Int>?
    let eventRange: Range<Int>?
    let dataRange: Range<Int>
    /// Whether ``dataRange`` points into the batch's joined lines instead of its bytes.
    let isJoined: Bool
}

extension UnsafeBufferPointer<UInt8> {
    func equals(_ text: StaticString) -> Bool { count == text.utf8CodeUnitCount && hasPrefix(text) }

    func hasPrefix(_ text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount where self[index] != text.utf8Start[index] { return false }
        return true
    }
}
