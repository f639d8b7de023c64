// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import SimulatorKit
import Synchronization

/// One consumer's connection: blocks of whole frames, pulled as fast as the consumer reads; heartbeats in between.
final class StreamBody: ResponseBody {
    private struct State {
        var pending: [UInt8] = []
        var offset = 0
        var cursor: Cursor
        var plain: PlainCursor
        var hasBegun = false
        var isRegistered = false
        /// Frames until the connection breaks.
        var framesLeft: Int?
        /// How it ends once what is pending has been sent.
        var ending: StreamCut.Way?
        var heartbeatDue: Duration
        var heartbeats = 0
        var idleHeartbeats = 0
        var timer: (due: Duration, task: Task<Void, Never>)?
    }
    private let vendor: OpenCTIVendor
    private let cut: StreamCut?
    private let interval: Duration
    private let metricsEvery: Int?
    private let refusesRecovery: Bool
    private let connection: String
    private let state: Mutex<State>

    init(
        _ vendor: OpenCTIVendor, _ cursor: Cursor, _ plain: PlainCursor, connection: String, cut: StreamCut?,
        configuration: OpenCTIConfiguration
    ) {
        self.vendor = vendor
        self.cut = cut
        self.connection = connection
        interval = configuration.heartbeat
        metricsEvery = configuration.metricsEvery
        refusesRecovery = configuration.refusesRecovery
        state = Mutex(
            State(
                cursor: cursor, plain: plain, framesLeft: cut?.frames,
                heartbeatDue: vendor.clock.uptime + configuration.heartbeat))
    }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, pull: Pull) -> Filled {
        if pull.isStopping { return .end }
        return state.withLock { state in
            if !state.isRegistered {
                state.isRegistered = true
                vendor.register(self, pull)
            }
            if state.offset == state.pending.count {
                if let ending = state.ending { return finish(ending) }
                state.pending.removeAll(keepingCapacity: true)
                state.offset = 0
                refill(&state, limit: buffer.count)
            }
            guard state.offset < state.pending.count else {
                if let ending = state.ending { return finish(ending) }
                wake(at: state.heartbeatDue, &state, pull)
                return .wait
            }
            let count = min(buffer.count, state.pending.count - state.offset)
            state.pending.withUnsafeBytes { bytes in
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[state.offset..<state.offset + count]))
            }
            state.offset += count
            return .bytes(count)
        }
    }

    func close() {
        vendor.unregister(self)
        let timer = state.withLock { state in
            defer { state.timer = nil }
            return state.timer
        }
        timer?.task.cancel()
    }

    // MARK: Content

    private func refill(_ state: inout State, limit: Int) {
        if !state.hasBegun {
            state.hasBegun = true
            begin(&state)
        }
        let start = state.pending.count
        // With a cut to come frames are counted, so they come group by group.
        let limit = state.framesLeft == nil ? limit : start + 1
        var ends: [Int] = []
        if state.plain.append(to: &state.pending, limit: limit, ends: &ends) {
            state.cursor.position = max(state.cursor.position, state.plain.position)
        } else if !vendor.gather(&state.cursor, into: &state.pending, limit: limit, ends: &ends) {
            state.ending = .end
            return
        }
        if !ends.isEmpty { cut([start] + ends, &state) }
        vendor.count(events: ends.count, bytes: state.pending.count)
        guard state.ending == nil, vendor.clock.uptime >= state.heartbeatDue else { return }
        heartbeat(&state, isIdle: ends.isEmpty)
    }

    private func begin(_ state: inout State) {
        Frame.append(id: nil, event: "connected", text: vendor.welcome(connection), to: &state.pending)
        guard state.cursor.parameters.recovers, refusesRecovery else { return }
        let text = #""Recovery is not available for this live stream""#
        Frame.append(id: state.cursor.position, event: "no-recover", text: text, to: &state.pending)
    }

    /// While nothing happens the position follows the platform's clock (OpenCTI protocol, 4.3).
    private func heartbeat(_ state: inout State, isIdle: Bool) {
        state.heartbeatDue = vendor.clock.uptime + interval
        state.heartbeats += 1
        if isIdle {
            state.cursor.position = vendor.idle(at: state.cursor.position)
            state.idleHeartbeats += 1
            // By the second one a consumer knows that a recovery is over.
            if state.idleHeartbeats == 2 { vendor.startLive() }
        }
        let id = state.cursor.position
        Frame.append(id: id, event: "heartbeat", text: "\"\(vendor.clock.now)\"", to: &state.pending)
        guard let metricsEvery, state.heartbeats.isMultiple(of: max(1, metricsEvery)) else { return }
        let metrics = #"{"deliveryRate":0,"processingRate":0,"resolutionRate":0,"productionRate":0}"#
        Frame.append(id: id, event: "consumer_metrics", text: metrics, to: &state.pending)
    }

    // MARK: Ends

    /// Counts frames, and drops what lies behind the cut.
    ///
    /// - Parameter bounds: where each frame of a group starts, and where the last one ends.
    private func cut(_ bounds: [Int], _ state: inout State) {
        guard let cut, let left = state.framesLeft else { return }
        let count = bounds.count - 1
        let end: Int?
        switch cut.place {
        case .between: end = count >= left ? bounds[left] : nil
        case .inside: end = count > left ? (bounds[left] + bounds[left + 1]) / 2 : nil
        case .group: end = count > max(1, left) ? bounds[max(1, left)] : nil
        }
        state.framesLeft = max(0, left - count)
        guard let end else { return }
        state.pending.removeSubrange(end...)
        state.ending = cut.way
    }

    private func finish(_ ending: StreamCut.Way) -> Filled {
        switch ending {
        case .reset: .reset
        case .end: .end
        case .silence: .wait
        }
    }

    private func wake(at due: Duration, _ state: inout State, _ pull: Pull) {
        let due = min(due, vendor.nextEventDue ?? due)
        if let timer = state.timer {
            if timer.due <= due, timer.due > vendor.clock.uptime { return }
            timer.task.cancel()
        }
        let clock = vendor.clock
        state.timer = (
            due,
            Task {
                try? await clock.sleep(untilUptime: due)
                pull.wake()
            }
        )
    }
}
