// SPDX-License-Identifier: Apache-2.0

import JSON
public import SimulatorKit

/// How the simulated console behaves.
public struct HarfangLabConfiguration: Sendable {
    /// The token that exists when nobody says otherwise. It opens nothing but this simulator.
    public static let defaultToken = "8f2e6a0c5d9b4f17a3c8e1d06b7f94a2c5e8d013"

    public var options = SimulatorOptions()
    public var tokens: Set<String> = [defaultToken]
    /// Most results a page, whatever `limit` says.
    public var pageCap: Int?
    /// Hashes are stored in lower case, and duplicates are recognised without case.
    public var normalisesHashCase = true
    /// Every write is refused with 403.
    public var isReadOnly = false
    /// Requests in any second that are served; the next is refused with 429. `nil`: no limit.
    public var requestsPerSecond: Int?
    /// Security events and threats that are there from the start.
    public var alerts = 0
    public var threats = 0

    public init() {}

    /// Changes what the JSON object names; the keys are the settings in snake case. Returns what is wrong with it.
    mutating func apply(_ changes: JSONObject) -> String? {
        for (key, value) in changes {
            switch key {
            case "page_cap" where value.isNull || (value.int ?? 0) > 0: pageCap = value.int.map { Int($0) }
            case "normalises_hash_case" where value.bool != nil: normalisesHashCase = value.bool ?? true
            case "is_read_only" where value.bool != nil: isReadOnly = value.bool ?? false
            case "requests_per_second" where value.isNull || (value.int ?? 0) > 0:
                requestsPerSecond = value.int.map { Int($0) }
            case "tokens" where value.array?.allSatisfy({ $0.string != nil }) ?? false:
                tokens = Set(value.array?.compactMap(\.string) ?? [])
            case "page_cap", "normalises_hash_case", "is_read_only", "requests_per_second", "tokens":
                return "“\(key)” has a value of the wrong kind"
            default: return "there is no setting “\(key)”"
            }
        }
        return nil
    }
}
