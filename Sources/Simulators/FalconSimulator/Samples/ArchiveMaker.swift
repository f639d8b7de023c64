// SPDX-License-Identifier: Apache-2.0

import CZlib
import Hashing

/// Makes the encrypted zip archive of a sample while it is sent, with what its shape has wrong.
struct ArchiveMaker {
    /// A member on its way.
    private struct Entry {
        let name: String
        let sample: StoredSample
        var crc: UInt32 = 0
        var packed: UInt32 = 0
        var start: UInt32 = 0
        var method: UInt16 { sample.shape == .aes ? 99 : sample.isDeflated ? 8 : 0 }
        var flags: UInt16 { (sample.shape == .notEncrypted ? 0 : 1) | (sample.hasDescriptor ? 8 : 0) }

        var declared: UInt32 {
            switch sample.shape {
            case .declaredTooLarge: 0x7FFF_FFFF
            case .inflatesTooLarge: 5
            default: UInt32(truncatingIfNeeded: sample.count)
            }
        }
    }

    private enum Step {
        case header
        case content(offset: Int)
        case descriptor, directory, done
    }

    private var entries: [Entry]
    private var index = 0
    private var step = Step.header
    private var sent: UInt32 = 0
    private var cipher = ZipCipher(password: "")
    private var packer: Packer?
    /// Everything behind it is left out.
    private let limit: Int

    private static let time: UInt16 = 0x6A20
    private static let date: UInt16 = 0x5CCF

    init(_ sample: StoredSample, named hash: String) {
        var sample = sample
        if sample.shape == .wrongContent {
            var other: [UInt8] = Array("not ".utf8)
            sample.forEachPiece { other += $0 }
            sample.content = .bytes(other)
        }
        entries = [Entry(name: sample.shape == .wrongMemberName ? "sample.bin" : hash, sample: sample)]
        if sample.shape == .twoMembers {
            entries.append(Entry(name: "readme.txt", sample: StoredSample(content: .bytes(Array("two".utf8)))))
        }
        limit = sample.shape == .truncated ? 60 + hash.utf8.count : .max
    }

    /// The next bytes; `nil` at the end.
    mutating func next() -> [UInt8]? {
        guard sent < limit else { return nil }
        var piece: [UInt8] = []
        while piece.isEmpty {
            switch step {
            case .header: piece = begin()
            case .content(let offset): piece = content(at: offset)
            case .descriptor: piece = end()
            case .directory: piece = directory()
            case .done: return nil
            }
        }
        piece = Array(piece.prefix(limit - Int(sent)))
        sent += UInt32(piece.count)
        return piece
    }

    private mutating func begin() -> [UInt8] {
        let entry = entries[index]
        entries[index].start = sent
        entries[index].crc = entry.sample.crc ^ (entry.sample.shape == .wrongCRC ? 1 : 0)
        // Sizes that stand in front must be known there: packed once for its length, once to be sent.
        if !entry.sample.hasDescriptor { entries[index].packed = packedCount(entry.sample) }
        cipher = ZipCipher(password: entry.sample.shape == .wrongPassword ? "another" : "infected")
        packer = entry.sample.isDeflated ? Packer() : nil
        step = .content(offset: 0)
        var header = Bytes()
        header.u32(0x0403_4B50)
        header.u16(20)
        describe(entries[index], into: &header, isFinal: !entry.sample.hasDescriptor)
        header.u16(UInt16(entry.name.utf8.count))
        header.u16(0)
        header.text(entry.name)
        guard entry.sample.shape != .notEncrypted else { return header.bytes }
        var lead = [UInt8](repeating: 0x55, count: ZipCipher.headerBytes)
        lead[11] = entry.sample.hasDescriptor ? UInt8(Self.time >> 8) : UInt8(entries[index].crc >> 24)
        return header.bytes + encrypted(lead)
    }

    private mutating func content(at offset: Int) -> [UInt8] {
        let sample = entries[index].sample
        guard offset < sample.count else {
            step = .descriptor
            let rest = packer?.finish() ?? []
            return rest.isEmpty ? [] : encrypted(rest)
        }
        let piece = sample.piece(at: offset)
        step = .content(offset: offset + piece.count)
        let packed = packer?.pack(piece) ?? piece
        return packed.isEmpty ? [] : encrypted(packed)
    }

    private mutating func encrypted(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        if entries[index].sample.shape != .notEncrypted { bytes.withUnsafeMutableBytes { cipher.encrypt($0) } }
        if entries[index].sample.hasDescriptor { entries[index].packed += UInt32(bytes.count) }
        return bytes
    }

    private mutating func end() -> [UInt8] {
        let entry = entries[index]
        index += 1
        step = index < entries.count ? .header : .directory
        guard entry.sample.hasDescriptor else { return [] }
        var descriptor = Bytes()
        descriptor.u32(0x0807_4B50)
        descriptor.u32(entry.crc)
        descriptor.u32(entry.packed)
        descriptor.u32(entry.declared)
        return descriptor.bytes
    }

    private mutating func directory() -> [UInt8] {
        step = .done
        var bytes = Bytes()
        for entry in entries {
            bytes.u32(0x0201_4B50)
            bytes.u16(20)
            bytes.u16(20)
            describe(entry, into: &bytes, isFinal: true)
            bytes.u16(UInt16(entry.name.utf8.count))
            for _ in 0..<4 { bytes.u16(0) }
            bytes.u32(0)
            bytes.u32(entry.start)
            bytes.text(entry.name)
        }
        let size = UInt32(bytes.bytes.count)
        bytes.u32(0x0605_4B50)
        bytes.u32(0)
        bytes.u16(UInt16(entries.count))
        bytes.u16(UInt16(entries.count))
        bytes.u32(size)
        bytes.u32(sent)
        bytes.u16(0)
        return bytes.bytes
    }

    /// Flags, method, time, date, CRC and sizes, which stand alike in both headers.
    private func describe(_ entry: Entry, into bytes: inout Bytes, isFinal: Bool) {
        bytes.u16(entry.flags)
        bytes.u16(entry.method)
        bytes.u16(Self.time)
        bytes.u16(Self.date)
        bytes.u32(isFinal ? entry.crc : 0)
        bytes.u32(isFinal ? entry.packed : 0)
        bytes.u32(isFinal ? entry.declared : 0)
    }

    private func packedCount(_ sample: StoredSample) -> UInt32 {
        var count = sample.count
        if sample.isDeflated {
            let packer = Packer()
            count = 0
            sample.forEachPiece { count += packer.pack($0).count }
            count += packer.finish().count
        }
        return UInt32(count + (sample.shape == .notEncrypted ? 0 : ZipCipher.headerBytes))
    }

    private struct Bytes {
        var bytes: [UInt8] = []
        mutating func u16(_ value: UInt16) { bytes += [UInt8(value & 0xFF), UInt8(value >> 8)] }
        mutating func u32(_ value: UInt32) {
            u16(UInt16(value & 0xFFFF))
            u16(UInt16(value >> 16))
        }
        mutating func text(_ text: String) { bytes += Array(text.utf8) }
    }
}

/// zlib, piece by piece.
private final class Packer {
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

    init() {
        stream.initialize(to: z_stream())
        precondition(sp_deflate_init_raw(stream, 1) == Z_OK, "zlib has no memory")
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    func pack(_ bytes: [UInt8]) -> [UInt8] { run(bytes, Z_NO_FLUSH) }
    func finish() -> [UInt8] { run([], Z_FINISH) }

    private func run(_ bytes: [UInt8], _ flush: Int32) -> [UInt8] {
        var output: [UInt8] = []
        var bytes = bytes
        bytes.withUnsafeMutableBufferPointer { input in
            stream.pointee.next_in = input.baseAddress
            stream.pointee.avail_in = UInt32(input.count)
            repeat {
                output += [UInt8](unsafeUninitializedCapacity: 64 << 10) { room, count in
                    stream.pointee.next_out = room.baseAddress
                    stream.pointee.avail_out = UInt32(room.count)
                    deflate(stream, flush)
                    count = room.count - Int(stream.pointee.avail_out)
                }
            } while stream.pointee.avail_out == 0
        }
        return output
    }
}
