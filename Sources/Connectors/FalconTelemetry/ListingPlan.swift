// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon

/// When to ask for the feeds, and under which of the four appIds: a value, so that its rules can be tested.
///
/// An appId whose session is still open (after a kill, until it lapses) makes the listing leave its streams out, so the next
/// one is asked then. Always the first that no reader of ours uses. Source: Sekoia.io module, 1.1 and 1.6.
struct ListingPlan: Sendable {
    static let slots = 4
    static let everything = Duration.seconds(600)

    struct Decision: Sendable, Hashable {
        /// Feeds to read, of those that were listed.
        var start: [String] = []
        /// Ask again after so long.
        var wait: Duration
        /// What health says; `nil` when all is well.
        var trouble: String?
    }

    /// Feeds that a full listing has named, or that an earlier run has read.
    private(set) var known: Set<String>
    /// Slots asked in a row without the answer that we need.
    private var misses = 0
    private var emptyRounds = 0
    private var failures = 0
    private var shortRuns = 0
    /// Whether a second appId has been asked for what the first one listed.
    private var isConfirmed = false

    /// - Parameter known: feeds that have a position from an earlier run: the first listing may leave some out, because a
    ///   killed run's sessions are still open.
    init(known: Set<String> = []) { self.known = known }

    /// - Parameter used: slots of readers that are connected.
    func slot(used: Set<Int>) -> Int {
        let free = (0..<Self.slots).filter { !used.contains($0) }
        guard !free.isEmpty else { return misses % Self.slots }
        return free[misses % free.count]
    }

    mutating func listed(_ roots: [String], live: Set<String>, used: Set<Int>) -> Decision {
        failures = 0
        let start = roots.filter { !live.contains($0) }
        let missing = known.subtracting(live).subtracting(roots)
        if roots.isEmpty, live.isEmpty {
            misses += 1
            let isRound = misses % Self.slots == 0
            if isRound { emptyRounds += 1 }
            let rest = Duration.seconds(min(60, 10 << min(emptyRounds - 1, 3)))
            return Decision(
                wait: isRound ? rest : .zero,
                trouble:
                    "Falcon lists no feed. Either an earlier session is still open (it lapses within half an hour), or "
                    + "the tenant has none; it is asked again.")
        }
        known.formUnion(roots)
        guard !missing.isEmpty else {
            misses = 0
            emptyRounds = 0
            // The sessions of a killed run hide their feeds from its own appId only, and a feed that this run has never
            // seen is missed by nobody: so the first listing is made twice, the second time under another appId.
            isConfirmed = isConfirmed || !used.isEmpty
            return Decision(start: start, wait: isConfirmed ? Self.everything : .seconds(1))
        }
        misses += 1
        if misses >= Self.slots - used.count, !roots.isEmpty {
            // Every appId was asked: the tenant no longer has it.
            known.subtract(missing)
            misses = 0
            return Decision(start: start, wait: Self.everything)
        }
        return Decision(
            start: start, wait: misses >= Self.slots ? .seconds(10) : .seconds(1),
            trouble: "\(missing.count) of \(known.count) feeds are not listed; they are asked for again.")
    }

    /// The listing failed: how long to wait. Readers that live go on.
    mutating func failed(_ error: FalconError) -> Decision {
        failures += 1
        let wait: Duration
        switch error {
        // The seed's minute, or what the server asks for if that is longer.
        case .rateLimited(let asked): wait = max(.seconds(60), asked ?? .zero)
        case .credentialsRefused, .unauthorized, .missingScope: wait = .seconds(300)
        default: wait = .seconds(min(300, 1 << min(failures - 1, 9)))
        }
        return Decision(wait: wait, trouble: error.description)
    }

    /// A connection has ended: how long to wait with the next listing, at least as long as the server asks for.
    mutating func ended(after lasted: Duration, asking asked: Duration? = nil) -> Duration {
        guard lasted < .seconds(10) else {
            shortRuns = 0
            return asked ?? .zero
        }
        shortRuns += 1
        return max(asked ?? .zero, .seconds(min(60, 1 << min(shortRuns - 1, 6))))
    }
}
