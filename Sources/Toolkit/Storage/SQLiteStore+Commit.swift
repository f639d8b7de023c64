// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

extension SQLiteStore {
    public nonisolated func commit(_ commit: FlowCommit) async throws(StorageError) {
        let ticket = arrivals.withLock { $0.append(commit) }
        try await write(ticket)
    }

    /// Writes everything that has arrived, so that flows which commit at the same time share one transaction and one
    /// fsync. The others then find their result here.
    private func write(_ ticket: UInt64) throws(StorageError) {
        if finished[ticket] == nil {
            let group = arrivals.withLock { $0.takeAll() }
            let results = write(group.map(\.commit))
            for (member, result) in zip(group, results) {
                finished[member.ticket] = result
                if case .success = result { tell(of: member.commit) }
            }
        }
        guard let result = finished.removeValue(forKey: ticket) else {
            throw .failed(reason: "a commit was lost before it was written")  // No path leads here.
        }
        try result.get()
    }

    public func watch(target: Int64, for flow: Int64, _ heed: (@Sendable ([Digest128]) -> Void)?) {
        watchers[target, default: [:]][flow] = heed
    }

    /// Before anybody's commit returns: a flow that learns of its own commit has heard of those before it.
    private func tell(of commit: FlowCommit) {
        guard let watchers = watchers[commit.target], watchers.contains(where: { $0.key != commit.flow }) else {
            return
        }
        let keys = commit.entries.map(\.key) + commit.owners.map(\.key)
        guard !keys.isEmpty else { return }
        for (flow, heed) in watchers where flow != commit.flow { heed(keys) }
    }

    /// All in one transaction; if that fails, each by itself, so that no flow pays for another's fault.
    private func write(_ commits: [FlowCommit]) -> [Result<Void, StorageError>] {
        do throws(StorageError) {
            try transact(commits)
            return commits.map { _ in .success(()) }
        } catch  where commits.count == 1 {
            return [.failure(error)]
        } catch {
            return commits.map { commit in
                do throws(StorageError) { return .success(try transact([commit])) } catch { return .failure(error) }
            }
        }
    }

    private func transact(_ commits: [FlowCommit]) throws(StorageError) {
        let database = try writable()
        let pointers = try connected().pointers
        let writer = CommitWriter(database: database, pointers: pointers, options: options)
        do throws(StorageError) {
            try database.transaction { () throws(StorageError) in
                for commit in commits where !commit.isEmpty { try writer.write(commit) }
            }
        } catch {
            pointers.forgetCount()
            // A log that can be folded gives its space back to the next attempt.
            if case .full = error { try connected().foldLog() }
            throw error
        }
    }
}
