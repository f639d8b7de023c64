// SPDX-License-Identifier: Apache-2.0

import HarfangLab
import JSON
import OpenCTI
import Storage
import Synchronization
import Testing
import Vectors

@testable import HarfangLabIntel

/// One event with what the console and the platform hold before it, and the calls that must follow.
struct IntelVector: Sendable, CustomTestStringConvertible {
    let json: JSONValue
    let hasLedger: Bool
    var id: String { json["id"]?.string ?? "" }
    var testDescription: String { "\(id) \(json["title"]?.string ?? "")" }

    static let document: JSONValue? = try? JSONValue(parsing: Array(Vectors.data("harfanglab-vectors.json")))
    static var all: [IntelVector] {
        let document = document
        return (document?["vectors"]?.array ?? []).map { IntelVector(json: $0, hasLedger: false) }
            + (document?["ledger_vectors"]?.array ?? []).map { IntelVector(json: $0, hasLedger: true) }
    }
}

@Suite("Vectors of the originals, events") struct VectorTests {
    @Test func `are all there`() { #expect(IntelVector.all.count == 61) }

    // covers: vectors:hl-intel, runs:ledger
    // covers: hlbug:intel-1 (hl-intel-012 to 014 and 024), hlbug:intel-2 (hl-intel-017 and 022)
    // covers: hlbug:intel-3 (hl-intel-018 to 020), hlbug:intel-4 (hl-intel-048 and 049)
    // covers: hlbug:intel-5 (hl-intel-029 and 030), hlbug:intel-6 (hl-intel-032), hlbug:intel-7 (hl-intel-033 and 059)
    // covers: hlbug:intel-8 (hl-intel-034 and 061), hlbug:intel-9 (hl-intel-045 and 046), hlbug:intel-10 (hl-intel-039)
    // covers: hlbug:intel-11 (hl-intel-041), hlbug:intel-12 (hl-intel-053)
    // covers: intel:types (hl-intel-001 to 011), intel:patterns (hl-intel-010 and 015 to 021), intel:observables (hl-intel-023)
    // covers: intel:re-enable (hl-intel-025), intel:takeover (hl-intel-026), intel:event-fallback (hl-intel-027)
    // covers: intel:update (hl-intel-028), intel:delete (hl-intel-031), intel:disable (hl-intel-030, 032 and 043)
    // covers: intel:revoked (hl-intel-036 and 056), intel:expired (hl-intel-054 and 055), intel:sigma (hl-intel-037 to 041)
    // covers: intel:yara (hl-intel-042, 043 and 045), intel:relations (hl-intel-047 to 050)
    // covers: intel:ignored (hl-intel-050 to 052), intel:missing (hl-intel-035), intel:handover (hl-intel-059)
    // covers: intel:stored-id (hl-intel-057 and 058), intel:unchanged (hl-intel-060)
    @Test(arguments: IntelVector.all)
    func `makes the expected calls`(_ vector: IntelVector) async throws {
        let config = vector.json["config"]
        let console = FakeConsole()
        let platform = Platform()
        console.state.withLock { state in
            state.pageCap = vector.json["server_page_cap"]?.int.map { Int($0) }
            state.foldsHashes = vector.json["server_normalises_hash_case"]?.bool ?? false
        }
        var rig = try await IntelRig(
            console, removes: config?["remove_indicator"]?.bool ?? true,
            maturity: RuleMaturity(rawValue: config?["rule_maturity"]?.string ?? "") ?? .stable, platform: platform)
        if vector.hasLedger {
            for event in vector.json["prelude"]?.array ?? [] { try await feed(event, platform, &rig) }
            if vector.json["after_prelude"] != nil { console.state.withLock { $0.rules = [:] } }
            console.state.withLock { $0.calls = [] }
        } else {
            console.state.withLock { state in
                for (collection, rows) in vector.json["harfanglab_before"]?.object ?? [:] {
                    state.rules[collection] = rows.array?.compactMap(\.object)
                }
            }
        }
        console.state.withLock { state in
            state.faults = (vector.json["server_faults"]?.array ?? []).map { fault in
                FakeConsole.Fault(
                    method: fault["method"]?.string ?? "", path: fault["path"]?.string ?? "",
                    status: Int(fault["status"]?.int ?? 500), body: fault["body"] ?? .null,
                    times: Int(fault["times"]?.int ?? 1))
            }
        }
        for (id, record) in vector.json["opencti_read_others"]?.object ?? [:] { platform.set(id, record) }
        try await feed(vector.json, platform, &rig)
        compareCalls(vector, console)
        compareRules(vector, console)
        compareNotes(vector, rig)
    }

    private func feed(_ event: JSONValue, _ platform: Platform, _ rig: inout IntelRig) async throws {
        let sse = try #require(event["sse"])
        let object = sse["data"]?["data"]
        let id = object?["type"]?.string == "relationship" ? object?["source_ref"]?.string : object?["id"]?.string
        platform.set(id ?? "", event["opencti_read"] ?? .null)
        let name = sse["event"]?.string ?? ""
        let kinds: [String: StreamFrame.Kind] = ["create": .create, "update": .update, "delete": .delete]
        _ = try await rig.feed(
            try #require(kinds[name]), sse["id"]?.string ?? "", try #require(sse["data"]).text, label: name)
    }

    private func compareCalls(_ vector: IntelVector, _ console: FakeConsole) {
        let expected = (vector.json["expected"]?["calls"]?.array ?? []).map { call in
            let path = call["path"]?.string ?? ""
            return FakeConsole.Call(
                method: call["method"]?.string ?? "", path: path.hasSuffix("/") ? String(path.dropLast()) : path,
                query: call["query"]?.object ?? [:], body: call["body"] ?? .null)
        }
        var made = console.state.withLock { $0.calls }
        var wanted = expected
        if vector.hasLedger {
            made.removeAll { $0.method == "GET" }
            wanted.removeAll { $0.method == "GET" }
            // Rules made by a prelude have ids of their own.
            for index in wanted.indices { wanted[index].path = Self.collection(wanted[index].path) }
            for index in made.indices { made[index].path = Self.collection(made[index].path) }
        }
        // A PATCH that would change nothing may be left out.
        let stored = (vector.json["harfanglab_before"]?.object ?? [:]).flatMap { $0.value.array ?? [] }.map(Self.plain)
        wanted.removeAll { call in
            call.method == "PATCH" && !made.contains(call) && stored.contains(Self.plain(call.body))
        }
        #expect(Set(made) == Set(wanted), "\(vector.id)")
        #expect(made.count == wanted.count, "\(made.map(\.description).joined(separator: "\n"))")
    }

    /// A path without the rule's id.
    private static func collection(_ path: String) -> String {
        path.split(separator: "/").prefix(4).joined(separator: "/")
    }

    private static func plain(_ value: JSONValue) -> JSONObject {
        var row = value.object ?? [:]
        row["id"] = nil
        return row
    }

    private func compareRules(_ vector: IntelVector, _ console: FakeConsole) {
        for (collection, rows) in vector.json["harfanglab_after"]?.object ?? [:] {
            let held = Set(console.state.withLock { $0.rules[collection] ?? [] }.map { Self.plain(.object($0)) })
            #expect(held == Set((rows.array ?? []).map(Self.plain)), "\(vector.id) \(collection)")
        }
    }

    private func compareNotes(_ vector: IntelVector, _ rig: IntelRig) {
        for note in (vector.json["expected"]?["notes"]?.array ?? []).compactMap(\.string) {
            let parts = note.split(separator: ":", maxSplits: 1).map(String.init)
            // What an observable event gives is counted, not told; an unchanged replay likewise.
            if ["ignored_type", "unchanged"].contains(parts[0]) { continue }
            if parts[0] == "dead_letter" {
                #expect(rig.letters.contains { $0.code == parts[1] }, "\(vector.id): \(rig.letters.map(\.code))")
                continue
            }
            #expect(
                rig.reasons.contains { $0.contains(parts[0]) && (parts.count < 2 || $0.contains(parts[1])) },
                "\(vector.id) \(note): \(rig.reasons)")
        }
    }
}
