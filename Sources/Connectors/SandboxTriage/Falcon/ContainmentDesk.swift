// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import JSON
import Storage

/// Decides which hosts may be contained, for all samples of a connector. What it has allowed is durable before a host is
/// contained, so that no restart forgets the ceiling.
actor ContainmentDesk {
    private static let stored = "containment"

    private let falcon: FalconClient
    private let book: SampleBook
    private let time: any TimeSource
    private let asksForHosts: Bool
    private var rule: ContainmentGuard
    /// Samples with hosts that the ceiling has held back.
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
        rule = ContainmentGuard(
            neverContain: neverContain, ceiling: ceiling,
            contained: (state?["contained"]?.array ?? []).compactMap(\.int).map { Instant(milliseconds: $0) },
            isTripped: state?["tripped"]?.bool ?? false)
    }

    /// The ceiling was reached, and nobody has approved yet.
    var isTripped: Bool { rule.isTripped }

    /// The reason for each host that may not be contained.
    ///
    /// - Throws: ``FalconError`` when hosts can't be told from those that are never contained; ``StorageError``.
    func vetoes(_ hosts: [String], for sha256: String) async throws -> [String: String] {
        let (known, unnamed) = asksForHosts ? try await describe(hosts) : ([:], [])
        var vetoes: [String: String] = [:]
        var judged: [ContainmentGuard.Host] = []
        for id in hosts {
            if asksForHosts, known[id] == nil {
                vetoes[id] = "never_contain: Falcon does not know the host"
            } else if unnamed.contains(id) {
                vetoes[id] = "never_contain: Falcon does not name a group of the host"
            } else {
                judged.append(known[id] ?? ContainmentGuard.Host(id: id, name: "", groups: []))
            }
        }
        vetoes.merge(rule.vetoes(judged, at: time.now)) { first, _ in first }
        if vetoes.values.contains(ContainmentGuard.ceilingReason) { held.insert(sha256) }
        try await keep()
        return vetoes
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
            try await book.setValues([Self.stored: text, FlowValues.approval: nil])
        }
        // Only an approval closes the breaker: what is held back then is free.
        guard !rule.isTripped else { return [] }
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
            "held": .array(held.sorted().map { .string($0) }),
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
