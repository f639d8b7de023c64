// SPDX-License-Identifier: Apache-2.0

import Base
import Hashing
import Testing

@testable import Archives

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Sample archives") struct SampleArchiveTests {
    private let folder = temporaryFolders

    /// In pieces of a few bytes, as the network may cut them.
    private func receive(
        _ bytes: [UInt8], piece: Int = 7, _ limits: SampleArchive.Limits = .init()
    ) async throws -> SampleArchive {
        var offset = 0
        return try await SampleArchive.receive(
            {
                guard offset < bytes.count else { return nil }
                defer { offset += piece }
                return Array(bytes[offset..<min(offset + piece, bytes.count)])
            }, limits: limits, folder: folder)
    }

    private func whole(_ content: SampleContent) async throws -> [UInt8] {
        let next = content.open()
        var all: [UInt8] = []
        while let piece = try await next() { all += piece }
        return all
    }

    private func hash(_ bytes: [UInt8]) -> String { Hex.encode(SHA256.digest(bytes)) }

    private func refusal(_ bytes: [UInt8], sha256: String, _ limits: SampleArchive.Limits = .init()) async -> String? {
        do {
            _ = try await receive(bytes, limits).content(sha256: sha256)
            return nil
        } catch let error as ArchiveError {
            switch error {
            case .integrity(let reason): return reason
            case .tooLarge: return "too large"
            case .bomb(let ratio): return "more than \(ratio) times"
            case .spool(let reason): return "spool: \(reason)"
            }
        } catch { return "\(error)" }
    }

    // covers: triage:archive_stored, triage:archive_deflated, triage:archive_descriptor
    @Test(arguments: [(InfoZip.stored, InfoZip.alpha, 5), (InfoZip.deflated, InfoZip.lines, 2800)])
    func `gives the content of archives that another program made`(_ text: String, _ sha256: String, _ count: Int)
        async throws
    {
        let content = try await receive(try InfoZip.bytes(text)).content(sha256: sha256)
        #expect(content.length == Int64(count))
        #expect(hash(try await whole(content)) == sha256)
        // As often as it is wanted: a refused upload is made again.
        #expect(hash(try await whole(content)) == sha256)
    }

    // covers: triage:archive_spool
    @Test(arguments: [0, 1, 1 << 20])
    func `keeps large archives in a file without a name, small ones in memory`(_ memoryBytes: Int) async throws {
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) }
        for isDeflated in [false, true] {
            var zip = ZipText(hash(bytes), bytes)
            if isDeflated {
                zip.method = 8
                zip.packed = ZipText.deflated(bytes)
            }
            let archive = try await receive(zip.bytes, piece: 10_000, .init(memoryBytes: memoryBytes))
            let content = try await archive.content(sha256: hash(bytes))
            #expect(try await whole(content) == bytes)
        }
    }

    // covers: triage:archive_spool
    @Test func `writes nothing that can be found, and says when it cannot write`() async throws {
        let folder = try #require(makeTemporaryFolder("archives"))
        var spool = Spool(folder: folder, memoryBytes: 1)
        try spool.append([1, 2, 3])
        let (isInMemory, last, beyond) = (
            spool.isInMemory, try spool.bytes(at: 1, count: 2), try spool.bytes(at: 1, count: 3)
        )
        #expect(!isInMemory && last == [2, 3] && beyond == nil)
        // Only an empty folder can be removed.
        #expect(rmdir(folder) == 0)
        var lost = Spool(folder: folder, memoryBytes: 1)
        do {
            try lost.append([1])
            Issue.record("it was kept in a folder that is gone")
        } catch { #expect(error.code == "sample.spool") }
    }

    // covers: triage:archive_size
    @Test func `takes exactly the limit and refuses a byte more, declared or unpacked`() async throws {
        let zeros = [UInt8](repeating: 0, count: 100_000)
        var zip = ZipText(hash(zeros), zeros)
        zip.method = 8
        zip.packed = ZipText.deflated(zeros)
        #expect(await refusal(zip.bytes, sha256: zip.name, .init(contentBytes: 100_000)) == nil)
        #expect(await refusal(zip.bytes, sha256: zip.name, .init(contentBytes: 99_999)) == "too large")
        zip.declared = 5
        #expect(await refusal(zip.bytes, sha256: zip.name, .init(contentBytes: 99_999)) == "too large")
        #expect(
            await refusal(zip.bytes, sha256: zip.name) == "size or CRC are not those that it declares")
        let stored = ZipText(hash(zeros), zeros)
        #expect(await refusal(stored.bytes, sha256: stored.name, .init(contentBytes: 99_999)) == "too large")
    }

    // covers: triage:archive_bomb
    @Test func `refuses what is packed as no program is, declared or not, and takes malware blown up with zeros`()
        async throws
    {
        let zeros = [UInt8](repeating: 0, count: 3 << 20)
        var bomb = ZipText(hash(zeros), zeros)
        bomb.method = 8
        bomb.packed = ZipText.deflated(zeros)
        #expect(await refusal(bomb.bytes, sha256: bomb.name) == "more than 1000 times")
        bomb.declared = 5
        #expect(await refusal(bomb.bytes, sha256: bomb.name) == "more than 1000 times")
        let small = Array(zeros.prefix(1 << 20))
        var harmless = ZipText(hash(small), small)
        harmless.method = 8
        harmless.packed = ZipText.deflated(small)
        #expect(await refusal(harmless.bytes, sha256: harmless.name) == nil)
        let program = (0..<1000).map { UInt8(truncatingIfNeeded: ($0 &* $0) >> 3) } + zeros
        var pumped = ZipText(hash(program), program)
        pumped.method = 8
        pumped.packed = ZipText.deflated(program)
        #expect(await refusal(pumped.bytes, sha256: pumped.name) == nil)
    }

    // covers: triage:archive_size
    @Test func `stops a download that is larger than any archive of the limit`() async throws {
        var pieces = 0
        await #expect(throws: ArchiveError.self) {
            _ = try await SampleArchive.receive(
                {
                    pieces += 1
                    return pieces == 1 ? ZipText("x", [1]).bytes : [UInt8](repeating: 0, count: 1 << 16)
                }, limits: .init(contentBytes: 1 << 20), folder: folder)
        }
        #expect(pieces < 25)
    }

    // covers: triage:archive_zip64
    @Test func `reads sizes of 64 bits`() async throws {
        let bytes = Array("alpha".utf8)
        var zip = ZipText(InfoZip.alpha, bytes)
        zip.declared = .max
        zip.encryptedCount = .max
        zip.extra = zip.word(1) + zip.word(16) + zip.long(5) + zip.long(0) + zip.long(17) + zip.long(0)
        #expect(await refusal(zip.bytes, sha256: zip.name) == nil)
        zip.extra = zip.word(1) + zip.word(16) + zip.long(5) + zip.long(1) + zip.long(17) + zip.long(0)
        #expect(await refusal(zip.bytes, sha256: zip.name) == "too large")
        zip.extra = []
        #expect(await refusal(zip.bytes, sha256: zip.name) == "its directory cannot be read")
    }

    // covers: triage:archive_integrity
    @Test func `refuses whatever is not the one member asked for`() async throws {
        let bytes = Array("alpha".utf8)
        func broken(_ change: (inout ZipText) -> Void) async -> String? {
            var zip = ZipText(InfoZip.alpha, bytes)
            change(&zip)
            return await refusal(zip.bytes, sha256: InfoZip.alpha)
        }
        #expect(await broken { $0.comment = Array("PK\u{5}\u{6} comment".utf8) } == nil)
        #expect(await broken { $0.members = 2 } == "it has 2 members")
        #expect(await broken { $0.members = 0 } == "it has 0 members")
        #expect(await broken { $0.name = InfoZip.lines } == "its member has another name")
        #expect(await broken { $0.content = Array("omega".utf8) } == "its content has another SHA-256")
        #expect(await broken { $0.flags = 0 } == "it is not encrypted")
        #expect(await broken { $0.method = 12 } == "compression method 12 is not supported")
        #expect(await broken { $0.declared = 4 } == "its sizes contradict each other")
        #expect(await broken { $0.encryptedCount = 11 } == "it is cut off")
        #expect(await broken { $0.encryptedCount = 90_000 } == "it is cut off")
        #expect(await broken { $0.crc = 0 } == "size or CRC are not those that it declares")
        // Neither of both can be told from the other: a wrong password passes the cipher's header once in 256 times.
        #expect(await broken { $0.password = "wrong" } != nil)
        for method: (inout ZipText) -> Void in [{ $0.method = 99 }, { $0.flags = 0x41 }] {
            #expect(
                await broken(method) == "it is encrypted with AES; only the traditional cipher is supported")
        }
        #expect(
            await broken {
                $0.method = 8
                $0.packed = [7, 7, 7]
            } == "its data is broken, or the password is not the usual one")
        #expect(
            await broken {
                $0.method = 8
                $0.packed = ZipText.deflated(bytes) + [0]
            } == "data follows its end")
        #expect(
            await broken {
                $0.method = 8
                $0.packed = ZipText.deflated(bytes).dropLast()
            } == "its data ends too early")
    }

    // covers: triage:archive_integrity, triage:archive_never_plain
    @Test func `refuses what is no archive before any of it is kept`() async throws {
        #expect(await refusal(Array("MZ\u{90} a plain program".utf8), sha256: InfoZip.alpha) == "it is no zip archive")
        #expect(await refusal([], sha256: InfoZip.alpha) == "it is cut off")
        #expect(await refusal(Array("PK".utf8), sha256: InfoZip.alpha) == "it is cut off")
    }

    // covers: triage:archive_integrity
    @Test func `refuses an archive that is cut off anywhere`() async throws {
        let bytes = try InfoZip.bytes(InfoZip.deflated)
        for count in stride(from: 0, to: bytes.count, by: 13) {
            #expect(await refusal(Array(bytes.prefix(count)), sha256: InfoZip.lines) != nil)
        }
    }

    // covers: triage:archive_integrity
    @Test func `gives no content of an archive in which any byte is wrong`() async throws {
        let bytes = try InfoZip.bytes(InfoZip.deflated)
        for index in bytes.indices {
            var broken = bytes
            broken[index] ^= 0x5A
            guard let archive = try? await receive(broken, piece: 4096),
                let content = try? await archive.content(sha256: InfoZip.lines)
            else { continue }
            // Times, versions and attributes say nothing about the content.
            #expect(hash(try await whole(content)) == InfoZip.lines)
        }
    }

    // covers: triage:archive_one_upload
    @Test func `ends the upload before when another begins`() async throws {
        let content = try await receive(try InfoZip.bytes(InfoZip.stored)).content(sha256: InfoZip.alpha)
        let first = content.open()
        #expect(try await first() == Array("alpha".utf8))
        let second = content.open()
        #expect(try await second() == Array("alpha".utf8))
        await #expect(throws: ArchiveError.self) { _ = try await first() }
        #expect(try await second() == nil)
    }

    // covers: triage:archive_download_cut
    @Test func `passes on why a download broke`() async throws {
        struct Cut: Error {}
        await #expect(throws: Cut.self) {
            _ = try await SampleArchive.receive({ throw Cut() }, folder: folder)
        }
    }
}
