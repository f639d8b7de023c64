// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import HTTPClient
import NetAddress
import Storage
import Synchronization

/// What is done at Falcon about a sample.
extension SampleCourse {
    /// Attempts of one call in a run.
    private static let attempts = 4

    private var desk: FalconDesk { FalconDesk(falcon: parts.falcon, detections: parts.detections) }

    mutating func report(_ action: SampleTriage.Action) async throws {
        switch action {
        case .findExisting(let indicators): try await findExisting(indicators)
        case .check(let effect): try await check(effect)
        case .permit(let hosts): try await permit(hosts)
        case .permitRelease(let files): try await permit(files)
        case .findHosts(let hashes): try await findHosts(hashes)
        case .apply(let effect): try await apply(effect)
        default: return
        }
    }

    private mutating func findExisting(_ indicators: [TriageIndicator]) async throws {
        var open: [TriageIndicator] = []
        for indicator in indicators {
            guard let veto = parts.guards.veto(indicator.guardSubject) else {
                open.append(indicator)
                continue
            }
            triage.vetoed(indicator, reason: veto.reason)
            noteVeto("ioc_create", indicator.value, veto.reason)
        }
        do throws(FalconError) {
            let existing = try await desk.existing(open)
            triage.found(existing: existing)
            for indicator in existing {
                notes.append(HistoryNote("unchanged", "the indicator exists already", subject: indicator.value))
            }
        } catch {
            try await giveUp(.createIndicators(indicators, description: ""), error)
        }
    }

    private mutating func check(_ effect: Effect) async throws {
        let part = effect.first(FalconDesk.limit(of: effect))
        do throws(FalconError) {
            let applied = try await desk.applied(part)
            triage.checked(part, applied: applied)
            for key in applied.sorted(by: { $0.text < $1.text }) {
                notes.append(HistoryNote("delivered", "found done: \(effect.summary)", subject: key.subject))
            }
        } catch {
            try await giveUp(effect, error)
        }
    }

    private mutating func permit(_ hosts: [String]) async throws {
        do {
            let vetoes = try await parts.containment.vetoes(hosts, for: sha256)
            triage.permitted(hosts, vetoes: vetoes)
            for (host, reason) in vetoes.sorted(by: { $0.key < $1.key }) { noteVeto("contain", host, reason) }
        } catch let error as FalconError {
            try await giveUp(.contain(hosts, note: ""), error)
        }
    }

    private mutating func permit(_ files: [QuarantineFact]) async throws {
        do {
            let vetoes = try await parts.containment.vetoes(files, for: sha256)
            triage.permitted(files: files, vetoes: vetoes)
            for (file, reason) in vetoes.sorted(by: { $0.key < $1.key }) {
                noteVeto("quarantine_update", file, reason)
            }
        } catch let error as FalconError {
            try await giveUp(.quarantineUpdate(ids: files.map(\.id), action: "release", comment: ""), error)
        }
    }

    private mutating func findHosts(_ hashes: [String]) async throws {
        do throws(FalconError) {
            triage.found(hosts: try await desk.hosts(thatRan: hashes))
        } catch {
            if case .transport(.cancelled) = error { throw CancellationError() }
            parts.events.failed(sha256, at: "find_another_host", error)
            triage.failedToFindHosts()
        }
    }

    private mutating func noteVeto(_ effect: String, _ subject: String, _ reason: String) {
        run.vetoed.add(1, ordering: .relaxed)
        parts.events.vetoed(effect, sha256, subject, reason: reason)
        parts.rehearse?(PlannedChange(action: "veto", subject: sha256, detail: [(effect, subject)], reason: reason))
        notes.append(HistoryNote("vetoed", "\(effect): \(reason)", subject: subject))
    }

    // MARK: Sending

    private mutating func apply(_ effect: Effect) async throws {
        if let rehearse = parts.rehearse {
            for key in effect.keys {
                rehearse(
                    PlannedChange(
                        action: effect.name, subject: sha256, detail: [("to", key.subject)], reason: effect.summary))
            }
            return triage.applied(effect)
        }
        if let part = unsure {
            unsure = nil
            return try await check(part)
        }
        if case .alertUpdate(_, _, .some, _) = effect, !knowsStatuses { return try await readStatuses(before: effect) }
        let part = effect.first(min(largestPart, FalconDesk.limit(of: effect)))
        triage.willApply(part)
        // The intent is durable before the call: after a crash it is looked for at Falcon.
        try await keep()
        switch await desk.send(part) {
        case .done(let refused, let trace): finish(part, refused, trace)
        case .refused(let reason):
            if part.keys.count > 1 {
                largestPart = part.keys.count / 2
            } else {
                refuse(part, reason)
            }
        case .failed(let error): try await retry(effect, part, error)
        }
    }

    private mutating func finish(_ part: Effect, _ refused: [EffectKey: String], _ trace: String?) {
        tries = 0
        largestPart = .max
        if let good = part.part({ refused[$0] == nil }) {
            triage.applied(good)
            parts.events.done(good, sha256, trace: trace)
            for key in good.keys {
                notes.append(HistoryNote("delivered", good.summary, subject: key.subject, trace: trace))
            }
        }
        for (key, reason) in refused {
            if let bad = part.part({ $0 == key }) { refuse(bad, reason) }
        }
    }

    private mutating func refuse(_ part: Effect, _ reason: String) {
        triage.refused(part, reason: reason)
        run.refused.add(part.keys.count, ordering: .relaxed)
        parts.events.refused(part, sha256, reason: reason)
        for key in part.keys {
            notes.append(HistoryNote("dead_lettered", "\(part.summary): \(reason)", subject: key.subject))
        }
    }

    /// Sends it again after a pause, a few times; where it may have happened, that is looked for first.
    private mutating func retry(_ effect: Effect, _ part: Effect, _ error: FalconError) async throws {
        tries += 1
        guard error.isRetryable, tries < Self.attempts else { return try await giveUp(effect, error) }
        parts.events.failed(sha256, at: part.name, error)
        pause = max(.seconds(1 << (tries - 1)), min(error.retryAfter ?? .zero, .seconds(60)))
        if error.isOutcomeUnknown { unsure = part }
    }

    /// An analysis takes its time: what an analyst has closed since the alerts were read must not be opened again.
    private mutating func readStatuses(before effect: Effect) async throws {
        let ids = triage.record.alerts.map(\.compositeID).sorted()
        do throws(FalconError) {
            triage.saw(statuses: try await desk.statuses(ids))
            knowsStatuses = true
        } catch {
            try await giveUp(effect, error)
        }
    }

    /// Leaves an effect to the next run.
    private mutating func giveUp(_ effect: Effect, _ error: FalconError) async throws {
        if case .transport(.cancelled) = error { throw CancellationError() }
        tries = 0
        largestPart = .max
        triage.failed(effect)
        parts.events.failed(effect, sha256, error)
        notes.append(HistoryNote("failed", "\(effect.name): \(error.code)", trace: error.traceID))
    }
}

extension TriageIndicator {
    var guardSubject: GuardSubject {
        switch kind {
        case .sha256: .hash(value)
        case .ipv4, .ipv6: IPAddress(parsing: value).map { .address($0) } ?? .other
        case .domain: .domain(value)
        }
    }
}
