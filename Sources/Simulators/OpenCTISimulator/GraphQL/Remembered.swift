// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What was made of a text once: clients send the same few documents again and again.
final class Remembered<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let most: Int
    private let values = Mutex<[Key: Value]>([:])

    /// - Parameter most: with so many it forgets all, so that whoever sends ever new ones does not fill memory.
    init(most: Int) { self.most = most }

    /// A failure is not remembered.
    func value<Failure: Error>(of key: Key, _ make: () throws(Failure) -> Value) throws(Failure) -> Value {
        if let known = values.withLock({ $0[key] }) { return known }
        let made = try make()
        values.withLock { values in
            if values.count >= most { values = [:] }
            values[key] = made
        }
        return made
    }
}
