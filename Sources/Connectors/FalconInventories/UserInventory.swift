// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import OCSF

/// Reads people: of the directories that Identity Protection watches, or of the Falcon console. Each source moves its own
/// checkpoint. Source: Sekoia.io module, 3.4 and 3.5.
struct UserInventory {
    let falcon: FalconClient
    let source: InventorySettings.UserSource
    let sendsUpdates: Bool
    let checkpoints: Checkpoints
    let events: InventoryEvents
    let emit: ([InventoryEvent]) async throws -> Void

    /// So many people may leave the console's list between two pages without one being passed over.
    private static let overlap = 20

    /// - Returns: how many events were sent.
    func cycle() async throws -> Int {
        switch source {
        case .identity: return try await directory()
        case .console: return try await console()
        case .auto:
            do {
                let count = try await directory()
                events.hint("source", nil)
                return count
            } catch let refusal as Refused {
                events.hint(
                    "source",
                    "The API client may not read Identity Protection (\(refusal.reason)): the console's users are sent instead"
                )
                return try await console()
            }
        }
    }

    /// Permission or licence is missing, which is no trouble but an answer.
    private struct Refused: Error, CustomStringConvertible {
        let reason: String
        var description: String { "Falcon refuses its directory users: \(reason)" }
    }

    private func directory() async throws -> Int {
        let last = sendsUpdates ? nil : await checkpoints.value(Checkpoints.identity)
        var newest = await checkpoints.value(Checkpoints.identity)
        var cursor: String?
        var count = 0
        repeat {
            let page: IdentityPage<IdentityUser>
            do throws(FalconError) { page = try await falcon.identityUsers(after: cursor) { IdentityUser($0) } } catch {
                switch error {
                case .missingScope, .notFound: throw Refused(reason: error.code.text)
                default: throw error
                }
            }
            if page.isRefused { throw Refused(reason: page.problems[0]) }
            if let problem = page.problems.first {
                throw FalconError.malformed(
                    operation: "falcon.identity_graphql", reason: "GraphQL errors: \(problem)", traceID: nil)
            }
            let fresh = page.rows.filter { user in
                guard let last, let created = user.creationTime else { return true }
                return created > last
            }
            if !fresh.isEmpty { try await emit(fresh.map { UserMapping.event($0) }) }
            count += fresh.count
            newest = ([newest] + page.rows.map(\.creationTime)).compactMap { $0 }.max()
            cursor = page.endCursor
        } while cursor != nil
        if let newest { try await checkpoints.set([Checkpoints.identity: newest]) }
        return count
    }

    private func console() async throws -> Int {
        let last = await checkpoints.value(Checkpoints.user)
        let since = await checkpoints.value(Checkpoints.since)
        var newest: (id: String, created: String)?
        var seen: Set<String> = []
        var offset: Int64?
        var count = 0
        pages: while true {
            let page = try await falcon.queryUsers(sort: "created_at|desc", limit: 100, offset: offset)
            let listed = page.ids.filter { seen.insert($0).inserted }
            let end = sendsUpdates ? nil : last.flatMap { listed.firstIndex(of: $0) }
            let ids = Array(listed[..<(end ?? listed.endIndex)])
            for start in stride(from: 0, to: ids.count, by: FalconClient.maxUsers) {
                let part = Array(ids[start..<min(start + FalconClient.maxUsers, ids.count)])
                let users = try await falcon.users(part) { ConsoleUser($0) }.rows
                if newest == nil, let first = part.first {
                    newest = (first, users.first { $0.uuid == first }?.createdAt ?? "")
                }
                // The user of the checkpoint may be gone: those older than it have been sent.
                let fresh = users.filter { user in
                    guard !sendsUpdates, last != nil, let since, let created = user.createdAt, !created.isEmpty
                    else { return true }
                    return created >= since
                }
                let list = fresh.compactMap { UserMapping.event($0) }
                if !list.isEmpty { try await emit(list) }
                count += list.count
                if fresh.count < users.count { break pages }
            }
            guard end == nil, let next = page.next.flatMap({ Int64($0) }) else { break }
            // Somebody who leaves the list meanwhile moves all behind forward, so pages overlap.
            offset = max(0, next - Int64(min(Self.overlap, page.ids.count / 2)))
        }
        if let newest {
            try await checkpoints.set([
                Checkpoints.user: newest.id, Checkpoints.since: newest.created.isEmpty ? nil : newest.created,
            ])
        }
        return count
    }
}
