// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Engine
import Sekoia
import Synchronization

/// Sekoia's intake as a relay's target.
///
/// A body that is refused is sent in halves until the refused events stand alone; only they become dead letters.
/// Source: Sekoia.io module, 1.4.
final class IntakeSink: RelaySink {
    /// Refusals in a row from which on, if nothing was ever taken, the frame is at fault and not the events.
    static let doubtAfter = 16

    private struct State {
        var failures = 0
        var hasAccepted = false
    }
    private let intake: SekoiaIntake
    private let frame: IntakeFrame
    private let events: Events
    private let pulse: SymphonyPulse
    private let time: any TimeSource
    private let state = Mutex(State())

    init(_ intake: SekoiaIntake, frame: IntakeFrame, events: Events, pulse: SymphonyPulse, time: any TimeSource) {
        self.intake = intake
        self.frame = frame
        self.events = events
        self.pulse = pulse
        self.time = time
    }

    func input(_ index: Int, of batch: RelayBatch) -> [UInt8] {
        LineFrame.strings(frame).line(batch.bytes[batch.range(index)])
    }

    func append(_ batch: RelayBatch) async -> RecordResult {
        let begin = time.uptime
        let answer = await intake.send(batch.bytes)
        switch answer {
        case .accepted:
            accepted()
            events.delivered(batch, refused: 0, in: time.uptime - begin)
            return .appended(refused: [:])
        case .refused(let status):
            var search = Search(batch: batch, status: status)
            if batch.count > 1 {
                await halve(0..<batch.count, &search)
            } else {
                search.refused[0] = Self.reason(status)
            }
            if Task.isCancelled { return .retry(after: .zero, code: "relay.cancelled", reason: "stopped") }
            if search.isFrameInDoubt {
                let reason = "Sekoia's intake refuses every event (\(status)). Check the intake key and the URL."
                return rest(batch.count, .seconds(60), code: "sekoia.refused_all", reason, mayRepeat: false)
            }
            events.refused(search.refused.count, status: status)
            events.delivered(batch, refused: search.refused.count, in: time.uptime - begin)
            return .appended(refused: search.refused)
        case .closed, .unavailable: return later(answer, batch.count)
        }
    }

    private struct Search {
        let batch: RelayBatch
        var status: Int
        var refused: [Int: String] = [:]
        var hasAccepted = false
        var isFrameInDoubt = false
    }

    /// The halves of a range whose whole was refused.
    private func halve(_ range: Range<Int>, _ search: inout Search) async {
        let middle = range.lowerBound + range.count / 2
        for half in [range.lowerBound..<middle, middle..<range.upperBound] {
            if search.isFrameInDoubt || Task.isCancelled { return }
            await send(half, &search)
        }
    }

    private func send(_ range: Range<Int>, _ search: inout Search) async {
        let body = frame.head + search.batch.bytes[search.batch.range(range)] + frame.tail
        while !Task.isCancelled {
            let answer = await intake.send(body)
            switch answer {
            case .accepted:
                search.hasAccepted = true
                return accepted()
            case .refused(let status):
                search.status = status
                guard range.count == 1 else { return await halve(range, &search) }
                search.refused[range.lowerBound] = Self.reason(status)
                let isKnown = search.hasAccepted || state.withLock { $0.hasAccepted }
                search.isFrameInDoubt = !isKnown && search.refused.count >= Self.doubtAfter
                return
            case .closed, .unavailable:
                // What was taken of this batch is not sent again, so the waiting is done here.
                guard case .retry(let wait, _, _) = later(answer, range.count) else { return }
                try? await time.sleep(for: wait)
            }
        }
    }

    private func accepted() {
        state.withLock { state in
            state.failures = 0
            state.hasAccepted = true
        }
        pulse.pushed()
    }

    private func later(_ answer: SekoiaIntake.Answer, _ count: Int) -> RecordResult {
        switch answer {
        case .closed(let status):
            let reason = SekoiaError.closed(status: status).description
            return rest(count, .seconds(30), code: "sekoia.closed", reason, mayRepeat: false)
        case .unavailable(let reason, let asked, let isOutcomeUnknown):
            let failures = state.withLock { state in
                state.failures += 1
                return state.failures
            }
            let own = Duration.milliseconds(min(10_000, 500 << min(failures - 1, 5)) + Int.random(in: 0...250))
            return rest(
                count, max(asked ?? .zero, own), code: "sekoia.unavailable",
                "Sekoia's intake does not answer: \(reason)",
                mayRepeat: isOutcomeUnknown)
        case .accepted, .refused: return .appended(refused: [:])
        }
    }

    private func rest(_ count: Int, _ wait: Duration, code: String, _ reason: String, mayRepeat: Bool) -> RecordResult {
        pulse.failed()
        events.retry(count, mayRepeat: mayRepeat, reason: reason, wait: wait)
        return .retry(after: wait, code: code, reason: reason)
    }

    private static func reason(_ status: Int) -> String { "Sekoia's intake refuses this event (\(status))" }
}
