// SPDX-License-Identifier: Apache-2.0

import Base
import CZlib
import Hashing
import JSON

/// A file that the tenant can be asked for, and how its archive is made. Never malware: texts of a test, or harmless bytes
/// that are generated while they are sent.
struct StoredSample: Sendable {
    enum Content: Sendable {
        case bytes([UInt8])
        /// Text lines that pack well, or noise that does not.
        case generated(count: Int, seed: UInt64, isText: Bool)
        case zeros(count: Int)
    }

    /// What is wrong with the archive. Names as in the cases.
    enum Shape: String, CaseIterable, Sendable {
        case ok, missing
        case errorJSON = "error_json_200"
        case wrongContent = "wrong_content"
        case wrongMemberName = "wrong_member_name"
        case twoMembers = "two_members"
        case wrongPassword = "wrong_password"
        case truncated = "truncated_archive"
        case declaredTooLarge = "declared_too_large"
        case inflatesTooLarge = "inflates_too_large"
        case wrongCRC = "wrong_crc"
        case notZip = "not_a_zip"
        case notEncrypted = "not_encrypted"
        case aes
    }

    var content: Content
    var shape = Shape.ok
    var isDeflated = false
    /// CRC and sizes stand behind the content, not in front of it.
    var hasDescriptor = false

    static let pieceBytes = 64 << 10

    var count: Int {
        switch content {
        case .bytes(let bytes): bytes.count
        case .generated(let count, _, _), .zeros(let count): count
        }
    }

    /// Bytes from `offset`, a piece at most.
    func piece(at offset: Int) -> [UInt8] {
        let length = min(Self.pieceBytes, count - offset)
        switch content {
        case .bytes(let bytes): return Array(bytes[offset..<offset + length])
        case .zeros: return [UInt8](repeating: 0, count: length)
        case .generated(_, let seed, let isText):
            return [UInt8](unsafeUninitializedCapacity: length + 8) { buffer, made in
                made = length
                // Offsets of pieces are multiples of eight: words do not depend on where a piece begins.
                for word in 0..<(length + 7) / 8 {
                    let position = UInt64((offset >> 3) + word)
                    let bits = RowID.scramble(seed &+ (isText ? position / 512 % 64 : position))
                    withUnsafeBytes(of: bits.littleEndian) { bytes in
                        for index in 0..<8 {
                            buffer[word * 8 + index] = isText ? 0x61 + bytes[index] % 26 : bytes[index]
                        }
                    }
                }
            }
        }
    }

    func forEachPiece(_ body: ([UInt8]) -> Void) {
        for offset in stride(from: 0, to: count, by: Self.pieceBytes) { body(piece(at: offset)) }
    }

    var crc: UInt32 {
        var crc: UInt = 0
        forEachPiece { piece in crc = piece.withUnsafeBufferPointer { crc32_z(crc, $0.baseAddress, $0.count) } }
        return UInt32(truncatingIfNeeded: crc)
    }

    var sha256: String {
        var digest = RunningSHA256()
        for offset in stride(from: 0, to: count, by: Self.pieceBytes) {
            piece(at: offset).withUnsafeBytes { digest.update($0) }
        }
        return Hex.encode(digest.finish())
    }
}

extension StoredSample {
    /// `{"content":"alpha"}` or `{"bytes":33554432,"seed":7,"text":true}` or `{"zeros":1000}`, with `"deflated"`,
    /// `"descriptor"`, `"shape"`.
    init?(_ value: JSONValue) {
        if let text = value["content"]?.string {
            content = .bytes(Array(text.utf8))
        } else if let count = value["bytes"]?.int, (0...(1 << 31)).contains(count) {
            let seed = UInt64(truncatingIfNeeded: value["seed"]?.int ?? 0) &* 0x9E37_79B9
            content = .generated(count: Int(count), seed: seed, isText: value["text"]?.bool ?? false)
        } else if let count = value["zeros"]?.int, (0...(1 << 31)).contains(count) {
            content = .zeros(count: Int(count))
        } else {
            return nil
        }
        isDeflated = value["deflated"]?.bool ?? false
        hasDescriptor = value["descriptor"]?.bool ?? false
        guard let name = value["shape"]?.string else { return }
        guard let shape = Shape(rawValue: name) else { return nil }
        self.shape = shape
    }
}
