// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import HTTPClient
import Storage
import Synchronization

/// One run: both sources are read from where the last one came to, then every open sample is brought as far as it gets.
struct TriageRun {
    let parts: TriageParts
    let sources: [DataSource]
    let timeSpan: Duration
    /// Read again each time: the clocks of Falcon and ours need not agree.
    static let overlap: Duration = .seconds(600)

    /// - Parameter end: see ``RunState/end``.
    /// - Throws: ``StorageError``; `CancellationError`.
    func go(end: Duration?, until stop: StopSignal) async throws -> RunSummary {
        _ = try await takeCalls(except: [])
        var summary = RunSummary()
        for source in sources where !stop.isRaised {
            do { try await read(source) } catch let error as FalconError {
                if case .transport(.cancelled) = error { throw CancellationError() }
                summary.failedSources.append(source)
                parts.events.failedToRead(source, error)
            }
        }
        let run = RunState(end: end, stop: stop)
        try await work(run, &summary)
        summary.refused = run.refused.load(ordering: .relaxed)
        summary.vetoed = run.vetoed.load(ordering: .relaxed)
        parts.events.containment(isStopped: await parts.containment.isTripped)
        return summary
    }

    /// What people have approved, and want tried again.
    ///
    /// - Returns: the samples that are open again by it.
    private func takeCalls(except busy: Set<String>) async throws -> [String] {
        let approved = try await parts.containment.takeApproval(except: busy)
        if !approved.isEmpty { parts.events.approved(approved.count) }
        let retried = try await parts.book.takeRetries(except: busy)
        if !retried.isEmpty { parts.events.retried(retried.count) }
        return approved + retried
    }

    private func read(_ source: DataSource) async throws {
        let now = parts.time.now
        let name = "watermark." + source.rawValue.lowercased()
        let last = try await parts.book.watermark(name) ?? now.advanced(by: .zero - timeSpan)
        var counts = (new: 0, skipped: 0)
        let reader = SourceReader(parts.falcon, parts.detections)
        try await reader.read(source, since: last.advanced(by: .zero - Self.overlap)) { page in
            counts.new += try await parts.book.add(alerts: page.alerts, files: page.files)
            counts.skipped += page.skipped
        }
        _ = try await parts.book.add(alerts: [:], files: [:], watermark: (name, now))
        parts.events.read(source, new: counts.new, skipped: counts.skipped)
    }

    // MARK: Samples

    /// Works on everything that is open, many at a time, alerts' and quarantine's samples by turns.
    private func work(_ run: RunState, _ summary: inout RunSummary) async throws {
        let begin = parts.time.now.advanced(by: .milliseconds(1))
        var queue: [SampleRecord] = []
        var underWay: Set<String> = []
        var handled: Set<String> = []
        var isDrained = false
        // Asked for by a person; one that is under way already is taken up behind that.
        var asked = await parts.requests?.take() ?? []
        try await withThrowingTaskGroup(of: Event.self) { group in
            if let requests = parts.requests { group.addTask { await Self.wait(for: requests) } }
            while true {
                for sha256 in asked where !run.stop.isRaised && underWay.insert(sha256).inserted {
                    asked.removeAll { $0 == sha256 }
                    group.addTask { try await bringRequested(sha256, run) }
                }
                while !run.stop.isRaised, underWay.count < parts.limits.underWay, !(queue.isEmpty && isDrained) {
                    if queue.isEmpty {
                        let found = try await parts.book.open(before: begin, limit: underWay.count + 500)
                        queue = Self.byTurns(
                            found.filter { !underWay.contains($0.sha256) && !handled.contains($0.sha256) })
                        isDrained = queue.isEmpty
                        continue
                    }
                    let record = queue.removeFirst()
                    // Somebody may have asked for it since the queue was read.
                    guard !handled.contains(record.sha256), underWay.insert(record.sha256).inserted else { continue }
                    group.addTask { [parts] in try await Self.bring(record, parts, run) }
                }
                parts.events.working(on: underWay.count)
                if underWay.isEmpty {
                    if !run.stop.isRaised, let more = await parts.requests?.take(), !more.isEmpty {
                        asked = more
                        continue
                    }
                    group.cancelAll()
                    break
                }
                switch try await group.next() {
                case .asked:
                    asked += await parts.requests?.take() ?? []
                    try await start(takeCalls(except: underWay), run, &underWay, &group)
                    if let requests = parts.requests { group.addTask { await Self.wait(for: requests) } }
                case .ended(let sha256, let outcome):
                    underWay.remove(sha256)
                    handled.insert(sha256)
                    // It may have been held back while others were approved.
                    if parts.requests != nil, !run.stop.isRaised {
                        try await start(takeCalls(except: underWay), run, &underWay, &group)
                    }
                    if let outcome {
                        summary.outcomes[outcome, default: 0] += 1
                    } else {
                        summary.unfinished += 1
                    }
                case nil: return
                }
            }
        }
    }

    /// Works on samples that were opened amid the run.
    private func start(
        _ opened: [String], _ run: RunState, _ underWay: inout Set<String>,
        _ group: inout ThrowingTaskGroup<Event, any Error>
    ) async throws {
        for sha256 in opened where underWay.insert(sha256).inserted {
            guard let record = try await parts.book.record(sha256) else {
                underWay.remove(sha256)
                continue
            }
            group.addTask { [parts] in try await Self.bring(record, parts, run) }
        }
    }

    private enum Event: Sendable {
        case ended(String, SampleOutcome?)
        case asked
    }

    private static func wait(for requests: RequestDesk) async -> Event {
        await requests.wait()
        return .asked
    }

    // MARK: Single samples

    /// Brings one sample as far as it gets, with every alert and quarantined file of it, whenever that was found.
    ///
    /// - Parameter parts: with somebody who follows it.
    /// - Returns: `nil` when it was left where it stands.
    func bring(
        _ sha256: String, _ parts: TriageParts, _ run: RunState
    ) async throws -> (SampleRecord, SampleOutcome)? {
        try await parts.progress?("falcon", "Alerts and quarantined files of the sample are looked for.")
        let book = parts.book
        _ = try await book.add(alerts: [sha256: []], files: [:])
        try await SourceReader(parts.falcon, parts.detections).read(sha256, sources) { page in
            _ = try await book.add(alerts: page.alerts, files: page.files)
        }
        guard var record = try await book.record(sha256) else { return nil }
        record.retry()
        var course = SampleCourse(record, parts, run)
        guard let outcome = try await course.go() else { return nil }
        return (course.triage.record, outcome)
    }

    /// The same for somebody who asked a service for it.
    @concurrent
    private func bringRequested(_ sha256: String, _ run: RunState) async throws -> Event {
        guard let desk = parts.requests else { return .ended(sha256, nil) }
        var parts = parts
        parts.progress = { try await desk.tell(sha256, step: $0, $1) }
        do {
            let ended = try await bring(sha256, parts, run)
            try await desk.end(sha256, ended?.1)
            return .ended(sha256, ended?.1)
        } catch let error as FalconError {
            if case .transport(.cancelled) = error { throw CancellationError() }
            parts.events.failed(sha256, at: "falcon", error)
            try await desk.end(sha256, nil, failure: error.description)
            return .ended(sha256, nil)
        }
    }

    @concurrent
    private static func bring(
        _ record: SampleRecord, _ parts: TriageParts, _ run: RunState
    ) async throws -> Event {
        var course = SampleCourse(record, parts, run)
        return .ended(record.sha256, try await course.go())
    }

    /// Neither source waits for the other's backlog.
    static func byTurns(_ records: [SampleRecord]) -> [SampleRecord] {
        let detected = records.filter { !$0.alerts.isEmpty }
        let quarantined = records.filter { $0.alerts.isEmpty }
        var result: [SampleRecord] = []
        for index in 0..<max(detected.count, quarantined.count) {
            if index < detected.count { result.append(detected[index]) }
            if index < quarantined.count { result.append(quarantined[index]) }
        }
        return result
    }
}
