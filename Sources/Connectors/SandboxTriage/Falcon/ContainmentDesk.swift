// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import JSON
import Storage

/// Decides which hosts may be contained, and which files released, for all samples of a connector. What it has allowed is
/// durable before it is done, so that no restart forgets the ceiling.
actor ContainmentDesk {
    private static let stored = "containment"

    private let falcon: FalconClient
    private let book: SampleBook
    private let time: any TimeSource
    private let asksForHosts: Bool
    private var rule: ContainmentGuard
    private var releases: ContainmentGuard
    /// Samples with hosts or files that the ceiling has held back.
    private var held: Set<String>

    init(
        _ falcon: FalconClient, _ book: SampleBook, neverContain: [String], ceiling: Int, time: any TimeSource
    ) async throws(StorageError) {
        self.falcon = falcon
        self.book = book
        self.time = time
        asksForHosts = !neverContain.isEmpty
        let state = try await book.value(Self.stored).flatMap { try? JSONValue(parsing: $0) }
        held = Set((state?["held"]?.array ?? []).compactMap(\.string))
        let guardrail = { (reason: String, counted: String, tripped: String) in
            ContainmentGuard(
                neverContain: neverContain, ceiling: ceiling, reason: reason,
                contained: (state?[counted]?.array ?? []).compactMap(\.int).map { Instant(milliseconds: $0) },
                isTripped: state?[tripped]?.bool ?? false)
        }
        rule = guardrail(ContainmentGuard.ceilingReason, "contained", "tripped")
        releases = guardrail(ContainmentGuard.releaseReason, "released", "release_tripped")
    }

    /// The ceiling was reached, and nobody has approved yet.
    var isTripped: Bool { rule.isTripped || releases.isTripped }

    /// The reason for each host that may not be contained.
    ///
    /// - Throws: ``FalconError`` when hosts can't be told from those that are never contained; ``StorageError``.
    func vetoes(_ hosts: [String], for sha256: String) async throws -> [String: String] {
        let described = asksForHosts ? try await describe(hosts) : ([:], [])
        var (vetoes, judged) = sort(hosts.map { (id: $0, host: $0) }, described)
        vetoes.merge(rule.vetoes(judged, at: time.now)) { first, _ in first }
        if vetoes.values.contains(rule.reason) { held.insert(sha256) }
        try await keep()
        return vetoes
    }

    /// The reason for each file, by its id, that may not be released: nothing is given back to a host that is never contained.
    func vetoes(_ files: [QuarantineFact], for sha256: String) async throws -> [String: String] {
        let hosts = Set(files.map(\.host)).filter { !$0.isEmpty }.sorted()
        let described = asksForHosts ? try await describe(hosts) : ([:], [])
        var (vetoes, judged) = sort(files.map { (id: $0.id, host: $0.host) }, described)
        vetoes.merge(releases.vetoes(judged, at: time.now)) { first, _ in first }
        if vetoes.values.contains(releases.reason) { held.insert(sha256) }
        try await keep()
        return vetoes
    }

    /// Vetoes for hosts that nobody can judge, and the others with what is known of them.
    private func sort(
        _ wanted: [(id: String, host: String)],
        _ described: (known: [String: ContainmentGuard.Host], unnamed: Set<String>)
    ) -> (vetoes: [String: String], judged: [ContainmentGuard.Host]) {
        var vetoes: [String: String] = [:]
        var judged: [ContainmentGuard.Host] = []
        for (id, host) in wanted {
            let known = described.known[host]
            if asksForHosts, known == nil {
                vetoes[id] = "never_contain: Falcon does not know the host"
            } else if described.unnamed.contains(host) {
                vetoes[id] = "never_contain: Falcon does not name a group of the host"
            } else {
                judged.append(.init(id: id, name: known?.name ?? "", groups: known?.groups ?? []))
            }
        }
        return (vetoes, judged)
    }

    /// Returns when the store holds what stands here. Writes of two samples may arrive in either order, so each looks
    /// whether its own was the last word.
    private func keep() async throws(StorageError) {
        var written: String
        repeat {
            written = text
            try await book.setValues([Self.stored: written])
        } while written != text
    }

    /// Takes up an approval: the count begins anew, and the samples that were held back are opened again.
    ///
    /// - Parameter busy: samples that are worked on; they are opened by a later call, also one after a restart.
    /// - Returns: the samples that were opened.
    func takeApproval(except busy: Set<String> = []) async throws(StorageError) -> [String] {
        if try await book.value(FlowValues.approval) != nil {
            rule.approve()
            releases.approve()
            try await book.setValues([Self.stored: text, FlowValues.approval: nil])
        }
        // Only an approval closes the breaker: what is held back then is free.
        guard !isTripped else { return [] }
        let opened = held.subtracting(busy).sorted()
        for sha256 in opened {
            guard var record = try await book.record(sha256) else { continue }
            record.approve()
            try await book.write(record, [HistoryNote("approved", "containment was approved")], isOver: true)
        }
        guard !opened.isEmpty else { return [] }
        held.subtract(opened)
        try await keep()
        return opened
    }

    private var text: String {
        let state: JSONValue = [
            "contained": .array(rule.contained.map { .int($0.milliseconds) }), "tripped": .bool(rule.isTripped),
            "released": .array(releases.contained.map { .int($0.milliseconds) }),
            "release_tripped": .bool(releases.isTripped), "held": .array(held.sorted().map { .string($0) }),
        ]
        return state.text
    }

    /// Names and groups by agent id; unknown hosts are missing. And the hosts with a group that has no name: it may be the one
    /// that is never contained.
    private func describe(
        _ hosts: [String]
    ) async throws(FalconError) -> ([String: ContainmentGuard.Host], unnamed: Set<String>) {
        var devices: [FalconDevice] = []
        for start in stride(from: 0, to: hosts.count, by: 500) {
            let part = Array(hosts[start..<min(start + 500, hosts.count)])
            devices += try await falcon.devices(part) { FalconDevice($0) }.rows
        }
        let ids = Set(devices.flatMap(\.groups)).sorted()
        var names: [String: String] = [:]
        for start in stride(from: 0, to: ids.count, by: FalconClient.maxHostGroups) {
            let part = Array(ids[start..<min(start + FalconClient.maxHostGroups, ids.count)])
            for group in try await falcon.hostGroups(part) { names[group.id] = group.name }
        }
        var known: [String: ContainmentGuard.Host] = [:]
        var unnamed: Set<String> = []
        for device in devices {
            guard let id = device.deviceID else { continue }
            if device.groups.contains(where: { names[$0] == nil }) { unnamed.insert(id) }
            let groups = device.groups + device.groups.compactMap { names[$0] }
            known[id] = ContainmentGuard.Host(id: id, name: device.hostname ?? "", groups: groups)
        }
        return (known, unnamed)
    }
}
