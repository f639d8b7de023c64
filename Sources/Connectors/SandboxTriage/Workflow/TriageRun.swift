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
        if let count = try await parts.containment.takeApproval() { parts.events.approved(count) }
        let retried = try await parts.book.takeRetries()
        if retried > 0 { parts.events.retried(retried) }
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
        try await withThrowingTaskGroup(of: (String, SampleOutcome?).self) { group in
            while true {
                while !run.stop.isRaised, underWay.count < StepLimits.underWay, !(queue.isEmpty && isDrained) {
                    if queue.isEmpty {
                        let found = try await parts.book.open(before: begin, limit: underWay.count + 500)
                        queue = Self.byTurns(
                            found.filter { !underWay.contains($0.sha256) && !handled.contains($0.sha256) })
                        isDrained = queue.isEmpty
                        continue
                    }
                    let record = queue.removeFirst()
                    underWay.insert(record.sha256)
                    group.addTask { [parts] in try await Self.bring(record, parts, run) }
                }
                parts.events.working(on: underWay.count)
                guard let (sha256, outcome) = try await group.next() else { break }
                underWay.remove(sha256)
                handled.insert(sha256)
                if let outcome {
                    summary.outcomes[outcome, default: 0] += 1
                } else {
                    summary.unfinished += 1
                }
            }
        }
    }

    @concurrent
    private static func bring(
        _ record: SampleRecord, _ parts: TriageParts, _ run: RunState
    ) async throws -> (String, SampleOutcome?) {
        var course = SampleCourse(record, parts, run)
        return (record.sha256, try await course.go())
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
