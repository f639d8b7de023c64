// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Bundles that were announced to their work and are not sent yet. Another try must not announce them again, or the work
/// would wait for messages that never come.
final class Announcements: Sendable {
    /// Bundle → work.
    private let open = Mutex<[String: String]>([:])

    /// Announces a bundle, unless that has been done for this work.
    ///
    /// - Returns: false when the work is gone.
    func announce(_ bundle: String, to work: String, _ call: () async throws -> Bool) async throws -> Bool {
        if open.withLock({ $0[bundle] == work }) { return true }
        guard try await call() else { return false }
        open.withLock { open in
            // Bounded: who gives a bundle up leaves its name here.
            if open.count >= 1000 { open = [:] }
            open[bundle] = work
        }
        return true
    }

    /// It has been sent: the next one of that name is another.
    func sent(_ bundle: String) { open.withLock { $0[bundle] = nil } }
}
