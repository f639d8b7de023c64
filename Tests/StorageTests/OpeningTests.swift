// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import Testing

@testable import Storage

@Suite("Opening the state") struct OpeningTests {
    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? NSNumber).intValue
    }

    private func reason(_ body: () async throws -> Void) async -> String {
        do { try await body() } catch StorageError.cannotOpen(_, let reason) { return reason } catch {
            return "\(error)"
        }
        return "no error"
    }

    @Test func `makes folder and files for its user alone`() async throws {
        let folder = try TemporaryFolder()
        let file = folder.path + "/a/b/state.sqlite"
        let store = try await SQLiteStore.open(path: file)
        try await store.setValues(flow: 1, ["a": [1]])
        #expect(try mode(folder.path + "/a") == 0o700)
        #expect(try mode(folder.path + "/a/b") == 0o700)
        for suffix in ["", "-wal", "-shm", ".lock"] { #expect(try mode(file + suffix) == 0o600) }
    }

    @Test func `runs with the settings that make a commit durable`() async throws {
        let folder = try TemporaryFolder()
        let facts = try await SQLiteStore.open(path: folder.file).facts()
        #expect(facts["journal_mode"] == "wal")
        #expect(facts["synchronous"] == "2")
        #expect(facts["page_size"] == "4096")
        #expect(facts["cache_size"] == "-8192")
        #expect(facts["mmap_size"] == "0")
        #expect(facts["temp_store"] == "2")
        #expect(facts["user_version"] == "1")
        #expect(facts["path"] == folder.file)
    }

    // covers: bad:state-unwritable
    @Test func `says why a folder can't be used`() async throws {
        let folder = try TemporaryFolder()
        try Data("a file".utf8).write(to: URL(fileURLWithPath: folder.path + "/plain"))
        let inFile = await reason { _ = try await SQLiteStore.open(path: folder.path + "/plain/state.sqlite") }
        #expect(inFile.contains("Not a directory"))
        let isFolder = await reason { _ = try await SQLiteStore.open(path: folder.path) }
        #expect(isFolder.contains("Is a directory"))
        let noRight = await reason { _ = try await SQLiteStore.open(path: "/proc/sallyport/state.sqlite") }
        #expect(noRight.contains("/proc/sallyport"))
    }

    // covers: state:two-processes
    @Test func `has one owner at a time`() async throws {
        let folder = try TemporaryFolder()
        let first = try await SQLiteStore.open(path: folder.file)
        await #expect {
            _ = try await SQLiteStore.open(path: folder.file)
        } throws: { error in
            guard case .locked(folder.file, let holder) = error as? StorageError else { return false }
            return holder.contains("process \(ProcessInfo.processInfo.processIdentifier) on ")
        }
        await first.close()
        let second = try await SQLiteStore.open(path: folder.file)
        #expect(try await second.facts()["integrity"] == "every table")
    }

    @Test func `refuses a file of another program and leaves it as it is`() async throws {
        let folder = try TemporaryFolder()
        try RawConnection(folder.file).execute("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (7)")
        let found = await reason { _ = try await SQLiteStore.open(path: folder.file) }
        #expect(found.contains("another program"))
        let raw = try RawConnection(folder.file)
        #expect(try raw.text("SELECT x FROM theirs") == "7")
        #expect(try raw.text("SELECT count(*) FROM sqlite_schema") == "1")
    }

    @Test func `refuses a newer schema`() async throws {
        let folder = try TemporaryFolder()
        try await SQLiteStore.open(path: folder.file).close()
        try RawConnection(folder.file).execute("PRAGMA user_version = 99")
        for mode in [SQLiteStore.Mode.owner, .reader, .tool] {
            await #expect {
                _ = try await SQLiteStore.open(path: folder.file, mode: mode)
            } throws: { error in
                if case .newerSchema(folder.file, 99, 1) = error as? StorageError { true } else { false }
            }
        }
    }

    @Test func `brings an older schema up to date in one transaction`() async throws {
        let folder = try TemporaryFolder()
        let old = try await SQLiteStore.open(path: folder.file)
        let flow = try await old.number(of: "iocs", in: .flow)
        try await old.commit(FlowCommit(flow: flow) { $0.put(1) })
        await old.close()

        var broken = SQLiteOptions()
        broken.schema = Schema(steps: Schema.current.steps + ["ALTER TABLE name ADD COLUMN note TEXT; CREATE NONSENSE"])
        await #expect(throws: StorageError.self) { _ = try await SQLiteStore.open(path: folder.file, options: broken) }
        #expect(try RawConnection(folder.file).text("PRAGMA user_version") == "1")

        var next = SQLiteOptions()
        next.schema = Schema(
            steps: Schema.current.steps + ["ALTER TABLE name ADD COLUMN note TEXT; UPDATE name SET note = 'moved'"])
        let early = await reason { _ = try await SQLiteStore.open(path: folder.file, mode: .reader, options: next) }
        #expect(early.contains("schema 1"))
        let store = try await SQLiteStore.open(path: folder.file, options: next)
        #expect(try await store.names(in: .flow) == ["iocs": flow])
        #expect(try await store.entry(1) != nil)
        await store.close()
        let raw = try RawConnection(folder.file)
        #expect(try raw.text("SELECT note FROM name") == "moved")
        #expect(try raw.text("PRAGMA user_version") == "2")
    }
}

@Suite("Beside the owner") struct BesideTests {
    @Test func `a reader sees what the owner commits and writes nothing`() async throws {
        let folder = try TemporaryFolder()
        let owner = try await SQLiteStore.open(path: folder.file)
        let flow = try await owner.number(of: "iocs", in: .flow)
        let reader = try await SQLiteStore.open(path: folder.file, mode: .reader)
        try await owner.commit(
            FlowCommit(flow: flow) { commit in
                commit.put(1)
                commit.history = [record(1)]
            })
        #expect(try await reader.entry(1) != nil)
        #expect(try await reader.history(HistoryQuery()).count == 1)
        #expect(try await reader.number(of: "iocs", in: .flow) == flow)
        #expect(try await reader.instanceID() == owner.instanceID())
        await #expect(throws: StorageError.self) { try await reader.number(of: "new", in: .flow) }
        await #expect(throws: StorageError.self) { try await reader.commit(FlowCommit { $0.put(2) }) }
        await #expect(throws: StorageError.self) { try await reader.setValues(flow: 1, [:]) }
        await #expect(throws: StorageError.self) { try await reader.removeDeadLetters(ids: [1]) }
    }

    @Test func `a tool handles dead letters and values, and nothing else`() async throws {
        let folder = try TemporaryFolder()
        let owner = try await SQLiteStore.open(path: folder.file)
        try await owner.commit(FlowCommit { $0.deadLetters = [letter(1), letter(2)] })
        let tool = try await SQLiteStore.open(path: folder.file, mode: .tool)
        let ids = try await tool.deadLetters(DeadLetterQuery()).map(\.id)
        #expect(try await tool.markDeadLetters(ids: [ids[0]], retry: true) == 1)
        #expect(try await tool.removeDeadLetters(ids: [ids[1]]) == 1)
        try await tool.setValues(flow: 1, ["approved": [1]])
        await #expect(throws: StorageError.self) { try await tool.commit(FlowCommit { $0.put(2) }) }
        await #expect(throws: StorageError.self) { try await tool.maintain(now: at(0)) }
        await tool.close()
        #expect(try await owner.deadLetters(DeadLetterQuery()).map(\.retryRequested) == [true])
        #expect(try await owner.countDeadLetters(flow: nil) == 1)
        #expect(try await owner.values(flow: 1) == ["approved": [1]])
        try await owner.commit(FlowCommit { $0.put(3) })
    }

    @Test(arguments: [SQLiteStore.Mode.reader, .tool])
    func `needs a file that an owner has made`(_ mode: SQLiteStore.Mode) async throws {
        let folder = try TemporaryFolder()
        await #expect(throws: StorageError.self) { _ = try await SQLiteStore.open(path: folder.file, mode: mode) }
        #expect(!FileManager.default.fileExists(atPath: folder.file))
        await #expect(throws: StorageError.self) { _ = try await SQLiteStore.open(path: ":memory:", mode: mode) }
    }

    @Test func `works without an owner, also on what a killed one has left in the log`() async throws {
        let folder = try TemporaryFolder()
        let owner = try await SQLiteStore.open(path: folder.path + "/a/state.sqlite")
        try await owner.commit(FlowCommit { $0.put(1) })
        let copy = folder.path + "/b.sqlite"
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: folder.path + "/a/state.sqlite" + suffix, toPath: copy + suffix)
        }
        let reader = try await SQLiteStore.open(path: copy, mode: .reader)
        #expect(try await reader.entry(1) != nil)
        await reader.close()
        let tool = try await SQLiteStore.open(path: copy, mode: .tool)
        try await tool.setValues(flow: 1, ["a": [1]])
        await tool.close()
        let next = try await SQLiteStore.open(path: copy)
        #expect(try await next.entry(1) != nil)
        #expect(try await next.values(flow: 1) == ["a": [1]])
    }

    @Test func `waits for another writer, then says so, and goes on later`() async throws {
        let folder = try TemporaryFolder()
        var options = SQLiteOptions()
        options.busyTimeout = .zero
        let store = try await SQLiteStore.open(path: folder.file, options: options)
        let other = try RawConnection(folder.file)
        try other.execute("BEGIN IMMEDIATE")
        let commit = FlowCommit { $0.put(1) }
        await #expect {
            try await store.commit(commit)
        } throws: { error in
            guard let error = error as? StorageError, case .busy(folder.file) = error else { return false }
            return error.isRetryable
        }
        try other.execute("ROLLBACK")
        try await store.commit(commit)
        #expect(try await store.entry(1) != nil)
    }
}
