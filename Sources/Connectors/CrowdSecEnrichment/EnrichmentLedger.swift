// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Hashing
import JSON
import STIX
import Storage

/// What this connector has done to each observable: the reputation labels that it set, so that it may take them off again,
/// and the history that `explain` tells.
struct EnrichmentLedger: Sendable {
    let store: any StateStore
    let flow: Int64
    let target: Int64
    let fencingToken: Int64

    /// The ledger's keys: the address for people, the observable's id for the platform.
    static func key(of address: String) -> Digest128 { KeyHasher().digest("crowdsec/address", address.lowercased()) }
    static func source(of stixID: String) -> Digest128 { KeyHasher().digest("crowdsec/observable", stixID) }

    /// The reputation labels on the observable that are ours, in lower case.
    func labels(of stixID: String) async throws(StorageError) -> Set<String> {
        let query = LedgerQuery(target: target, flow: flow, sources: [Self.source(of: stixID)], keys: [])
        let owners = try await store.lookUp(query).flatMap(\.owners)
        return Set(owners.flatMap { Contribution(encoded: $0.contribution)?.labels ?? [] })
    }

    /// Notes an enrichment that stands on the platform.
    ///
    /// A label counts as ours if it was not on the observable before. Where a crash hides that, it counts as somebody
    /// else's and stays.
    func note(
        _ effects: EnrichmentEffects, to request: EnrichmentRequest, reputations: Set<String>
    ) async throws(StorageError) {
        guard let address = request.entity["value"]?.string else { return }
        let stixID = request.entity.id
        let before = Set((request.attribute("labels")?.array ?? []).compactMap { $0.string?.lowercased() })
        var ours = try await labels(of: stixID)
        for write in effects.writes {
            switch write {
            case .addLabels(let labels):
                let values = Set(labels.map { $0.value.lowercased() })
                ours.formUnion(values.intersection(reputations).subtracting(before))
            case .removeLabels(let labels): ours.subtract(labels.map { $0.lowercased() })
            default: break
            }
        }
        let contribution = Contribution(
            address: address, labels: ours.sorted(), objects: effects.objects.count, at: request.time)
        let key = Self.key(of: address)
        let source = Self.source(of: stixID)
        let bytes = contribution.encoded
        var commit = FlowCommit(flow: flow, target: target, fencingToken: fencingToken)
        commit.entries = [
            EntryChange(
                key: key,
                value: .init(remoteID: stixID, digest: KeyHasher().digest("crowdsec/state", bytes), state: .present))
        ]
        commit.owners = [
            OwnerChange(
                key: key, source: source,
                value: .init(event: request.time, generation: 0, contribution: bytes))
        ]
        commit.history = [record(request, "delivered", "enriched, \(effects.objects.count) objects")]
        try await store.commit(commit)
    }

    /// Notes why a request was not enriched.
    func note(_ refusal: CrowdSecHandler.Refusal, about request: EnrichmentRequest) async throws(StorageError) {
        var commit = FlowCommit(flow: flow, target: target, fencingToken: fencingToken)
        commit.history = [record(request, "skipped", "\(refusal.code): \(refusal.message)")]
        try await store.commit(commit)
    }

    private func record(_ request: EnrichmentRequest, _ outcome: String, _ reason: String) -> HistoryRecord {
        HistoryRecord(
            at: request.time, flow: flow, source: Self.source(of: request.entity.id),
            key: request.entity["value"]?.string.map(Self.key(of:)), position: request.workID ?? "playbook",
            outcome: outcome, reason: reason, remoteID: request.entity.id)
    }

    /// What is kept of an observable.
    struct Contribution: Sendable, Hashable {
        var address: String
        var labels: [String]
        var objects: Int
        var at: Instant

        init(address: String, labels: [String], objects: Int, at: Instant) {
            self.address = address
            self.labels = labels
            self.objects = objects
            self.at = at
        }

        init?(encoded bytes: [UInt8]) {
            guard let json = try? JSONValue(parsing: bytes), let address = json["address"]?.string,
                let at = json["at"]?.string.flatMap({ Instant(parsing: $0) })
            else { return nil }
            self.init(
                address: address, labels: json["labels"]?.array?.compactMap(\.string) ?? [],
                objects: Int(json["objects"]?.int ?? 0), at: at)
        }

        var encoded: [UInt8] {
            let json: JSONValue = [
                "address": .string(address), "labels": .array(labels.map { .string($0) }), "objects": .int(objects),
                "at": .string(at.description),
            ]
            return json.bytes
        }

        var described: [(field: String, text: String)] {
            [
                ("address", address), ("enriched", at.description), ("objects", String(objects)),
                ("labels_of_ours", labels.joined(separator: ",")),
            ]
        }
    }
}
