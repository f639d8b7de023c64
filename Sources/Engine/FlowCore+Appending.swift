// SPDX-License-Identifier: Apache-2.0

import Base
import Storage

/// Records for one call, in order.
public struct RecordBatch: Sendable {
    public let id: UInt64
    public let records: [[UInt8]]
}

public enum RecordResult: Sendable, Hashable {
    /// Taken, but for the refused ones: index in the batch → reason.
    case appended(refused: [Int: String])
    case retry(after: Duration, code: String, reason: String)
}

public enum ActResult: Sendable, Hashable {
    case done(remoteID: String)
    case refused(code: String, reason: String)
    /// Nobody can tell whether it happened; a person must look.
    case parked(reason: String)
    case retry(after: Duration, code: String, reason: String)
}

/// Records on their way: never folded, in order within a batch. A batch that fails is sent again as it was.
struct RecordLane: Sendable {
    struct Waiting: Sendable {
        let reference: EffectReference
        let bytes: [UInt8]
    }
    struct UnderWay: Sendable {
        let records: [Waiting]
        var retryAt: Duration?
    }
    var waiting: [Waiting] = []
    var waitingBytes = 0
    var underWay: [UInt64: UnderWay] = [:]
    var nextID: UInt64 = 1
    var since: Duration = .zero
    var nextTry: Duration? { underWay.values.compactMap(\.retryAt).min() }

    mutating func append(_ bytes: [UInt8], for reference: EffectReference) {
        waiting.append(Waiting(reference: reference, bytes: bytes))
        waitingBytes += bytes.count
    }
}

/// Acts on their way, each its own call.
struct ActLane: Sendable {
    struct Waiting: Sendable {
        let reference: EffectReference
        let act: Act
    }
    var waiting: [Waiting] = []
    var underWay: [UInt64: Waiting] = [:]
    var nextID: UInt64 = 1

    mutating func append(_ act: Act, for reference: EffectReference) {
        waiting.append(Waiting(reference: reference, act: act))
    }
}

extension FlowCore {
    // A batch goes out as soon as a place is free: with one in flight the others gather behind it, so that batches grow
    // with the target's latency by themselves.
    mutating func startRecords(at now: Moment) {
        for (id, batch) in records.underWay.sorted(by: { $0.key < $1.key }) {
            guard let retryAt = batch.retryAt, retryAt <= now.uptime else { continue }
            records.underWay[id]?.retryAt = nil
            actions.append(.append(RecordBatch(id: id, records: batch.records.map(\.bytes))))
        }
        let isHeldUp = records.underWay.values.contains { $0.retryAt != nil }
        while !records.waiting.isEmpty, !isHeldUp, records.underWay.count < limits.recordsInFlight {
            var count = 0
            var bytes = 0
            while count < min(limits.recordBatch, records.waiting.count) {
                let next = records.waiting[count].bytes.count
                if count > 0, bytes + next > limits.recordBytes { break }
                bytes += next
                count += 1
            }
            let batch = Array(records.waiting[..<count])
            records.waiting.removeFirst(count)
            records.waitingBytes -= bytes
            let id = records.nextID
            records.nextID += 1
            records.underWay[id] = .init(records: batch)
            accounting.callsSent += 1
            actions.append(.append(RecordBatch(id: id, records: batch.map(\.bytes))))
        }
    }

    /// Takes the answer to an ``Action/append(_:)``.
    public mutating func appended(_ id: UInt64, result: RecordResult, at now: Moment) {
        guard let batch = records.underWay[id] else { return }
        switch result {
        case .appended(let refused):
            records.underWay[id] = nil
            trouble = nil
            successes += 1
            for (index, record) in batch.records.enumerated() {
                if let reason = refused[index] {
                    end(record.reference, .deadLettered, code: "record.refused", reason: reason, key: nil, at: now)
                } else {
                    end(record.reference, .delivered, code: "append", reason: "", key: nil, at: now)
                }
            }
        case .retry(let wait, let code, let reason):
            records.underWay[id]?.retryAt = now.uptime + wait
            accounting.retries += 1
            trouble = Trouble(code: code, reason: reason)
        }
        startRecords(at: now)
        advance(at: now)
        tick(at: now)
    }

    mutating func startActs() {
        while !acts.waiting.isEmpty, acts.underWay.count < limits.maxActs {
            let next = acts.waiting.removeFirst()
            let id = acts.nextID
            acts.nextID += 1
            acts.underWay[id] = next
            accounting.callsSent += 1
            actions.append(.perform(id: id, next.act))
        }
    }

    /// Takes the answer to an ``Action/perform(id:_:)``. The intent was durable before the call, its outcome is now.
    public mutating func acted(_ id: UInt64, result: ActResult, at now: Moment) {
        guard let done = acts.underWay.removeValue(forKey: id) else { return }
        switch result {
        case .done(let remoteID):
            end(done.reference, .delivered, code: done.act.kind, reason: "", key: nil, remoteID: remoteID, at: now)
        case .refused(let code, let reason):
            end(done.reference, .deadLettered, code: code, reason: reason, key: nil, at: now)
        case .parked(let reason):
            end(done.reference, .deadLettered, code: "act.parked", reason: reason, key: nil, at: now)
        case .retry(_, let code, let reason):
            // The runner waits before it answers; the act goes to the end of the lane.
            acts.waiting.append(done)
            accounting.retries += 1
            trouble = Trouble(code: code, reason: reason)
        }
        startActs()
        advance(at: now)
        tick(at: now)
    }
}
