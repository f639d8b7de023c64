// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Storage

/// A person's wish to have one sample triaged by the service that holds the state, and what comes of it. It stands in the
/// flow's values, where both processes see it.
struct TriageRequest: Sendable, Hashable {
    enum State: String, Sendable {
        /// By a command.
        case asked
        /// The service has seen it.
        case taken
        case ended
    }

    /// What happens next, as a terminal shows it.
    struct Step: Sendable, Hashable {
        let name: String
        let detail: String
    }

    var state = State.asked
    var steps: [Step] = []
    /// Of the sample, in the end; `nil`: it was left where it stands.
    var outcome: SampleOutcome?
    /// Why it could not be carried out at all.
    var failure: String?
    var changed: Instant

    init(at changed: Instant) { self.changed = changed }
}

/// The requests of a flow, as they are stored.
struct RequestBook: Sendable {
    private static let prefix = "request."
    private static let sign = "requests.alive"

    let store: any StateStore
    let flow: Int64

    func all() async throws(StorageError) -> [String: TriageRequest] {
        var requests: [String: TriageRequest] = [:]
        for (name, bytes) in try await store.values(flow: flow) where name.hasPrefix(Self.prefix) {
            requests[String(name.dropFirst(Self.prefix.count))] = TriageRequest(stored: bytes)
        }
        return requests
    }

    /// `nil` removes it.
    func set(_ request: TriageRequest?, of sha256: String) async throws(StorageError) {
        try await store.setValues(flow: flow, [Self.prefix + sha256: request?.stored])
    }

    /// A sign of life of the service, which changes while there are requests.
    func beat(at now: Instant) async throws(StorageError) {
        try await store.setValues(flow: flow, [Self.sign: Array(now.description.utf8)])
    }

    func signOfLife() async throws(StorageError) -> [UInt8]? { try await store.values(flow: flow)[Self.sign] }

    /// What is known of a sample.
    func record(_ sha256: String) async throws(StorageError) -> SampleRecord? {
        try await store.job(runner: SampleBook.runner(flow), id: sha256).flatMap { SampleRecord(stored: $0.payload) }
    }
}

extension TriageRequest {
    /// `nil` when it is none of ours.
    fileprivate init?(stored bytes: [UInt8]) {
        guard let json = try? JSONValue(parsing: bytes),
            let state = json["state"]?.string.flatMap({ State(rawValue: $0) })
        else { return nil }
        self.init(at: Instant(milliseconds: json["changed"]?.int ?? 0))
        self.state = state
        steps = (json["steps"]?.array ?? []).map {
            Step(name: $0["step"]?.string ?? "", detail: $0["detail"]?.string ?? "")
        }
        outcome = json["outcome"]?.string.flatMap { SampleOutcome(rawValue: $0) }
        failure = json["failure"]?.string
    }

    fileprivate var stored: [UInt8] {
        var json: JSONObject = ["state": .string(state.rawValue), "changed": .int(changed.milliseconds)]
        json["steps"] = .array(steps.map { ["step": .string($0.name), "detail": .string($0.detail)] })
        json["outcome"] = outcome.map { .string($0.rawValue) }
        json["failure"] = failure.map { .string($0) }
        return JSONValue.object(json).bytes
    }
}
