// SPDX-License-Identifier: Apache-2.0

/// Lets work on one key happen one after the other, in the order of asking.
actor KeyTurns {
    private var waiting: [String: [CheckedContinuation<Void, Never>]] = [:]

    /// Returns when nobody else works on the key. Each call needs its ``leave(_:)``.
    func enter(_ key: String) async {
        guard waiting[key] != nil else {
            waiting[key] = []
            return
        }
        await withCheckedContinuation { waiting[key, default: []].append($0) }
    }

    func leave(_ key: String) {
        guard var queue = waiting[key], !queue.isEmpty else {
            waiting[key] = nil
            return
        }
        let next = queue.removeFirst()
        waiting[key] = queue
        next.resume()
    }
}
