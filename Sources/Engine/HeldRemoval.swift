// SPDX-License-Identifier: Apache-2.0

public import Base

/// A removal that waits for the end of a recovery, as the payload of a job.
///
/// Layout: key (16) · source (16) · time in ms (8, big-endian) · removal contribution.
public struct HeldRemoval: Sendable, Hashable {
    public let key: Digest128
    public let source: Digest128
    public let time: Instant
    public let removal: [UInt8]

    public init(key: Digest128, source: Digest128, time: Instant, removal: [UInt8]) {
        self.key = key
        self.source = source
        self.time = time
        self.removal = removal
    }

    public init?(bytes: [UInt8]) {
        guard bytes.count >= 40 else { return nil }
        let parsed = bytes.withUnsafeBytes { raw in
            (
                Digest128(bytes: UnsafeRawBufferPointer(rebasing: raw[0..<16])),
                Digest128(bytes: UnsafeRawBufferPointer(rebasing: raw[16..<32])),
                Int64(bigEndian: raw.loadUnaligned(fromByteOffset: 32, as: Int64.self))
            )
        }
        guard let key = parsed.0, let source = parsed.1 else { return nil }
        self.init(key: key, source: source, time: Instant(milliseconds: parsed.2), removal: Array(bytes[40...]))
    }

    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        key.withUnsafeBytes { bytes.append(contentsOf: $0) }
        source.withUnsafeBytes { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: time.milliseconds.bigEndian) { bytes.append(contentsOf: $0) }
        return bytes + removal
    }

    /// One a key and source: the later removal of the same pair says nothing new.
    public var id: String { "\(key)-\(source)" }

    public static func runner(flow: Int64) -> String { "held-removal-\(flow)" }
}
