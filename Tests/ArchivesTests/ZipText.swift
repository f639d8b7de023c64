// SPDX-License-Identifier: Apache-2.0

import CZlib
import Hashing

/// Builds archives with one thing wrong, independent of how they are read.
struct ZipText {
    var name: String
    var content: [UInt8]
    var method: UInt16 = 0
    var flags: UInt16 = 1
    var password = "infected"
    var declared: UInt32?
    var encryptedCount: UInt32?
    var crc: UInt32?
    var members: UInt16 = 1
    var extra: [UInt8] = []
    var comment: [UInt8] = []
    /// What stands between the cipher's header and the directory, in place of the content.
    var packed: [UInt8]?

    init(_ name: String, _ content: [UInt8]) {
        self.name = name
        self.content = content
    }

    var bytes: [UInt8] {
        let sum = crc ?? UInt32(truncatingIfNeeded: crc32_z(0, content, content.count))
        var data = [UInt8](repeating: 7, count: 11) + [UInt8(sum >> 24)] + (packed ?? content)
        var cipher = ZipCipher(password: password)
        data.withUnsafeMutableBytes { cipher.encrypt($0) }
        let shared =
            word(flags) + word(method) + word(0x6A20) + word(0x5CCF) + long(sum)
            + long(encryptedCount ?? UInt32(data.count)) + long(declared ?? UInt32(content.count))
            + word(UInt16(name.utf8.count))
        let local = long(0x0403_4B50) + word(20) + shared + word(0) + Array(name.utf8) + data
        let entry =
            long(0x0201_4B50) + word(20) + word(20) + shared + word(UInt16(extra.count)) + word(0) + word(0) + word(0)
            + long(0) + long(0) + Array(name.utf8) + extra
        return local + entry + long(0x0605_4B50) + long(0) + word(members) + word(members) + long(UInt32(entry.count))
            + long(UInt32(local.count)) + word(UInt16(comment.count)) + comment
    }

    func word(_ value: UInt16) -> [UInt8] { [UInt8(value & 0xFF), UInt8(value >> 8)] }
    func long(_ value: UInt32) -> [UInt8] { word(UInt16(value & 0xFFFF)) + word(UInt16(value >> 16)) }

    /// Raw deflate data.
    static func deflated(_ bytes: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        sp_deflate_init_raw(&stream, 6)
        defer { deflateEnd(&stream) }
        var input = bytes
        let room = Int(deflateBound(&stream, UInt(bytes.count))) + 16
        return [UInt8](unsafeUninitializedCapacity: room) { output, count in
            input.withUnsafeMutableBufferPointer { input in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(room)
                deflate(&stream, Z_FINISH)
                count = room - Int(stream.avail_out)
            }
        }
    }
}
