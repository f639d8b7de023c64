// SPDX-License-Identifier: Apache-2.0

/// The one member of an archive: where its bytes stand and what they should become. Read from the central directory, as
/// unpackers do; the local header may leave sizes to a data descriptor, which is then not needed.
///
/// Source: APPNOTE.TXT 6.3.10 (4.3, 4.4); VMRay, 9.1.
struct Member: Equatable {
    enum Method { case stored, deflated }

    var method: Method
    /// Of the encrypted bytes, header included.
    var start: Int64
    var encryptedCount: Int64
    /// Of the content, as it is declared.
    var count: Int64
    var crc: UInt32
    /// Either of these ends the encryption header when the password is right: writers that do not know the CRC yet take the
    /// time.
    var checks: Set<UInt8>

    /// Deflate packs at most 1032 times, and only what is one byte over and over. Malware that is blown up with zeros to get
    /// past scanners stays below this: a stub of 100 kB in 256 MiB is packed about 700 times.
    static let greatestRatio: Int64 = 1000
    /// So much may unpack from however little.
    static let harmlessBytes: Int64 = 1 << 20

    /// More content than this makes it a bomb.
    var bombLimit: Int64 {
        let (product, isBeyond) = encryptedCount.multipliedReportingOverflow(by: Self.greatestRatio)
        return isBeyond ? .max : max(Self.harmlessBytes, product)
    }

    /// - Throws: ``ArchiveError/integrity(reason:)`` for every other layout, ``ArchiveError/tooLarge(limit:)`` for a member
    ///   that declares more than `limit`.
    init(in spool: borrowing Spool, named name: String, limit: Int64) throws(ArchiveError) {
        let end = try Self.end(of: spool)
        guard end.u16(4) == 0, end.u16(6) == 0, end.u16(8) == end.u16(10) else { throw .broken("it has several parts") }
        guard end.u16(10) == 1 else { throw .broken("it has \(end.u16(10)) members") }
        let size = Int(end.u32(12))
        let at = Int64(end.u32(16))
        guard size >= 46, size <= 1 << 16, let entry = try spool.bytes(at: at, count: size),
            entry.u32(0) == 0x0201_4B50
        else { throw .broken("its directory cannot be read") }
        let lengths = (name: Int(entry.u16(28)), extra: Int(entry.u16(30)), comment: Int(entry.u16(32)))
        guard 46 + lengths.name + lengths.extra + lengths.comment == size else {
            throw .broken("its directory cannot be read")
        }
        guard entry[46..<46 + lengths.name].elementsEqual(name.utf8) else {
            throw .broken("its member has another name")
        }
        try Self.checkCipher(flags: entry.u16(8), method: entry.u16(10))
        guard let method = [0: Method.stored, 8: .deflated][entry.u16(10)] else {
            throw .broken("compression method \(entry.u16(10)) is not supported")
        }
        self.method = method
        crc = entry.u32(16)
        var wide = Wide(entry[(46 + lengths.name)..<(46 + lengths.name + lengths.extra)])
        count = try wide.value(entry.u32(24))
        encryptedCount = try wide.value(entry.u32(20))
        let header = try wide.value(entry.u32(42))
        guard count <= limit else { throw .tooLarge(limit: limit) }
        guard let local = try spool.bytes(at: header, count: 30), local.u32(0) == 0x0403_4B50,
            local.u16(8) == entry.u16(10), local.u16(6) & 1 == 1
        else { throw .broken("its header cannot be read") }
        checks = [UInt8(crc >> 24)]
        if local.u16(6) & 8 != 0 { checks.insert(UInt8(local.u16(10) >> 8)) }
        start = header + 30 + Int64(local.u16(26)) + Int64(local.u16(28))
        guard encryptedCount >= 12, start <= at - encryptedCount else { throw .broken("it is cut off") }
        guard method == .deflated || encryptedCount == count + 12 else {
            throw .broken("its sizes contradict each other")
        }
        guard count <= bombLimit else { throw .bomb(ratio: Self.greatestRatio) }
    }

    /// What the first bytes of a download tell: whether they may be written to a disk at all.
    ///
    /// - Parameter head: at least ``headBytes``.
    static func checkHead(_ head: [UInt8]) throws(ArchiveError) {
        guard head.u32(0) == 0x0403_4B50 else { throw .broken("it is no zip archive") }
        try checkCipher(flags: head.u16(6), method: head.u16(8))
    }

    static let headBytes = 10

    private static func checkCipher(flags: UInt16, method: UInt16) throws(ArchiveError) {
        guard flags & 1 == 1 else { throw .broken("it is not encrypted") }
        guard method != 99, flags & 0x40 == 0 else {
            throw .broken("it is encrypted with AES; only the traditional cipher is supported")
        }
    }

    /// The end of the directory, 22 bytes, which a comment may follow.
    private static func end(of spool: borrowing Spool) throws(ArchiveError) -> [UInt8] {
        let count = min(spool.count, 22 + 0xFFFF)
        guard count >= 22, let tail = try spool.bytes(at: spool.count - count, count: Int(count)) else {
            throw .broken("it is cut off")
        }
        for start in stride(from: tail.count - 22, through: 0, by: -1)
        where tail.u32(start) == 0x0605_4B50 && start + 22 + Int(tail.u16(start + 20)) == tail.count {
            return Array(tail[start..<start + 22])
        }
        throw .broken("it is cut off")
    }

    /// Sizes of 64 bits from the extra field, for those that do not fit into the entry.
    private struct Wide {
        private var rest: ArraySlice<UInt8> = []

        init(_ extra: ArraySlice<UInt8>) {
            var extra = extra
            while extra.count >= 4 {
                let length = Int(extra.u16(2))
                guard extra.count >= 4 + length else { return }
                if extra.u16(0) == 1 { rest = extra.dropFirst(4).prefix(length) }
                extra = extra.dropFirst(4 + length)
            }
        }

        mutating func value(_ short: UInt32) throws(ArchiveError) -> Int64 {
            guard short == .max else { return Int64(short) }
            guard rest.count >= 8 else { throw .broken("its directory cannot be read") }
            let value = UInt64(rest.u32(0)) | UInt64(rest.u32(4)) << 32
            rest = rest.dropFirst(8)
            return Int64(clamping: value)
        }
    }
}

extension ArchiveError {
    static func broken(_ reason: String) -> ArchiveError { .integrity(reason: reason) }
}

extension RandomAccessCollection<UInt8> where Index == Int {
    /// Little-endian, counted from the first element; whoever asks has looked at the length.
    func u16(_ offset: Int) -> UInt16 { UInt16(self[startIndex + offset]) | UInt16(self[startIndex + offset + 1]) << 8 }
    func u32(_ offset: Int) -> UInt32 { UInt32(u16(offset)) | UInt32(u16(offset + 2)) << 16 }
}
