// SPDX-License-Identifier: Apache-2.0

import CCrypto

/// An algorithm of libcrypto, fetched once: OpenSSL 3 otherwise looks it up by name at every call, which costs more than
/// hashing a short text.
final class MessageDigest: @unchecked Sendable {
    // Safe because: an EVP_MD never changes after EVP_MD_fetch, and its reference count is atomic.
    let algorithm: OpaquePointer
    let byteCount: Int

    static let sha1 = MessageDigest("SHA1")
    static let sha256 = MessageDigest("SHA256")

    private init(_ name: String) {
        guard let algorithm = EVP_MD_fetch(nil, name, nil) else {
            preconditionFailure("libcrypto offers no \(name): its configuration disables the default provider")
        }
        self.algorithm = algorithm
        byteCount = Int(EVP_MD_get_size(algorithm))
    }

    deinit { EVP_MD_free(algorithm) }

    func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: byteCount) { output, count in
            var written: UInt32 = 0
            let succeeded = EVP_Digest(bytes.baseAddress, bytes.count, output.baseAddress, &written, algorithm, nil)
            precondition(succeeded == 1, "libcrypto failed to hash \(bytes.count) bytes")
            count = Int(written)
        }
    }
}

/// SHA-256 (FIPS 180-4): 32 bytes.
public enum SHA256 {
    public static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] { MessageDigest.sha256.digest(bytes) }
    public static func digest(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { digest($0) } }
    /// Of the text's UTF-8.
    public static func digest(_ text: String) -> [UInt8] { text.withKeyBytes { digest($0) } }
}

/// SHA-1 (FIPS 180-4): 20 bytes. For identifiers that a protocol derives with it, never for security.
public enum SHA1 {
    public static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] { MessageDigest.sha1.digest(bytes) }
    public static func digest(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { digest($0) } }
    /// Of the text's UTF-8.
    public static func digest(_ text: String) -> [UInt8] { text.withKeyBytes { digest($0) } }
}

/// HMAC-SHA256 (RFC 2104): 32 bytes.
public enum HMACSHA256 {
    public static func code(for message: [UInt8], key: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: MessageDigest.sha256.byteCount) { output, count in
            var written: UInt32 = 0
            let result = HMAC(
                MessageDigest.sha256.algorithm, key, Int32(key.count), message, message.count, output.baseAddress,
                &written)
            precondition(result != nil, "libcrypto failed to authenticate \(message.count) bytes")
            count = Int(written)
        }
    }

    /// Compares in constant time, so that the answer's delay tells nothing about the right code.
    public static func isValid(_ code: [UInt8], for message: [UInt8], key: [UInt8]) -> Bool {
        let expected = self.code(for: message, key: key)
        return code.count == expected.count && CRYPTO_memcmp(code, expected, expected.count) == 0
    }
}

/// SHA-256 of bytes that come in pieces.
public struct RunningSHA256: ~Copyable {
    private let context: OpaquePointer

    public init() {
        guard let context = EVP_MD_CTX_new(),
            EVP_DigestInit_ex(context, MessageDigest.sha256.algorithm, nil) == 1
        else { preconditionFailure("libcrypto has no memory for a digest") }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        precondition(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1, "libcrypto failed to hash")
    }

    /// Of all pieces so far; nothing more can be added.
    public consuming func finish() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: MessageDigest.sha256.byteCount) { output, count in
            var written: UInt32 = 0
            precondition(EVP_DigestFinal_ex(context, output.baseAddress, &written) == 1, "libcrypto failed to hash")
            count = Int(written)
        }
    }
}
