// SPDX-License-Identifier: Apache-2.0

import Base
import CLinux

#if canImport(Glibc)
    import Glibc
#endif

/// Bytes that are written once, then read at any place: in memory while they are few, else in a file that has no name, so
/// that nothing is left of it whatever happens to the process.
struct Spool: ~Copyable {
    private(set) var count: Int64 = 0
    private var memory: [UInt8] = []
    private var file: Int32 = -1
    private let memoryBytes: Int
    private let folder: String

    init(folder: String, memoryBytes: Int) {
        self.folder = folder
        self.memoryBytes = memoryBytes
    }

    deinit { if file >= 0 { close(file) } }

    var isInMemory: Bool { file < 0 }

    mutating func append(_ bytes: [UInt8]) throws(ArchiveError) {
        count += Int64(bytes.count)
        if isInMemory {
            memory += bytes
            guard memory.count >= memoryBytes else { return }
            file = sp_nameless_file(folder)
            guard file >= 0 else { throw .spool(reason: String(cString: strerror(errno))) }
            let kept = memory
            memory = []
            try write(kept)
        } else {
            try write(bytes)
        }
    }

    private func write(_ bytes: [UInt8]) throws(ArchiveError) {
        if let failure = writeAll(bytes, to: file).failure { throw .spool(reason: failure) }
    }

    /// Fills `room` with what stands at `offset`. False when there are not so many bytes.
    func read(at offset: Int64, into room: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Bool {
        guard offset >= 0, offset <= count - Int64(room.count) else { return false }
        if isInMemory {
            let start = Int(offset)
            memory.withUnsafeBytes { room.copyMemory(from: .init(rebasing: $0[start..<start + room.count])) }
            return true
        }
        var done = 0
        while done < room.count {
            let got = pread(file, room.baseAddress.map { $0 + done }, room.count - done, off_t(offset) + done)
            if got > 0 {
                done += got
            } else if got == 0 || errno != EINTR {
                throw .spool(reason: got == 0 ? "the file has shrunk" : String(cString: strerror(errno)))
            }
        }
        return true
    }

    func bytes(at offset: Int64, count: Int) throws(ArchiveError) -> [UInt8]? {
        var room = [UInt8](repeating: 0, count: count)
        let result = room.withUnsafeMutableBytes { room in
            Result { () throws(ArchiveError) in try read(at: offset, into: room) }
        }
        return try result.get() ? room : nil
    }
}
