// SPDX-License-Identifier: Apache-2.0

import Base
import Hashing
import Synchronization

/// One file in an encrypted zip archive, as Falcon delivers quarantined malware: kept as it came, decrypted only on its way
/// through memory.
///
/// ```swift
/// let archive = try await SampleArchive.receive(stream.next, limits: limits, folder: folder)
/// let content = try await archive.content(sha256: hash)   // reads it once, and checks it
/// upload(length: content.length, content.open)            // reads it again
/// ```
/// What is read is hostile: every size is bounded, and nothing can be read that was not checked before. The work is done on
/// threads of its own, a piece at a time, so that several archives go on side by side. Source: VMRay, 9.1; Falcon API
/// surface, 8.
public actor SampleArchive {
    public struct Limits: Sendable, Hashable {
        /// Of the content; exactly so many are allowed.
        public var contentBytes: Int64
        /// Archives of fewer bytes are kept in memory, others in a file without a name.
        public var memoryBytes: Int

        public init(contentBytes: Int64 = 268_435_456, memoryBytes: Int = 1 << 20) {
            self.contentBytes = contentBytes
            self.memoryBytes = memoryBytes
        }

        /// Of the archive: what deflate makes of data that cannot be packed, and room for headers.
        var archiveBytes: Int64 { contentBytes + contentBytes / 1000 + (256 << 10) }
    }

    private var spool: Spool
    private var member: Member?
    private var reader: ReaderBox?
    private var lastReader = 0
    private let limits: Limits
    private let password: String
    private nonisolated let thread: DedicatedThread

    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private init(_ limits: Limits, _ folder: String, _ password: String) {
        self.limits = limits
        self.password = password
        spool = Spool(folder: folder, memoryBytes: limits.memoryBytes)
        thread = Workers.next()
    }

    /// Keeps a download, encrypted as it is.
    ///
    /// - Parameters:
    ///   - next: the next piece of it, `nil` at its end. What it throws is thrown on.
    ///   - folder: where large ones are kept, in files without a name; must exist then.
    /// - Throws: ``ArchiveError``: at once for what is no encrypted archive, so that nothing else ever gets to a disk.
    public static func receive(
        _ next: () async throws -> [UInt8]?, limits: Limits = Limits(), folder: String, password: String = "infected"
    ) async throws -> SampleArchive {
        let archive = SampleArchive(limits, folder, password)
        var head: [UInt8] = []
        while let piece = try await next() {
            if head.count < Member.headBytes {
                head += piece
                guard head.count >= Member.headBytes else { continue }
                try Member.checkHead(head)
                try await archive.append(head)
            } else {
                try await archive.append(piece)
            }
        }
        guard head.count >= Member.headBytes else { throw ArchiveError.broken("it is cut off") }
        return archive
    }

    private func append(_ piece: [UInt8]) throws(ArchiveError) {
        guard spool.count + Int64(piece.count) <= limits.archiveBytes else {
            throw .tooLarge(limit: limits.contentBytes)
        }
        try spool.append(piece)
    }

    /// Reads the whole content once, and gives it out only if it is what was asked for.
    ///
    /// - Parameter sha256: in lower-case hexadecimal: the member's name and the SHA-256 of its content.
    public func content(sha256: String) async throws(ArchiveError) -> SampleContent {
        let member = try Member(in: spool, named: sha256, limit: limits.contentBytes)
        var reader = try MemberReader(member, password: password, limit: limits.contentBytes)
        var digest = RunningSHA256()
        while let piece = try reader.next(spool) {
            piece.withUnsafeBytes { digest.update($0) }
            await Task.yield()
        }
        guard Hex.encode(digest.finish()) == sha256 else { throw .broken("its content has another SHA-256") }
        self.member = member
        return SampleContent(archive: self, length: member.count)
    }

    // MARK: Reading

    /// A reader from the start; an upload that was given up does not come back to the one before.
    fileprivate func begin() throws(ArchiveError) -> Int {
        guard let member else { throw .broken("it was not checked") }
        lastReader += 1
        let reader = try MemberReader(member, password: password, limit: limits.contentBytes)
        self.reader = ReaderBox(lastReader, reader)
        return lastReader
    }

    fileprivate func next(of number: Int) throws(ArchiveError) -> [UInt8]? {
        guard let box = reader, box.number == number else { throw .broken("another upload has begun") }
        return try box.reader.next(spool)
    }

    private final class ReaderBox {
        let number: Int
        var reader: MemberReader
        init(_ number: Int, _ reader: consuming MemberReader) {
            self.number = number
            self.reader = reader
        }
    }
}

/// Content that is what it should be.
public struct SampleContent: Sendable {
    fileprivate let archive: SampleArchive
    /// Bytes; exactly so many are read.
    public let length: Int64

    /// A reader of the whole content from its start, for one upload: beginning another ends the one before. It checks the
    /// CRC again, before its end is told.
    public func open() -> @Sendable () async throws -> [UInt8]? {
        let archive = archive
        let number = Mutex<Int?>(nil)
        return {
            if let reader = number.withLock({ $0 }) { return try await archive.next(of: reader) }
            let reader = try await archive.begin()
            number.withLock { $0 = reader }
            return try await archive.next(of: reader)
        }
    }
}

/// Threads for what keeps a processor busy or waits for a disk.
private enum Workers {
    private static let threads = (0..<2).map { DedicatedThread(name: "sample-\($0)") }
    private static let last = Atomic<Int>(0)

    static func next() -> DedicatedThread {
        threads[Int(last.add(1, ordering: .relaxed).newValue & 0xFFFF) % threads.count]
    }
}
