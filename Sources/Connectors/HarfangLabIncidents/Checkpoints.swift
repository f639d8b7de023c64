// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import JSON
import Synchronization

/// How far each pass has come, as the platform keeps it: `{"last_incident_datetime": …, "last_case_incident_datetime": …}`.
/// Moves only behind what is durable; keys of others stay.
///
/// Source: HarfangLab ↔ OpenCTI, 3.1.
final class Checkpoints: Sendable {
    enum Pass: String, Sendable, CaseIterable {
        case alerts = "last_incident_datetime"
        case threats = "last_case_incident_datetime"
    }

    private struct State {
        var object: JSONObject
        var told: JSONObject = [:]
        /// Moves that wait for their item, in order.
        var waiting: [(position: SourcePosition, pass: Pass, date: StartDate)] = []
        var durable: SourcePosition?
        /// Where the passes of the run at hand began.
        var begun: [Pass: StartDate] = [:]
        /// What the run at hand read no longer counts.
        var isReplaced = false
    }
    private let state: Mutex<State>

    init(_ object: JSONObject?) { state = Mutex(State(object: object ?? [:])) }

    /// As it is told to the platform.
    var object: JSONObject { state.withLock { $0.object } }

    /// The same, noted as what is told now: by the time of the answer it may have moved.
    var objectToTell: JSONObject {
        state.withLock { state in
            state.told = state.object
            return state.object
        }
    }

    /// What was told last.
    var told: JSONObject { state.withLock { $0.told } }

    /// An operator has reset or changed it: the next run begins there.
    func replace(_ object: JSONObject?) {
        state.withLock { state in
            state.object = object ?? [:]
            state.waiting = []
            state.isReplaced = true
        }
    }

    /// Where the passes of a run begin: at their own key, else at that of the other (the state of an original that knew
    /// one pass only), else at `start`.
    ///
    /// Decided for all passes at once, and kept with the first move of any: what the first pass of a first run has reached
    /// says nothing about the second, whether it follows in this process or after a crash.
    ///
    /// - Returns: where they begin, and whether the state was replaced since the run before.
    func beginRun(
        _ passes: [Pass], otherwise start: StartDate
    ) -> (begun: [Pass: StartDate], isReplaced: Bool) {
        state.withLock { state in
            let isReplaced = state.isReplaced
            state.isReplaced = false
            state.begun = [:]
            for pass in passes {
                let other: Pass = pass == .alerts ? .threats : .alerts
                state.begun[pass] =
                    Self.date(of: pass, in: state.object) ?? Self.date(of: other, in: state.object) ?? start
            }
            return (state.begun, isReplaced)
        }
    }

    func date(of pass: Pass) -> StartDate? { Self.date(of: pass, in: object) }

    static func date(of pass: Pass, in object: JSONObject) -> StartDate? {
        object[pass.rawValue]?.string.flatMap { StartDate($0) }
    }

    /// Once the item at `position` is durable, the pass stands at `date`.
    func move(_ pass: Pass, to date: StartDate, after position: SourcePosition) {
        state.withLock { if !$0.isReplaced { $0.waiting.append((position, pass, date)) } }
    }

    /// - Returns: whether something moved.
    func isDurable(_ position: SourcePosition) -> Bool {
        state.withLock { state in
            state.durable = position
            var count = 0
            for move in state.waiting {
                guard move.position <= position else { break }
                count += 1
                // Late events are read again: the checkpoint never goes back for them.
                if let known = Self.date(of: move.pass, in: state.object), move.date <= known { continue }
                state.object[move.pass.rawValue] = .string(move.date.description)
                for (pass, date) in state.begun where state.object[pass.rawValue] == nil {
                    state.object[pass.rawValue] = .string(date.description)
                }
            }
            state.waiting.removeFirst(count)
            return count > 0
        }
    }

    var durable: SourcePosition? { state.withLock { $0.durable } }
}
