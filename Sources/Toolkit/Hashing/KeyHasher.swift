// SPDX-License-Identifier: Apache-2.0

public import Base
import CCrypto

/// What a key is made of: anything that can show its bytes without copying them.
public protocol KeyPart {
    func withKeyBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result
}

/// Makes the 16-byte names of the ledger: the first half of SHA-256 over the parts, each led by its length, so that
/// ("ab", "c") and ("a", "bc") differ.
///
/// Not `Sendable`: it keeps an OpenSSL context and a buffer, so one belongs to one thread or actor. Nothing is allocated
/// per digest once the buffer has grown to the longest key.
///
/// ```swift
/// let hasher = KeyHasher()
/// let key = hasher.digest("domain", "evil.test")
/// ```
public final class KeyHasher {
    private let context: OpaquePointer
    private var buffer: [UInt8] = []

    public init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("libcrypto has no memory for a context") }
        self.context = context
        buffer.reserveCapacity(256)
    }

    deinit { EVP_MD_CTX_free(context) }

    /// The digest of the parts in this order.
    @inlinable
    public func digest<each Part: KeyPart>(_ parts: repeat each Part) -> Digest128 {
        begin()
        repeat (each parts).withKeyBytes { append($0) }
        return finish()
    }

    @usableFromInline
    func begin() { buffer.removeAll(keepingCapacity: true) }

    @usableFromInline
    func append(_ part: UnsafeRawBufferPointer) {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: part.count).littleEndian) { buffer.append(contentsOf: $0) }
        buffer.append(contentsOf: part)
    }

    @usableFromInline
    func finish() -> Digest128 {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Int(EVP_MAX_MD_SIZE)) { output in
            let succeeded = buffer.withUnsafeBytes { bytes in
                EVP_DigestInit_ex2(context, MessageDigest.sha256.algorithm, nil) == 1
                    && EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1
                    && EVP_DigestFinal_ex(context, output.baseAddress, nil) == 1
            }
            guard succeeded, let digest = Digest128(bytes: UnsafeRawBufferPointer(output)) else {
                preconditionFailure("libcrypto failed to hash \(buffer.count) bytes")
            }
            return digest
        }
    }
}

extension UnsafeRawBufferPointer: KeyPart {
    public func withKeyBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(self)
    }
}

extension UnsafeBufferPointer: KeyPart where Element == UInt8 {
    public func withKeyBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(UnsafeRawBufferPointer(self))
    }
}

extension [UInt8]: KeyPart {
    public func withKeyBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(body)
    }
}

extension String: KeyPart {
    /// The UTF-8 bytes.
    public func withKeyBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        // A native string is contiguous, small ones included; only a bridged one would be copied.
        if let result = utf8.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) {
            return result
        }
        return Array(utf8).withUnsafeBytes(body)
    }
}

extension Substring: KeyPart {
    /// The UTF-8 bytes.
    public func withKeyBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        if let result = utf8.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) {
            return result
        }
        return Array(utf8).withUnsafeBytes(body)
    }
}

extension Digest128: KeyPart {
    public func withKeyBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(body)
    }
}
