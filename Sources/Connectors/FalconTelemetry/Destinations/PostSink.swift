// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Engine
import Sekoia
import Synchronization

/// A target that takes bodies by POST: Sekoia's intake, or an endpoint of one's own.
///
/// A body that is refused is sent in halves until the refused events stand alone; only they become dead letters.
/// Source: Sekoia.io module, 1.4.
final class PostSink: RelaySink {
    /// Refusals in a row from which on, if nothing was ever taken, the frame is at fault and not the events.
    static let doubtAfter = 16

    private struct State {
        var failures = 0
        var hasAccepted = false
    }
    /// Sends one body.
    private let post: @Sendable ([UInt8]) async -> SekoiaIntake.Answer
    private let frame: LineFrame
    /// For messages: `Sekoia's intake`.
    private let name: String
    private let events: Events
    private let pulse: SymphonyPulse
    private let time: any TimeSource
    private let state = Mutex(State())

    init(
        _ name: String, frame: LineFrame, events: Events, pulse: SymphonyPulse, time: any TimeSource,
        post: @escaping @Sendable ([UInt8]) async -> SekoiaIntake.Answer
    ) {
        self.name = name
        self.post = post
        self.frame = frame
        self.events = events
        self.pulse = pulse
        self.time = time
    }

    func input(_ index: Int, of batch: RelayBatch) -> [UInt8] {
        frame.line(batch.bytes[batch.range(index)])
    }

    func append(_ batch: RelayBatch) async -> RecordResult {
        let begin = time.uptime
        let answer = await post(batch.bytes)
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
                search.refused[0] = reason(status)
            }
            if Task.isCancelled { return .retry(after: .zero, code: "relay.cancelled", reason: "stopped") }
            if search.isFrameInDoubt {
                let reason = "\(name) refuses every event (\(status)). Check key and URL."
                return rest(batch.count, .seconds(60), code: "relay.refused_all", reason, mayRepeat: false)
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
            let answer = await post(body)
            switch answer {
            case .accepted:
                search.hasAccepted = true
                return accepted()
            case .refused(let status):
                search.status = status
                guard range.count == 1 else { return await halve(range, &search) }
                search.refused[range.lowerBound] = reason(status)
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
            let reason = "\(name) refuses us (\(status)). Check key and URL; what was read waits meanwhile."
            return rest(count, .seconds(30), code: "relay.closed", reason, mayRepeat: false)
        case .unavailable(let reason, let asked, let isOutcomeUnknown):
            let failures = state.withLock { state in
                state.failures += 1
                return state.failures
            }
            let own = Duration.milliseconds(min(10_000, 500 << min(failures - 1, 5)) + Int.random(in: 0...250))
            return rest(
                count, max(asked ?? .zero, own), code: "relay.unavailable",
                "\(name) does not take events: \(reason)",
                mayRepeat: isOutcomeUnknown)
        case .accepted, .refused: return .appended(refused: [:])
        }
    }

    private func rest(_ count: Int, _ wait: Duration, code: String, _ reason: String, mayRepeat: Bool) -> RecordResult {
        pulse.failed()
        events.retry(count, mayRepeat: mayRepeat, reason: reason, wait: wait)
        return .retry(after: wait, code: code, reason: reason)
    }

    private func reason(_ status: Int) -> String { "\(name) refuses this event (\(status))" }
}
