// SPDX-License-Identifier: Apache-2.0

public import Base

/// Name-based UUIDs (RFC 9562, 5.5): the same name in the same namespace always gives the same UUID.
public enum UUIDv5 {
    /// - Parameters:
    ///   - namespace: the UUID of the namespace; its sixteen bytes are hashed before the name.
    ///   - name: hashed byte for byte, without any normalisation.
    /// - Returns: the UUID; its text form is ``Base/Digest128/uuidDescription``.
    public static func make(namespace: Digest128, name: some KeyPart) -> Digest128 {
        name.withKeyBytes { name in
            var message: [UInt8] = []
            message.reserveCapacity(16 + name.count)
            namespace.withUnsafeBytes { message.append(contentsOf: $0) }
            message.append(contentsOf: name)
            var high: UInt64 = 0
            var low: UInt64 = 0
            for (index, byte) in SHA1.digest(message).prefix(16).enumerated() {
                if index < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
            }
            high = high & ~0xF000 | 0x5000  // version 5
            low = low & ~(0b11 << 62) | 0b10 << 62  // RFC variant
            return Digest128(high: high, low: low)
        }
    }
}
