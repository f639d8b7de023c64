// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// A ``KeyHasher`` that tasks take turns with: one kept context, where values must be `Sendable`.
public final class SharedKeyHasher: Sendable {
    // Safe because: only reached through the mutex.
    private struct Kept: @unchecked Sendable {
        let hasher = KeyHasher()
    }

    private let kept = Mutex(Kept())

    public init() {}

    /// The digest of the parts in this order.
    public func digest<each Part: KeyPart & Sendable>(_ parts: repeat each Part) -> Digest128 {
        kept.withLock { $0.hasher.digest(repeat each parts) }
    }

    /// The ledger's name of an object: the bytes of its UUID, or the digest of an id of another form.
    public func name(of id: String) -> Digest128 { Digest128(uuid: id) ?? digest(id) }
}
