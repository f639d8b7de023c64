// SPDX-License-Identifier: Apache-2.0

/// The Traffic Light Protocol: how far something may be passed on. Ordered from open to closed.
///
/// Names are those of TLP 2.0; reading accepts 1.x too (`WHITE` is `CLEAR`).
public enum TLP: Int, Sendable, Hashable, Comparable, CaseIterable, CustomStringConvertible {
    case clear
    case green
    case amber
    case amberStrict
    case red

    /// Reads `TLP:AMBER+STRICT`, `amber`, `TLP:WHITE`, `Amber Strict`, in any case, with or without `TLP:` in front.
    public init?(name: some StringProtocol) {
        var word = name.lowercased()[...]
        while word.first?.isWhitespace == true { word.removeFirst() }
        while word.last?.isWhitespace == true { word.removeLast() }
        if word.hasPrefix("tlp:") || word.hasPrefix("tlp-") { word = word.dropFirst(4) }
        switch word {
        case "clear", "white": self = .clear
        case "green": self = .green
        case "amber": self = .amber
        case "amber+strict", "amber-strict", "amber_strict", "amber strict": self = .amberStrict
        case "red": self = .red
        default: return nil
        }
    }

    /// The level of one of the fixed marking ids.
    public init?(markingID: some StringProtocol) {
        guard let level = Self.allCases.first(where: { $0.markingID == markingID }) else { return nil }
        self = level
    }

    /// `TLP:CLEAR`, `TLP:GREEN`, `TLP:AMBER`, `TLP:AMBER+STRICT`, `TLP:RED`.
    public var description: String {
        switch self {
        case .clear: "TLP:CLEAR"
        case .green: "TLP:GREEN"
        case .amber: "TLP:AMBER"
        case .amberStrict: "TLP:AMBER+STRICT"
        case .red: "TLP:RED"
        }
    }

    /// The id that STIX and OpenCTI fix for the level.
    ///
    /// Source: STIX 2.1, 7.2.1.4; OpenCTI protocol, 8.3.
    public var markingID: String {
        switch self {
        case .clear: "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"
        case .green: "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
        case .amber: "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
        case .amberStrict: "marking-definition--826578e1-40ad-459f-bc73-ede076f81f37"
        case .red: "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
        }
    }

    public static func < (left: TLP, right: TLP) -> Bool { left.rawValue < right.rawValue }

    /// The level that counts where several are given: the most restrictive. A text that names no level counts as RED,
    /// so that a new or misspelt name never opens a door. `nil` for none at all.
    public static func mostRestrictive(ofNames names: some Sequence<String>) -> TLP? {
        names.map { TLP(name: $0) ?? .red }.max()
    }

    /// The most restrictive level among marking ids; ids of other markings do not count.
    public static func mostRestrictive(ofMarkingIDs ids: some Sequence<String>) -> TLP? {
        ids.compactMap { TLP(markingID: $0) }.max()
    }
}
