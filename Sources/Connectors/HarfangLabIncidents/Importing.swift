// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Engine
import Hashing
import JSON
import OpenCTI
import STIX
import Storage
import Synchronization

/// The way to the platform, as far as an import needs it.
protocol BundleSending: Sendable {
    /// Returns when whoever took it is responsible for it.
    ///
    /// - Returns: false when the work was deleted in the console: nothing was sent.
    func send(_ objects: [STIXObject], bundleID: String, work: String?, isRepeated: Bool) async throws -> Bool
}

/// Reports of runs.
protocol WorkReporting: Sendable {
    func begin(_ name: String) async throws -> String?
    func end(_ work: String, _ message: String, isError: Bool) async throws
}

/// The work of the run at hand: begun with the first thing to send, ended with an honest result, also when the platform
/// can't be told at once or the process ends before.
actor RunWork {
    private struct Ending {
        let work: String
        let message: String
        let isError: Bool
    }

    private let works: any WorkReporting
    private let name: String
    /// Makes the work at hand durable; `nil` when there is none.
    private let keep: @Sendable (String?) async -> Void
    /// Shared by everybody who asks while it is being made.
    private var beginning: Task<String?, any Error>?
    /// Works that the platform has not yet been told of.
    private var endings: [Ending] = []

    /// - Parameter unfinished: the work that an earlier process left open.
    init(
        _ works: any WorkReporting, name: String, unfinished: String? = nil,
        keep: @escaping @Sendable (String?) async -> Void = { _ in }
    ) {
        self.works = works
        self.name = name
        self.keep = keep
        if let unfinished {
            endings = [
                Ending(work: unfinished, message: "The process ended before this run did.", isError: true)
            ]
        }
    }

    /// The work's id; `nil` where works are off.
    func current() async throws -> String? {
        if let beginning { return try await beginning.value }
        let task = Task { [works, name, keep] in
            let work = try await works.begin(name)
            await keep(work)
            return work
        }
        beginning = task
        do { return try await task.value } catch {
            if beginning == task { beginning = nil }
            throw error
        }
    }

    /// Somebody deleted it in the console: what follows gets a new one.
    func isGone(_ id: String?) async {
        guard let task = beginning, (try? await task.value) == id, beginning == task else { return }
        beginning = nil
    }

    /// Ends the work at hand, if there is one, and whatever could not be ended before.
    func end(_ message: String, isError: Bool) async throws {
        if let task = beginning {
            beginning = nil
            if let work = try? await task.value {
                endings.append(Ending(work: work, message: message, isError: isError))
            }
        }
        guard !endings.isEmpty else { return }
        while let next = endings.first {
            try await works.end(next.work, next.message, isError: next.isError)
            if endings.first?.work == next.work { endings.removeFirst() }
        }
        await keep(nil)
    }
}

/// Records in, bundles out. A record is the JSON text of a list of STIX objects.
struct IncidentSink: FlowSink {
    let push: any BundleSending
    let work: RunWork
    /// Author and markings, in each bundle.
    let frame: [STIXObject]

    func deliver(_ batch: OperationBatch) async -> [OperationResult] {
        batch.operations.map { _ in .refused(code: "engine.state", reason: "an import keeps no state at the platform") }
    }

    func append(_ batch: RecordBatch) async -> RecordResult {
        var bundle = STIXBundle(id: Self.bundleID(batch))
        for record in batch.records {
            guard let values = (try? JSONValue(parsing: record))?.array else { continue }
            bundle.append(contentsOf: values.compactMap { $0.object.flatMap { STIXObject($0) } })
        }
        bundle.append(contentsOf: frame)
        do {
            while true {
                let id = try await work.current()
                if try await push.send(bundle.objects, bundleID: bundle.id, work: id, isRepeated: true) { break }
                await work.isGone(id)
            }
            return .appended(refused: [:])
        } catch let error as any ActionableError {
            return .retry(
                after: .seconds(error.isRetryable ? 5 : 30), code: error.code.text, reason: error.description)
        } catch {
            return .retry(after: .seconds(30), code: "bundle.send", reason: "\(error)")
        }
    }

    /// The same for each try of one batch.
    private static func bundleID(_ batch: RecordBatch) -> String {
        let bytes = batch.records.flatMap { record in
            let digest = hasher.digest(record)
            return digest.withUnsafeBytes { Array($0) }
        }
        return "bundle--" + UUIDv5.make(namespace: DeterministicID.namespace, name: bytes).uuidDescription
    }

    private static let hasher = SharedKeyHasher()
}

/// What tells the flow core about imports: records alone, so that a digest for dead letters is all it needs.
final class ImportModel: StateModel {
    private let hasher = SharedKeyHasher()

    func merged(_ owners: [LedgerOwner]) -> [UInt8] { [] }
    func removal(of contribution: [UInt8], by template: [UInt8]) -> [UInt8] { contribution }
    func remainder(of removal: [UInt8]) -> Remainder { .nothing }
    func digest(of content: [UInt8]) -> Digest128 { hasher.digest(content) }
    func subject(of content: [UInt8]) -> GuardSubject { .other }
}
