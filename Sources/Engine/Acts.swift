// SPDX-License-Identifier: Apache-2.0

import Base
public import Storage

/// What the vendor says about an act whose outcome was lost.
public enum ReadBack: Sendable, Hashable {
    case took(remoteID: String)
    case didNot
    case unknown(reason: String)
}

/// The order of an act: intent durable, call, outcome durable. After a crash an intent without outcome is read back at
/// the vendor before it is repeated, and parked for a person where the vendor can't tell.
///
/// Pure: each answer gives the next step.
public enum ActStep: Sendable, Hashable {
    case recordIntent
    case perform
    case readBack
    case recordOutcome(ActOutcome, then: ActResult)
    case finish(ActResult)

    static let first = ActStep.recordIntent

    static func after(intent answer: IntentAnswer) -> ActStep {
        switch answer {
        case .recorded: .perform
        case .unfinished: .readBack
        case .finished(.done(let remoteID)): .finish(.done(remoteID: remoteID))
        case .finished(.refused(let reason)): .finish(.refused(code: "act.refused", reason: reason))
        case .finished(.parked(let reason)): .finish(.parked(reason: reason))
        }
    }

    static func after(readBack: ReadBack) -> ActStep {
        switch readBack {
        case .took(let remoteID): .recordOutcome(.done(remoteID: remoteID), then: .done(remoteID: remoteID))
        case .didNot: .perform
        case .unknown(let reason): .recordOutcome(.parked(reason: reason), then: .parked(reason: reason))
        }
    }

    static func after(performed result: ActResult) -> ActStep {
        switch result {
        case .done(let remoteID): .recordOutcome(.done(remoteID: remoteID), then: result)
        case .refused(_, let reason): .recordOutcome(.refused(reason: reason), then: result)
        case .parked(let reason): .recordOutcome(.parked(reason: reason), then: result)
        // Whether the call took place is uncertain: the next try reads back first, because the intent stands.
        case .retry: .finish(result)
        }
    }
}

/// Drives ``ActStep`` against store and sink.
struct ActRunner: Sendable {
    let store: any StateStore
    let sink: any FlowSink
    let time: any TimeSource

    func run(_ act: Act) async -> ActResult {
        var step = ActStep.first
        while true {
            do throws(StorageError) {
                switch step {
                case .recordIntent: step = .after(intent: try await store.recordIntent(act))
                case .perform: step = .after(performed: await sink.perform(act))
                case .readBack: step = .after(readBack: await sink.readBack(act))
                case .recordOutcome(let outcome, let result):
                    try await store.recordOutcome(actID: act.id, outcome: outcome, at: time.now)
                    step = .finish(result)
                case .finish(let result):
                    if case .retry(let wait, _, _) = result { try? await time.sleep(for: wait) }
                    return result
                }
            } catch {
                // Without a durable intent nothing is called; without a durable outcome the next run reads back.
                try? await time.sleep(for: .seconds(1))
                return .retry(after: .seconds(1), code: error.code.text, reason: error.description)
            }
        }
    }
}
