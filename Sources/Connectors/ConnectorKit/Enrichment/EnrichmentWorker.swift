// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Hashing
import JSON
import Messaging
import OpenCTI
import STIX
import Storage
import Synchronization

/// Does one request from its message to its end. The order is the promise: attempt counted, looked up, written, announced,
/// published with confirmation, reported, and only then acknowledged by the shell.
struct EnrichmentWorker: Sendable {
    /// The third attempt that ends the process is the last.
    static let maxAttempts = 3

    let handler: any EnrichmentHandler
    let scope: Set<String>
    let client: OpenCTIClient
    let version: PlatformVersion?
    let userID: String?
    let works: Works
    let push: BundlePush
    let writer: PlatformWriter
    let attempts: AttemptDesk
    /// Messages that a process may have died of are worked on one after the other, so that the one to blame is found.
    let lane = Slots(1)
    let longWorks = LongWorks()
    let store: any StateStore
    let flow: Int64
    let target: Int64
    let fencingToken: Int64
    let time: any TimeSource
    let events: EnrichmentEvents
    /// What came before may have been begun by a process that is gone.
    let started: Instant

    /// Never throws: what goes wrong ends in the work, in a dead letter, in a job, or back at the broker.
    func handle(_ parcel: EnrichmentParcel) async -> ParcelEnd {
        let started = time.uptime
        do {
            let (attempt, isInLane) = try await begin(parcel)
            if isInLane {
                // Who does not bring the process down within this time is not the one to blame: the next may come.
                let lane = lane
                let time = time
                let release = Task {
                    try? await time.sleep(for: .seconds(30))
                    lane.leave()
                }
                defer { release.cancel() }
                return await handle(parcel, attempt, started)
            }
            return await handle(parcel, attempt, started)
        } catch is CancellationError {
            return .givenBack
        } catch {
            // Without the store nothing may begin: it can't be told how often it did.
            events.waits(for: error)
            return .later(reason: "\(error)")
        }
    }

    /// Counts the attempt; a message that a process may have died of waits for the others of its kind.
    private func begin(_ parcel: EnrichmentParcel) async throws -> (Attempt, isInLane: Bool) {
        guard parcel.mayBeRepeated else {
            let attempt = try await attempts.begin(parcel.digest)
            return (attempt, false)
        }
        try await lane.enter()
        do {
            let attempt = try await attempts.begin(parcel.digest)
            if attempt.count > 1 { return (attempt, true) }
            lane.leave()
            return (attempt, false)
        } catch {
            lane.leave()
            throw error
        }
    }

    private func handle(_ parcel: EnrichmentParcel, _ attempt: Attempt, _ started: Duration) async -> ParcelEnd {
        let end: ParcelEnd
        do {
            try await withinHold(parcel) { try await work(on: parcel, attempt, started) }
            end = .done
        } catch is CancellationError {
            end = .givenBack
        } catch let error as Patience.Exhausted {
            end = .later(reason: "\(error.last)")
        } catch is HoldIsOver {
            end = .later(reason: "the enrichment takes longer than a message may be held")
        } catch {
            end = .later(reason: "\(error)")
        }
        await attempts.end(parcel.digest)
        return end
    }

    private struct HoldIsOver: Error {}

    /// A broker closes the channel of whoever holds a message for half an hour.
    private func withinHold(_ parcel: EnrichmentParcel, _ body: @escaping @Sendable () async throws -> Void)
        async throws
    {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await time.sleep(untilUptime: parcel.holdUntil)
                throw HoldIsOver()
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func work(on parcel: EnrichmentParcel, _ attempt: Attempt, _ started: Duration) async throws {
        let patience = Patience(time: time, until: parcel.holdUntil) { events.waits(for: $0) }
        if let size = parcel.cutFrom {
            let reason = "The message has \(size) bytes, more than this connector keeps in memory."
            return try await refuse(
                parcel, "enrichment.too_large", reason, work: EnrichmentMessage.workID(in: parcel.body), patience,
                started)
        }
        let message: EnrichmentMessage
        do throws(EnrichmentMessageError) { message = try EnrichmentMessage(parsing: parcel.body) } catch {
            return try await refuse(parcel, error.code, error.reason, work: error.workID, patience, started)
        }
        if attempt.count > Self.maxAttempts {
            let reason =
                "This request ended the connector \(Self.maxAttempts) times and was put aside. Look at it with "
                + "`sallyport dlq`."
            return try await refuse(
                parcel, "enrichment.crashed", reason, work: message.workID, patience, started,
                attempts: attempt.count - 1)
        }
        let mayBeRepeated = parcel.mayBeRepeated || attempt.count > 1
        if mayBeRepeated, let work = message.workID {
            switch try await patience({ try await works.progress(of: work) }) {
            case .processed:
                events.isDone(work: work)
                return events.ended(.unchanged, after: time.uptime - started)
            case .taken(let count):
                // The answer itself is lost with the process that had it; looking it up again would find our own stamp.
                let text = "The enrichment was completed before the connector was restarted (\(count) objects)."
                try await patience { try await works.processed(work, text) }
                events.isDone(work: work)
                return events.ended(.unchanged, after: time.uptime - started)
            case .gone: return events.ended(.skipped, after: time.uptime - started)
            case .hidden, .open: break
            }
        }
        let run = EnrichmentRun(
            worker: self, message: message, patience: patience, mayBeRepeated: mayBeRepeated,
            received: parcel.received, time: Self.time(of: message, attempt), digest: parcel.digest)
        longWorks.began(message.workID, at: time.uptime)
        defer { longWorks.ended(message.workID) }
        let outcome: Outcome
        let records: Int
        do {
            (outcome, records) = try await run.run()
        } catch let error as CancellationError {
            throw error
        } catch let error as Patience.Exhausted {
            throw error
        } catch {
            // Nothing that waiting mends: the analyst reads why.
            let text = (error as? any ActionableError)?.description ?? "\(error)"
            let code = (error as? any ActionableError)?.code ?? "enrichment.failed"
            return try await refuse(parcel, code, text, work: message.workID, patience, started)
        }
        events.ended(outcome, after: time.uptime - started, records: records)
    }

    /// When the platform asked, where that is a moment ago: it is the same for each try. After a long wait in the queue it
    /// would make what is found out now look old.
    private static func time(of message: EnrichmentMessage, _ attempt: Attempt) -> Instant {
        guard let asked = message.asked, asked <= attempt.first, asked.duration(to: attempt.first) < .seconds(300)
        else { return attempt.first }
        return asked
    }

    /// Puts the message aside for a person and says so in its work.
    func refuse(
        _ parcel: EnrichmentParcel, _ code: ErrorCode, _ reason: String, work: String?, _ patience: Patience,
        _ started: Duration, attempts: Int = 1
    ) async throws {
        events.deadLettered(code, reason, work: work)
        let now = time.now
        var commit = FlowCommit(flow: flow, target: target, fencingToken: fencingToken)
        commit.deadLetters = [
            DeadLetter(
                flow: flow, source: parcel.digest, fingerprint: parcel.digest, code: code.text, reason: reason,
                position: work ?? "", input: parcel.body, attempts: attempts, firstSeen: parcel.received, lastSeen: now)
        ]
        let letters = commit
        try await patience { try await store.commit(letters) }
        do {
            try await patience { try await works.processed(work, reason, isError: true) }
        } catch let error as OpenCTIError {
            // The message is kept; that its work can't be reported must not hold the queue up.
            events.reportFailed(error, work: work)
        }
        events.ended(.deadLettered, after: time.uptime - started)
    }
}

/// Works under way, so that the platform hears of those that take long. Source: OpenCTI protocol, 5.1.
final class LongWorks: Sendable {
    private static let period = Duration.seconds(300)
    private let heard = Mutex<[String: Duration]>([:])

    func began(_ work: String?, at uptime: Duration) {
        guard let work else { return }
        heard.withLock { $0[work] = uptime }
    }

    func ended(_ work: String?) {
        guard let work else { return }
        heard.withLock { _ = $0.removeValue(forKey: work) }
    }

    /// Those not heard of for five minutes; they count as heard of from now on.
    func due(at uptime: Duration) -> [String] {
        heard.withLock { heard in
            let due = heard.filter { uptime - $0.value >= Self.period }.map(\.key)
            for work in due { heard[work] = uptime }
            return due
        }
    }
}
