// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import Testing

@testable import Storage

@Suite("Damaged files and full disks") struct DamageTests {
    /// A closed state file of some hundred pages, most of them ledger.
    private func filledFile(in folder: TemporaryFolder) async throws {
        let store = try await SQLiteStore.open(path: folder.file)
        try await store.commit(
            FlowCommit { commit in
                for key in 1...4000 {
                    commit.put(key, remoteID: "id-\(key)")
                    commit.own(key, by: key)
                }
            })
        await store.close()
    }

    private func overwrite(_ file: String, at offset: UInt64, with byte: UInt8, count: Int) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
        try handle.seek(toOffset: offset)
        try handle.write(contentsOf: Data(repeating: byte, count: count))
        try handle.close()
    }

    private func size(_ file: String) throws -> UInt64 {
        try #require(try FileManager.default.attributesOfItem(atPath: file)[.size] as? NSNumber).uint64Value
    }

    private func isCorrupt(_ error: any Error) -> Bool {
        if case .corrupt = error as? StorageError { true } else { false }
    }

    // covers: bad:state-corrupt
    @Test func `finds flipped bytes at the start`() async throws {
        let folder = try TemporaryFolder()
        try await filledFile(in: folder)
        let half = try size(folder.file) / 2 / 4096 * 4096
        try overwrite(folder.file, at: half, with: 0xA5, count: 3 * 4096)
        await #expect(performing: { _ = try await SQLiteStore.open(path: folder.file) }, throws: isCorrupt)
        // The lock went with the failed opening.
        await #expect(performing: { _ = try await SQLiteStore.open(path: folder.file) }, throws: isCorrupt)
    }

    @Test func `finds a file that was cut short`() async throws {
        let folder = try TemporaryFolder()
        try await filledFile(in: folder)
        let half = try size(folder.file) / 2
        try FileHandle(forWritingTo: URL(fileURLWithPath: folder.file)).truncate(atOffset: half)
        await #expect(performing: { _ = try await SQLiteStore.open(path: folder.file) }, throws: isCorrupt)
    }

    // covers: bad:state-corrupt
    @Test func `finds a file that is no database`() async throws {
        let folder = try TemporaryFolder()
        try Data(repeating: 0x20, count: 10_000).write(to: URL(fileURLWithPath: folder.file))
        for mode in [SQLiteStore.Mode.owner, .reader] {
            await #expect(
                performing: { _ = try await SQLiteStore.open(path: folder.file, mode: mode) }, throws: isCorrupt)
        }
    }

    @Test func `checks a large file wholly only after its owner was killed`() async throws {
        let folder = try TemporaryFolder()
        try await filledFile(in: folder)
        let half = try size(folder.file) / 2 / 4096 * 4096
        try overwrite(folder.file, at: half, with: 0xA5, count: 3 * 4096)
        var options = SQLiteOptions()
        options.smallFileBytes = 0

        let store = try await SQLiteStore.open(path: folder.file, options: options)
        #expect(try await store.facts()["integrity"] == "schema and ends of tables")
        await #expect(performing: { try await store.checkIntegrity() }, throws: isCorrupt)
        // Whoever meets the damage is told, whatever the start has seen.
        await #expect(
            performing: {
                _ = try await store.entries(target: 1, after: 0, limit: 9999)
                _ = try await store.lookUp(sources: Array(1...4000))
            }, throws: isCorrupt)
        await store.close()

        // What a killed owner leaves behind.
        try Data("process 1 on another".utf8).write(to: URL(fileURLWithPath: folder.file + ".lock"))
        await #expect(
            performing: { _ = try await SQLiteStore.open(path: folder.file, options: options) }, throws: isCorrupt)
        // A failed opening is no orderly end: the next one checks again.
        await #expect(
            performing: { _ = try await SQLiteStore.open(path: folder.file, options: options) }, throws: isCorrupt)
    }

    @Test func `stops checking when its time is up, and says what it left out`() async throws {
        let folder = try TemporaryFolder()
        try await filledFile(in: folder)
        try Data("process 1 on another".utf8).write(to: URL(fileURLWithPath: folder.file + ".lock"))
        var options = SQLiteOptions()
        options.smallFileBytes = 0
        options.integrityBudget = .zero
        let store = try await SQLiteStore.open(path: folder.file, options: options)
        let checked = try #require(try await store.facts()["integrity"])
        #expect(checked.hasPrefix("all but act, "))
        #expect(checked.hasSuffix("entry, pointer_folded, owner"))
        try await store.checkIntegrity()
    }

    @Test(arguments: [
        "DELETE FROM entry WHERE id = 5", "DELETE FROM owner WHERE entry = 5",
        "UPDATE pointer_recent SET entry = 6 WHERE entry = 5",
        "DELETE FROM pointer_recent WHERE entry = 5 AND kind = 2",
        "INSERT INTO pointer_folded SELECT * FROM pointer_recent WHERE entry = 5",
    ])
    func `finds a ledger that contradicts itself`(_ change: String) async throws {
        let folder = try TemporaryFolder()
        try await filledFile(in: folder)
        try RawConnection(folder.file).execute(change)
        let store = try await SQLiteStore.open(path: folder.file)
        await #expect(performing: { try await store.checkIntegrity() }, throws: isCorrupt)
    }

    // covers: bad:disk-full
    @Test func `writes nothing when the disk is full and the same commit later`() async throws {
        let folder = try TemporaryFolder()
        var options = SQLiteOptions()
        options.maxPages = 130
        let store = try await SQLiteStore.open(path: folder.file, options: options)
        let ballast = String(repeating: "x", count: 100_000)
        try await store.commit(FlowCommit { $0.deadLetters = [letter(1, input: ballast), letter(2, input: ballast)] })
        let commit = FlowCommit { commit in
            for key in 1...2000 {
                commit.put(key)
                commit.own(key, by: key)
            }
            commit.checkpoints["0"] = bytes("9-0")
        }
        await #expect {
            try await store.commit(commit)
        } throws: { error in
            guard let error = error as? StorageError, case .full(folder.file) = error else { return false }
            return error.isRetryable
        }
        #expect(try await store.checkpoints(flow: 1).isEmpty)
        #expect(try await store.countEntries(target: 1).isEmpty)
        try await store.checkIntegrity()

        let ids = try await store.deadLetters(DeadLetterQuery()).map(\.id)
        #expect(try await store.removeDeadLetters(ids: ids) == 2)
        try await store.commit(commit)
        #expect(try await store.checkpoints(flow: 1) == ["0": bytes("9-0")])
        #expect(try await store.countEntries(target: 1) == [.present: 2000])
        try await store.checkIntegrity()
    }
}
