// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import CrowdSec
import JSON
import NetAddress
import OpenCTI
import STIX
import Synchronization

/// One request: is it to be asked about, what does CrowdSec say, what becomes of it.
///
/// Source: CrowdSec enrichment, 5.
struct CrowdSecHandler: EnrichmentHandler {
    let options: EnrichmentOptions
    let lookups: CTILookups
    let ledger: EnrichmentLedger
    let techniques = TechniqueNames()
    let events: Events

    func enrich(
        _ request: EnrichmentRequest, on platform: any PlatformDirectory
    ) async throws -> EnrichmentOutcome {
        let observable: EnrichedObservable
        switch admit(request) {
        case .refuse(let refusal):
            events.left(refusal)
            try await ledger.note(refusal, about: request)
            return refusal.outcome
        case .ask(let found): observable = found
        }
        let answer: CTIAnswer
        do throws(CrowdSecError) {
            let found = try await lookups.answer(about: observable.value)
            events.answered(found.answer, isCached: found.isCached)
            answer = found.answer
        } catch {
            if case .cancelled = error { throw CancellationError() }
            events.failed(error)
            let refusal = Refusal(isError: true, code: error.code, message: error.description)
            try await ledger.note(refusal, about: request)
            return refusal.outcome
        }
        let enrichment = try await translate(observable, answer, platform, request.time)
        guard !enrichment.objects.isEmpty else { return .skipped(message: enrichment.message) }
        var effects = EnrichmentEffects(objects: enrichment.objects, updatesExisting: options.updatesExisting)
        if observable.isSelfContained {
            // The bundle names the labels, but it can't say their colours.
            if !enrichment.labels.isEmpty { effects.writes = [.createLabels(enrichment.platformLabels)] }
        } else {
            effects.writes = try await writes(enrichment, observable, answer)
        }
        return .enriched(effects, message: enrichment.message)
    }

    func applied(_ effects: EnrichmentEffects, to request: EnrichmentRequest) async throws {
        try await ledger.note(effects, to: request, reputations: Set(options.labels.reputationColors.keys))
    }

    // MARK: Whether to ask

    /// Why a request ends without an answer of CrowdSec's.
    struct Refusal: Sendable, Hashable {
        var isError: Bool
        var code: ErrorCode
        var message: String

        var outcome: EnrichmentOutcome {
            isError ? .refused(code: code, message: message) : .skipped(message: message)
        }
    }

    enum Admission: Sendable {
        case ask(EnrichedObservable)
        case refuse(Refusal)
    }

    /// In the original's order: marking, time of the last enrichment, address.
    func admit(_ request: EnrichmentRequest) -> Admission {
        func refuse(_ code: ErrorCode, _ message: String, isError: Bool = false) -> Admission {
            .refuse(Refusal(isError: isError, code: code, message: message))
        }
        if let most = options.maxTLP, (request.tlp ?? .clear) > most {
            return refuse(
                "crowdsec.tlp", "Do not send any data, TLP of the observable is greater than MAX TLP", isError: true)
        }
        let description = request.attribute("description")?.string
        if let last = DescriptionStamp.moment(in: description) {
            // In whole seconds. Compat: -1 means “never” in the original.
            let age = last.duration(to: request.time).components.seconds
            if age != -1, age < options.minDelay.components.seconds {
                let seconds = options.minDelay.components.seconds
                return refuse(
                    "crowdsec.too_soon",
                    "Last enrichment was less than \(seconds) seconds ago, skipping enrichment")
            }
        }
        guard let value = request.entity["value"]?.string, !value.isEmpty else {
            return refuse(
                "crowdsec.no_address", "CrowdSec knows IP addresses: \(request.entityType) has none.", isError: true)
        }
        guard let address = IPAddress(parsing: value) else {
            return refuse("crowdsec.invalid_address", "Invalid IP address: \(String(value.prefix(200)))")
        }
        guard address.isWorthAsking else { return refuse("crowdsec.not_public", "Not a public IP address: \(value)") }
        return .ask(
            EnrichedObservable(
                stixID: request.entity.id, type: request.entityType, value: value, description: description,
                markings: request.markings.map(\.standardID),
                labels: request.attribute("labels")?.array?.compactMap(\.string) ?? [],
                stix: request.entity, isIPv6: !address.isV4,
                isSelfContained: request.playbook != nil || !(request.draftID ?? "").isEmpty))
    }

    // MARK: What becomes of it

    private func translate(
        _ observable: EnrichedObservable, _ answer: CTIAnswer, _ directory: any PlatformDirectory, _ time: Instant
    ) async throws -> Enrichment {
        var translator = Translator(options: options)
        if let version = directory.version { translator.ids = ObjectIDs(platformVersion: version.description) }
        var platform = Translator.Platform(author: translator.usualAuthor)
        // A bundle that overwrites would rename the official technique.
        if options.updatesExisting, options.createsAttackPatterns, case .item(let item) = answer {
            platform.techniqueNames = try await techniques.names(of: item, translator.ids, on: directory)
        }
        let enrichment = translator.enrichment(of: observable, with: answer, on: platform, at: time)
        guard enrichment.hasAuthor, !observable.isSelfContained else { return enrichment }
        let author = try await directory.organization(
            named: options.organizationName, description: options.organizationDescription)
        if author == platform.author { return enrichment }
        platform.author = author
        return translator.enrichment(of: observable, with: answer, on: platform, at: time)
    }

    private func writes(
        _ enrichment: Enrichment, _ observable: EnrichedObservable, _ answer: CTIAnswer
    ) async throws -> [DirectWrite] {
        var writes = enrichment.references.map { DirectWrite.externalReference($0, attaches: false) }
        if options.removesStaleLabels, options.labels.reputation, case .item = answer {
            let wanted = Set(enrichment.labels.map { $0.value.lowercased() })
            let ours = try await ledger.labels(of: observable.stixID)
            let stale = observable.labels.filter { ours.contains($0.lowercased()) && !wanted.contains($0.lowercased()) }
            if !stale.isEmpty { writes.append(.removeLabels(stale)) }
        }
        if !enrichment.labels.isEmpty { writes.append(.addLabels(enrichment.platformLabels)) }
        return writes
    }
}

extension Enrichment {
    fileprivate var platformLabels: [PlatformLabel] { labels.map { PlatformLabel($0.value, color: $0.color) } }
}

extension IPAddress {
    /// A host on the Internet may have it. Examples of documentation pass: they hurt nobody. So do addresses that lead to
    /// public hosts through a translation or a tunnel.
    var isWorthAsking: Bool {
        switch specialUse {
        case nil, .documentation, .tunnel, .translation: true
        default: false
        }
    }
}

/// The names under which the platform has techniques, asked for once each.
final class TechniqueNames: Sendable {
    private let known = Mutex<[String: String?]>([:])

    func names(
        of item: CTIItem, _ ids: ObjectIDs, on platform: any PlatformDirectory
    ) async throws -> [String: String] {
        var names: [String: String] = [:]
        for technique in item.mitreTechniques where !technique.name.isEmpty {
            if let name = known.withLock({ $0[technique.name] }) {
                names[technique.name] = name
                continue
            }
            let id = ids.attackPattern(name: "", techniqueID: technique.name)
            let name = try await platform.stix(id)?["name"]?.string
            known.withLock { known in
                if known.count > 2_000 { known = [:] }
                known[technique.name] = .some(name)
            }
            names[technique.name] = name
        }
        return names
    }
}
