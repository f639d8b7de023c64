// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import Storage

/// A folder of one test, gone with it.
final class TemporaryFolder: Sendable {
    let path: String
    var file: String { path + "/state.sqlite" }

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("storage-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        // What a failed test leaves behind is the system's to tidy.
        try? FileManager.default.removeItem(atPath: path)
    }
}

func digest(_ number: Int) -> Digest128 { Digest128(high: 0, low: UInt64(number)) }
func at(_ milliseconds: Int64) -> Instant { Instant(milliseconds: milliseconds) }
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

let zero = Digest128(high: 0, low: 0)
let falconID = String(repeating: "0123456789abcdef", count: 4)

func inMemory(_ options: SQLiteOptions = SQLiteOptions()) async throws(StorageError) -> SQLiteStore {
    try await SQLiteStore.open(path: ":memory:", options: options)
}

extension FlowCommit {
    init(flow: Int64 = 1, target: Int64 = 1, token: Int64 = 0, _ fill: (inout FlowCommit) -> Void) {
        self.init(flow: flow, target: target, fencingToken: token)
        fill(&self)
    }

    mutating func put(_ key: Int, remoteID: String = "", state: EntryState = .present) {
        entries.append(
            EntryChange(key: digest(key), value: .init(remoteID: remoteID, digest: digest(key + 1), state: state)))
    }

    mutating func remove(_ key: Int) { entries.append(EntryChange(key: digest(key), value: nil)) }

    mutating func own(_ key: Int, by source: Int, generation: Int64 = 1, _ contribution: String = "want") {
        let value = OwnerChange.Value(event: at(1000), generation: generation, contribution: bytes(contribution))
        owners.append(OwnerChange(key: digest(key), source: digest(source), value: value))
    }

    mutating func disown(_ key: Int, by source: Int) {
        owners.append(OwnerChange(key: digest(key), source: digest(source), value: nil))
    }
}

extension SQLiteStore {
    func lookUp(
        sources: [Int] = [], keys: [Int] = [], flow: Int64 = 1, target: Int64 = 1
    ) async throws(StorageError) -> [LedgerEntry] {
        let query = LedgerQuery(target: target, flow: flow, sources: sources.map(digest), keys: keys.map(digest))
        return try lookUp(query)
    }

    func entry(_ key: Int, target: Int64 = 1) async throws(StorageError) -> LedgerEntry? {
        try await lookUp(keys: [key], target: target).first
    }
}

func record(_ number: Int, at time: Int64 = 1000, flow: Int64 = 1) -> HistoryRecord {
    HistoryRecord(
        at: at(time), flow: flow, source: digest(number), key: digest(number + 1000), position: "\(number)-0",
        outcome: "delivered", reason: "create", remoteID: falconID)
}

func letter(_ number: Int, flow: Int64 = 1, input: String = "input", seen: Int64 = 1000) -> DeadLetter {
    DeadLetter(
        flow: flow, source: digest(number), fingerprint: digest(number), code: "stix.pattern", reason: "no value",
        position: "\(number)-0", input: bytes(input), attempts: 1, firstSeen: at(seen), lastSeen: at(seen))
}
