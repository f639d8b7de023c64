// SPDX-License-Identifier: Apache-2.0

import Falcon
import JSON

/// Creates IOCs so that they stand as given, whether they were there or not.
///
/// A batch is created; if Falcon refuses it, what exists already is looked up: ours is updated, others' is left alone unless we
/// may adopt it, and the rest is created again, halved down to what is not acceptable.
struct IOCWriter {
    struct Refused: Sendable {
        let value: String
        let code: Int
        let reason: String
    }

    struct Written: Sendable {
        var resources: [JSONValue] = []
        var refused: [Refused] = []

        mutating func merge(_ other: Written) {
            resources += other.resources
            refused += other.refused
        }
    }

    private let actions: FalconActions
    private var falcon: FalconClient { actions.falcon }
    private static let options = FalconClient.IOCWriteOptions(ignoresWarnings: true)

    init(_ actions: FalconActions) { self.actions = actions }

    /// - Throws: `FalconError` for what stops everything.
    func write(_ payloads: [JSONObject]) async throws -> Written {
        var written = Written()
        let size = actions.options.indicatorBatch
        for start in stride(from: 0, to: payloads.count, by: size) {
            written.merge(try await create(Array(payloads[start..<min(start + size, payloads.count)]), isFirst: true))
        }
        return written
    }

    private func create(_ payloads: [JSONObject], isFirst: Bool) async throws -> Written {
        guard !payloads.isEmpty else { return Written() }
        do throws(FalconError) {
            let answer = try await falcon.createIndicators(payloads.map { .object($0) }, Self.options)
            return Written(
                resources: answer.resources,
                refused: answer.errors.map { Refused(value: $0.id ?? "", code: $0.code, reason: $0.message) })
        } catch {
            // Nobody knows whether it was done: what is there now tells.
            guard error.isAboutItems || error.isOutcomeUnknown else { throw error }
            if isFirst { return try await settle(payloads, after: error) }
            guard error.isAboutItems else { throw error }
            if payloads.count == 1 {
                return Written(refused: [Self.refused(payloads[0], error)])
            }
            let middle = payloads.count / 2
            var written = try await create(Array(payloads[..<middle]), isFirst: false)
            written.merge(try await create(Array(payloads[middle...]), isFirst: false))
            return written
        }
    }

    /// Sorts a refused batch by what Falcon holds.
    private func settle(_ payloads: [JSONObject], after error: FalconError) async throws -> Written {
        let existing = try await existing(payloads)
        guard !existing.isEmpty || payloads.count > 1 || !error.isAboutItems else {
            return Written(refused: [Self.refused(payloads[0], error)])
        }
        var written = Written()
        var new: [JSONObject] = []
        var updates: [JSONObject] = []
        for payload in payloads {
            guard let there = existing[Self.key(.object(payload))] else {
                new.append(payload)
                continue
            }
            guard actions.options.adoptsAny || actions.isOurs(there) else {
                let maker = there["created_by"]?.string ?? "somebody else"
                written.refused.append(
                    Refused(
                        value: Self.text(payload, "value"), code: 409,
                        reason: "Falcon has it already, made by \(maker); it was left alone"))
                continue
            }
            var update: JSONObject = ["id": there["id"] ?? ""]
            for (name, value) in payload where name != "type" && name != "value" { update[name] = value }
            updates.append(update)
        }
        written.merge(try await self.update(updates))
        written.merge(try await create(new, isFirst: false))
        return written
    }

    private func update(_ updates: [JSONObject]) async throws -> Written {
        let result = try await actions.inParts(
            updates, of: actions.options.indicatorBatch, name: { Self.text($0, "id") },
            call: { updates throws(FalconError) in
                try await falcon.updateIndicators(updates.map { .object($0) }, Self.options)
            })
        return Written(
            resources: result.resources,
            refused: result.errors.map { Refused(value: $0.id ?? "", code: $0.code, reason: $0.message) })
    }

    /// What of these Falcon holds, by type and value.
    private func existing(_ payloads: [JSONObject]) async throws -> [String: JSONValue] {
        var found: [String: JSONValue] = [:]
        let byType = Dictionary(grouping: payloads) { Self.text($0, "type") }
        for (type, payloads) in byType {
            for start in stride(from: 0, to: payloads.count, by: 100) {
                let values = payloads[start..<min(start + 100, payloads.count)].map { Self.text($0, "value") }
                // A value that no filter can name was never accepted by Falcon.
                guard let filter = try? FQL.any(.value, values) && FQL.exact(.type, type) && FQL.flag(.deleted, false)
                else { continue }
                let ids = try await falcon.queryIndicators(filter.text, limit: 500).rows
                guard !ids.isEmpty else { continue }
                for part in FalconClient.chunks(of: ids) {
                    for indicator in try await falcon.indicators(Array(part)).resources
                    where indicator["deleted"]?.bool != true { found[Self.key(indicator)] = indicator }
                }
            }
        }
        return found
    }

    private static func key(_ indicator: JSONValue) -> String {
        "\(indicator["type"]?.string ?? "")/\((indicator["value"]?.string ?? "").lowercased())"
    }

    private static func text(_ object: JSONObject, _ name: String) -> String { object[name]?.string ?? "" }

    private static func refused(_ payload: JSONObject, _ error: FalconError) -> Refused {
        Refused(
            value: text(payload, "value"), code: error.status,
            reason: error.messages.first?.message ?? error.description)
    }
}
