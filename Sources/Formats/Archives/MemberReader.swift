// SPDX-License-Identifier: Apache-2.0

import CZlib
import Hashing

/// A member's content from its start, piece by piece: decrypted, unpacked, counted, its CRC computed.
struct MemberReader: ~Copyable {
    private let member: Member
    private let limit: Int64
    private var cipher: ZipCipher
    private let inflater: RawInflater?
    private var read: Int64 = 0
    private var made: Int64 = 0
    private var crc: UInt = 0
    private var buffer: [UInt8]
    private var hasBegun = false
    private(set) var isAtEnd = false

    /// Encrypted bytes that are taken at a time.
    static let pieceBytes = 64 << 10

    init(_ member: Member, password: String, limit: Int64) throws(ArchiveError) {
        self.member = member
        self.limit = limit
        cipher = ZipCipher(password: password)
        buffer = [UInt8](repeating: 0, count: Self.pieceBytes)
        inflater = member.method == .deflated ? RawInflater() : nil
        if member.method == .deflated, inflater == nil { throw .spool(reason: "zlib has no memory") }
    }

    /// The next piece; `nil` after the last one, once everything fits together.
    ///
    /// - Throws: ``ArchiveError/integrity(reason:)`` for a wrong password, broken data, another size or CRC than declared;
    ///   ``ArchiveError/tooLarge(limit:)`` and ``ArchiveError/bomb(ratio:)`` as soon as the content passes the limit, whatever
    ///   was declared.
    mutating func next(_ spool: borrowing Spool) throws(ArchiveError) -> [UInt8]? {
        if !hasBegun { try begin(spool) }
        while true {
            if let piece = try produce(spool), !piece.isEmpty {
                made += Int64(piece.count)
                guard made <= limit else { throw .tooLarge(limit: limit) }
                guard made <= member.bombLimit else { throw .bomb(ratio: Member.greatestRatio) }
                crc = piece.withUnsafeBufferPointer { crc32_z(crc, $0.baseAddress, $0.count) }
                return piece
            }
            guard isAtEnd else { continue }
            guard made == member.count, UInt32(truncatingIfNeeded: crc) == member.crc else {
                throw .broken("size or CRC are not those that it declares")
            }
            return nil
        }
    }

    private mutating func begin(_ spool: borrowing Spool) throws(ArchiveError) {
        hasBegun = true
        let header = try take(ZipCipher.headerBytes, spool)
        guard let last = header.last, member.checks.contains(last) else {
            throw .broken("the password is not the usual one")
        }
    }

    /// Some content, or nothing yet; sets ``isAtEnd``.
    private mutating func produce(_ spool: borrowing Spool) throws(ArchiveError) -> [UInt8]? {
        guard let inflater else {
            let left = member.encryptedCount - read
            isAtEnd = left == 0
            return isAtEnd ? nil : try take(Int(min(left, Int64(Self.pieceBytes))), spool)
        }
        if isAtEnd { return nil }
        if inflater.wantsInput {
            let left = member.encryptedCount - read
            guard left > 0 else { throw .broken("its data ends too early") }
            inflater.feed(try take(Int(min(left, Int64(Self.pieceBytes))), spool))
        }
        let piece = try inflater.step()
        if inflater.isAtEnd {
            guard inflater.leftOver == 0, read == member.encryptedCount else { throw .broken("data follows its end") }
            isAtEnd = true
        }
        return piece
    }

    /// Decrypted bytes.
    private mutating func take(_ count: Int, _ spool: borrowing Spool) throws(ArchiveError) -> [UInt8] {
        guard var bytes = try spool.bytes(at: member.start + read, count: count) else { throw .broken("it is cut off") }
        bytes.withUnsafeMutableBytes { cipher.decrypt($0) }
        read += Int64(count)
        return bytes
    }
}

/// zlib over raw deflate data, never more than a piece of output at a time.
final class RawInflater {
    /// zlib remembers the address, so it must not move.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private var input: [UInt8] = []
    private var used = 0
    /// The last step filled its room, so zlib may hold more output although it took all input.
    private var mayHoldOutput = false
    private(set) var isAtEnd = false

    /// `nil` without memory.
    init?() {
        stream.initialize(to: z_stream())
        guard sp_inflate_init_raw(stream) == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    var wantsInput: Bool { used == input.count && !mayHoldOutput && !isAtEnd }
    var leftOver: Int { input.count - used }

    func feed(_ bytes: [UInt8]) {
        input = bytes
        used = 0
    }

    func step() throws(ArchiveError) -> [UInt8] {
        var status = Z_OK
        var taken = 0
        let output = [UInt8](unsafeUninitializedCapacity: MemberReader.pieceBytes) { output, count in
            input.withUnsafeMutableBufferPointer { input in
                stream.pointee.next_in = input.baseAddress.map { $0 + used }
                stream.pointee.avail_in = UInt32(input.count - used)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(output.count)
                status = inflate(stream, Z_NO_FLUSH)
                taken = input.count - used - Int(stream.pointee.avail_in)
            }
            count = output.count - Int(stream.pointee.avail_out)
        }
        used += taken
        mayHoldOutput = output.count == MemberReader.pieceBytes && status == Z_OK
        switch status {
        case Z_STREAM_END: isAtEnd = true
        case Z_OK where taken > 0 || !output.isEmpty: break
        // All that was given is used up: more input has to come.
        case Z_BUF_ERROR where used == input.count: break
        default: throw .broken("its data is broken, or the password is not the usual one")
        }
        return output
    }
}
