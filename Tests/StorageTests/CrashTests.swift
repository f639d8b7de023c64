// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import Testing

@testable import Storage

/// A run of numbered commits: whatever survives of it must be a whole number of them.
private enum Run {
    static let keysPerCommit = 300

    static func commit(_ number: Int) -> FlowCommit {
        FlowCommit { commit in
            for index in 1...keysPerCommit {
                let key = number * keysPerCommit + index
                // Spread over the key space, so that every commit touches many pages.
                let spread = Digest128(high: UInt64(key) &* 0x9E37_79B9_7F4A_7C15, low: 0)
                commit.entries.append(
                    EntryChange(key: spread, value: .init(remoteID: falconID, digest: spread, state: .present)))
                let value = OwnerChange.Value(event: at(1), generation: Int64(number), contribution: bytes("\(key)"))
                commit.owners.append(OwnerChange(key: spread, source: spread, value: value))
            }
            commit.history = [record(number)]
            commit.checkpoints["0"] = bytes("\(number)")
        }
    }

    static var options: SQLiteOptions {
        var options = SQLiteOptions()
        options.recentPointers = 200
        return options
    }

    /// - Returns: the number of the last commit that is there.
    static func verify(_ store: SQLiteStore) async throws -> Int {
        let position = try await store.checkpoints(flow: 1)["0"].map { String(decoding: $0, as: UTF8.self) } ?? "0"
        let last = try #require(Int(position))
        try await store.checkIntegrity()
        #expect(try await store.countEntries(target: 1)[.present] ?? 0 == last * keysPerCommit)
        #expect(try await store.history(HistoryQuery()).count == min(last, 100))
        if last > 0 {
            let commit = Self.commit(last)
            let query = LedgerQuery(target: 1, flow: 1, sources: commit.owners.map(\.source), keys: [])
            #expect(try await store.lookUp(query).count == keysPerCommit)
        }
        return last
    }
}

@Suite("Crashes") struct CrashTests {
    private static let childVariable = "SALLYPORT_CRASH_TEST_STATE"

    /// Kills a process of ours in the middle of its commits. The process is this test once more, with a variable set.
    // covers: fault:kill
    @Test(arguments: [1, 4, 11, 23])
    func `a killed process leaves whole commits, and all it was told are durable`(_ moment: Int) async throws {
        if let file = ProcessInfo.processInfo.environment[Self.childVariable] {
            // With arguments the child runs this test for each of them: the lock lets one of them through.
            guard let store = try? await SQLiteStore.open(path: file, options: Run.options) else { return }
            for number in 1...1_000_000 {
                try await store.commit(Run.commit(number))
                FileHandle.standardOutput.write(Data("committed \(number)\n".utf8))
            }
            return
        }
        let folder = try TemporaryFolder()
        let child = try Child(environment: [Self.childVariable: folder.file])
        var told = 0
        for await line in child.lines {
            guard line.hasPrefix("committed "), let number = Int(line.dropFirst(10)) else { continue }
            told = number
            if number == 1 {
                await #expect {
                    _ = try await SQLiteStore.open(path: folder.file)
                } throws: { error in
                    guard case .locked(_, let holder) = error as? StorageError else { return false }
                    return holder.contains("process \(child.process.processIdentifier) on ")
                }
            }
            if number >= moment { break }
        }
        try #require(told >= moment)
        await child.kill()

        var options = SQLiteOptions()
        // However much the child wrote and however slow the machine: all of it is checked.
        options.integrityBudget = .seconds(3600)
        let store = try await SQLiteStore.open(path: folder.file, options: options)
        #expect(try await store.facts()["integrity"] == "every table")
        #expect(try await Run.verify(store) >= told)
        await store.close()
    }

    @Test func `a log that ends anywhere opens to a whole number of commits`() async throws {
        let folder = try TemporaryFolder()
        var options = Run.options
        options.checkpointPages = 1_000_000
        let store = try await SQLiteStore.open(path: folder.file, options: options)
        for number in 1...6 { try await store.commit(Run.commit(number)) }
        let database = try Data(contentsOf: URL(fileURLWithPath: folder.file))
        let log = try Data(contentsOf: URL(fileURLWithPath: folder.file + "-wal"))
        await store.close()

        var random = SeededRandom(seed: 11)
        var seen: Set<Int> = []
        for round in 0..<24 {
            let copy = folder.path + "/torn-\(round).sqlite"
            let offset = round == 0 ? log.count : Int.random(in: 0..<log.count, using: &random)
            var torn = log
            if round.isMultiple(of: 2) {
                torn = log.prefix(offset)
            } else {
                torn[offset] ^= 0x40
            }
            try database.write(to: URL(fileURLWithPath: copy))
            try torn.write(to: URL(fileURLWithPath: copy + "-wal"))
            let opened = try await SQLiteStore.open(path: copy)
            seen.insert(try await Run.verify(opened))
            await opened.close()
        }
        #expect(seen.contains(6))
        #expect(seen.count > 3)
    }
}

/// This test program once more.
private final class Child: Sendable {
    let process = Process()
    let lines: AsyncStream<Substring>
    private let ended: AsyncStream<Void>

    init(environment: [String: String]) throws {
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["--testing-library", "swift-testing", "--filter", "a killed process leaves"]
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        lines = AsyncStream { continuation in
            output.fileHandleForReading.readabilityHandler = { handle in
                let read = handle.availableData
                if read.isEmpty {
                    handle.readabilityHandler = nil
                    continuation.finish()
                }
                for line in String(decoding: read, as: UTF8.self).split(separator: "\n") { continuation.yield(line) }
            }
        }
        let (ended, end) = AsyncStream<Void>.makeStream()
        self.ended = ended
        process.terminationHandler = { _ in end.finish() }
        try process.run()
    }

    deinit { process.terminate() }

    func kill() async {
        Glibc.kill(process.processIdentifier, SIGKILL)
        for await _ in ended {}
    }
}
