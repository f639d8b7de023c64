// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Things that all flows of a process share by name: the request budget of a tenant, for one.
public final class SharedParts: Sendable {
    private let parts = Mutex<[String: any Sendable]>([:])

    public init() {}

    /// The part of that name, made by the first who asks.
    public func part<Part: Sendable>(_ name: String, make: () -> Part) -> Part {
        parts.withLock { parts in
            if let known = parts[name] as? Part { return known }
            let made = make()
            parts[name] = made
            return made
        }
    }
}
