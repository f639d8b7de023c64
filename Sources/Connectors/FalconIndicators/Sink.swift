// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import HTTPClient
import JSON
import OpenCTI
import STIX
import Telemetry

/// Writes operations to Falcon's IOC management: one call for up to two hundred of them.
///
/// Falcon refuses a create as a whole for one bad or duplicate item. The refused batch is looked up: what is ours is
/// updated instead, what is somebody else's is reported, and the rest is tried again, halved until the offending item
/// stands alone. So nothing depends on the wording of a refusal, and a create whose answer was lost mends itself.
///
/// Source: Falcon API surface, 4.2 and 4.4.
struct FalconSink: FlowSink {
    struct Policy: Sendable {
        /// Creators whose indicators are ours.
        var ownClientIDs: Set<String>
        /// Take over everybody's.
        var adoptsAny = false
        /// Most indicators of ours.
        var ceiling = 1_000_000
    }

    let falcon: FalconClient
    let policy: Policy
    let model: IOCModel
    let platform: PlatformQuestions
    let quota: Quota
    let time: any TimeSource
    let log: Log

    /// One operation on its way, with its place in the batch.
    struct Pending: Sendable {
        let index: Int
        let operation: Operation
        let content: IOCContent
        var name: String { Self.name(content.type.description, content.value) }
        /// Falcon returns values as it keeps them: compared without case.
        static func name(_ type: String, _ value: String) -> String { "\(type) \(value.lowercased())" }
    }

    func deliver(_ batch: OperationBatch) async -> [OperationResult] {
        var results = [OperationResult](
            repeating: .refused(code: "falcon.content", reason: "the ledger's content can't be read"),
            count: batch.operations.count)
        var pending: [Pending] = []
        for (index, operation) in batch.operations.enumerated() {
            guard let content = IOCContent(encoded: operation.content) else { continue }
            pending.append(Pending(index: index, operation: operation, content: content))
        }
        switch batch.kind {
        case .create: await create(pending, &results)
        case .update: await update(pending, &results)
        case .delete: await delete(pending, &results)
        }
        return results
    }

    // MARK: Create

    private func create(_ pending: [Pending], _ results: inout [OperationResult]) async {
        guard !pending.isEmpty else { return }
        let room = await quota.room(for: pending.count, in: self)
        for held in pending[room...] {
            results[held.index] = .unavailable(
                after: .seconds(60), code: "falcon.quota",
                reason: "The ceiling of \(policy.ceiling) indicators is reached. Creating waits; nothing is lost.")
        }
        await post(Array(pending[..<room]), &results)
    }

    private func post(_ pending: [Pending], _ results: inout [OperationResult]) async {
        guard !pending.isEmpty else { return }
        var body = IOCBatch(comment: IOCContent.comment)
        for each in pending {
            var writer = JSONWriter(reserving: 512)
            each.content.writeCreate(to: &writer)
            body.append(writer.bytes)
        }
        do throws(FalconError) {
            let reply = try await falcon.createIOCs(body)
            await match(pending, with: reply, &results)
        } catch {
            switch error {
            case .badRequest, .conflict: await resolve(pending, refusedWith: error, &results)
            case .tooLarge where pending.count > 1: await halve(pending, &results) { await post($0, &$1) }
            case .quotaExceeded:
                await quota.isExceeded()
                fail(pending, error, &results)
            default: fail(pending, error, &results)
            }
        }
    }

    /// Falcon may take only a part: what it returned is matched by type and value, the rest is looked up.
    private func match(_ pending: [Pending], with reply: IOCReply, _ results: inout [OperationResult]) async {
        var ids: [String: String] = [:]
        ids.reserveCapacity(reply.rows.count)
        for row in reply.rows { ids[Pending.name(row.type, row.value)] = row.id }
        var missing: [Pending] = []
        for (place, each) in pending.enumerated() {
            // The usual answer has the order of the request: no name is built for it.
            if place < reply.rows.count, reply.rows[place].value == each.content.value,
                reply.rows[place].type == each.content.type.description
            {
                results[each.index] = .applied(remoteID: reply.rows[place].id)
            } else if let id = ids[each.name] {
                results[each.index] = .applied(remoteID: id)
            } else {
                missing.append(each)
            }
        }
        guard !missing.isEmpty else { return }
        let refusal = FalconError.badRequest(reply.errors, traceID: reply.traceID)
        await resolve(missing, refusedWith: refusal, &results)
    }

    /// Finds out which of the refused items are there already.
    private func resolve(
        _ pending: [Pending], refusedWith refusal: FalconError, _ results: inout [OperationResult]
    ) async {
        let found: [String: IOCRow]
        do throws(FalconError) { found = try await lookUp(pending.map(\.content.value)) } catch {
            fail(pending, error, &results)
            return
        }
        var ours: [Pending] = []
        var others: [Pending] = []
        for each in pending {
            guard let row = found[each.name] else {
                others.append(each)
                continue
            }
            guard isOurs(row) else {
                results[each.index] = .refused(
                    code: "foreign",
                    reason: "Falcon holds this value already, created by \(row.createdBy). Left alone; "
                        + "`adopt: any` or `owned_client_ids` would take it over.")
                continue
            }
            var operation = each.operation
            operation.remoteID = row.id
            ours.append(Pending(index: each.index, operation: operation, content: each.content))
        }
        await update(ours, &results)
        if others.count == pending.count {
            // None is a duplicate: at least one item itself is not acceptable.
            guard others.count > 1 else {
                for each in others {
                    results[each.index] = .refused(code: refusal.code.text, reason: refusal.description)
                }
                return
            }
            await halve(others, &results) { await post($0, &$1) }
        } else {
            await post(others, &results)
        }
    }

    // MARK: Update

    private func update(_ pending: [Pending], _ results: inout [OperationResult]) async {
        guard !pending.isEmpty else { return }
        var body = IOCBatch(comment: IOCContent.comment)
        let now = time.now
        for each in pending {
            var content = each.content
            // A removal must not carry an end that lies in the past: the API may refuse it.
            if content.isMarked, case .at(let end) = content.expiration, end <= now { content.expiration = .asItIs }
            var writer = JSONWriter(reserving: 512)
            content.writeUpdate(id: each.operation.remoteID, to: &writer)
            body.append(writer.bytes)
        }
        do throws(FalconError) {
            let reply = try await falcon.updateIOCs(body)
            var known = Set(reply.rows.map(\.id))
            let gone = Set(reply.errors.filter { $0.code == 404 }.compactMap(\.id))
            // Some answers name no resources at all: without an error that is success.
            if reply.rows.isEmpty, reply.errors.isEmpty { known = Set(pending.map(\.operation.remoteID)) }
            var unclear: [Pending] = []
            for each in pending {
                let id = each.operation.remoteID
                if known.contains(id) {
                    results[each.index] = .applied(remoteID: id)
                } else if gone.contains(id) {
                    results[each.index] = .missing
                } else {
                    unclear.append(each)
                }
            }
            await settle(unclear, .badRequest(reply.errors, traceID: reply.traceID), &results)
        } catch {
            switch error {
            case .badRequest, .notFound, .conflict: await settle(pending, error, &results)
            case .tooLarge where pending.count > 1: await halve(pending, &results) { await update($0, &$1) }
            default: fail(pending, error, &results)
            }
        }
    }

    /// Separates what is gone from what is refused.
    private func settle(_ pending: [Pending], _ refusal: FalconError, _ results: inout [OperationResult]) async {
        guard !pending.isEmpty else { return }
        guard pending.count == 1 else { return await halve(pending, &results) { await update($0, &$1) } }
        let each = pending[0]
        if case .notFound = refusal {
            results[each.index] = .missing
            return
        }
        do throws(FalconError) {
            let exists = try await falcon.iocs([each.operation.remoteID]).contains { !$0.row.isDeleted }
            results[each.index] =
                exists ? .refused(code: refusal.code.text, reason: refusal.description) : .missing
        } catch {
            fail(pending, error, &results)
        }
    }

    // MARK: Delete

    private func delete(_ pending: [Pending], _ results: inout [OperationResult]) async {
        var known: [Pending] = []
        var blind: [Pending] = []
        for each in pending { if each.operation.isBlind { blind.append(each) } else { known.append(each) } }
        if !blind.isEmpty {
            do throws(FalconError) {
                let found = try await lookUp(blind.map(\.content.value))
                for each in blind {
                    guard let row = found[each.name], isOurs(row) else {
                        results[each.index] = .missing
                        continue
                    }
                    var operation = each.operation
                    operation.remoteID = row.id
                    known.append(Pending(index: each.index, operation: operation, content: each.content))
                }
            } catch {
                fail(blind, error, &results)
            }
        }
        let byID = Dictionary(known.map { ($0.operation.remoteID, $0) }) { first, _ in first }
        for ids in FalconClient.chunks(of: known.map(\.operation.remoteID)) {
            let part = ids.compactMap { byID[$0] }
            do throws(FalconError) {
                let errors = try await falcon.deleteIOCs(Array(ids), comment: IOCContent.comment)
                let refused = Dictionary(errors.map { ($0.id ?? "", $0.message) }) { first, _ in first }
                if let message = refused[""] {
                    // An error that names no id may be about any of them.
                    if part.count > 1 { return await halve(part, &results) { await delete($0, &$1) } }
                    fail(part, .badRequest([FalconMessage(code: 400, message: message)], traceID: nil), &results)
                    continue
                }
                for each in part {
                    results[each.index] =
                        refused[each.operation.remoteID].map { .refused(code: "falcon.bad_request", reason: $0) }
                        ?? .applied(remoteID: "")
                }
            } catch {
                switch error {
                case .notFound: for each in part { results[each.index] = .missing }
                case .badRequest where part.count > 1: await halve(part, &results) { await delete($0, &$1) }
                default: fail(part, error, &results)
                }
            }
        }
    }

    // MARK: Common

    private func isOurs(_ row: IOCRow) -> Bool { policy.adoptsAny || policy.ownClientIDs.contains(row.createdBy) }

    /// Indicators with these values that are not deleted, by type and value. One call for up to a hundred, fewer where
    /// long values would make its address too long.
    private func lookUp(_ values: [String]) async throws(FalconError) -> [String: IOCRow] {
        var found: [String: IOCRow] = [:]
        var start = 0
        while start < values.count {
            var end = start
            var length = 0
            while end < min(start + 100, values.count) {
                // Quotes and comma, percent-encoded.
                length += values[end].utf8.count + 9
                guard length <= 16_000 || end == start else { break }
                end += 1
            }
            let filter: FQL
            do throws(FQL.Refusal) {
                filter = try FQL.any(.value, Array(values[start..<end])) && FQL.flag(.deleted, false)
            } catch {
                throw .configuration(error.description)
            }
            start = end
            var after: String?
            repeat {
                let page = try await falcon.combinedRows(filter, after: after)
                for row in page.rows where !row.isDeleted {
                    let name = Pending.name(row.type, row.value)
                    // Where both ours and somebody else's is there, ours is the one to work on.
                    if let known = found[name], isOurs(known) { continue }
                    found[name] = row
                }
                after = page.rows.isEmpty || page.rows.count < FalconClient.maxPage ? nil : page.after
            } while after != nil
        }
        return found
    }

    private func halve(
        _ pending: [Pending], _ results: inout [OperationResult],
        _ each: ([Pending], inout [OperationResult]) async -> Void
    ) async {
        let middle = pending.count / 2
        await each(Array(pending[..<middle]), &results)
        await each(Array(pending[middle...]), &results)
    }

    private func fail(_ pending: [Pending], _ error: FalconError, _ results: inout [OperationResult]) {
        let result = Self.result(of: error)
        for each in pending { results[each.index] = result }
    }

    /// What a failure means for the operations of the call.
    static func result(of error: FalconError) -> OperationResult {
        let code = error.code.text
        let reason = error.description
        return switch error {
        case .rateLimited(let wait): .unavailable(after: wait ?? .seconds(5), code: code, reason: reason)
        case .transport(let cause):
            .unavailable(after: .seconds(cause.isRetryable ? 2 : 30), code: code, reason: reason)
        case .credentialsRefused, .unauthorized, .missingScope, .configuration, .redirected:
            .unavailable(after: .seconds(30), code: code, reason: reason)
        case .quotaExceeded: .unavailable(after: .seconds(60), code: code, reason: reason)
        case .unavailable, .malformed, .tooLarge: .retry(after: .seconds(1), code: code, reason: reason)
        case .badRequest, .notFound, .conflict: .refused(code: code, reason: reason)
        }
    }

    func holding(_ key: Digest128, removal: [UInt8], source: Digest128) async -> FlowCore.Holding {
        guard let content = IOCContent(encoded: removal) else { return .unknown }
        return await platform.holding(content, besides: source, model: model)
    }
}
