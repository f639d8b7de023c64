// SPDX-License-Identifier: Apache-2.0

/// A YAML document as a tree, with the place of each node for messages.
public struct YAMLNode: Sendable {
    public struct Member: Sendable {
        public let key: String
        public let location: SourceLocation
        public let value: YAMLNode
    }

    public enum Content: Sendable {
        /// Typed by the setting it is for, not by YAML's guesses: `isNull` is all that the plain style decides.
        case scalar(String, isNull: Bool)
        case sequence([YAMLNode])
        case mapping([Member])
    }

    public let content: Content
    public let location: SourceLocation
    /// Nodes of this tree, itself included: what an alias of it costs.
    let size: Int

    /// The value of a key; `nil` when absent or when this is no mapping.
    public subscript(key: String) -> YAMLNode? { members?.first { $0.key == key }?.value }

    /// The member of that name, else the one whose name differs in case only, or has blanks for underscores.
    func member(likely key: String) -> YAMLNode? {
        self[key] ?? members?.first { foldedName($0.key) == foldedName(key) }?.value
    }

    /// `nil` when this is no mapping.
    public var members: [Member]? { if case .mapping(let members) = content { members } else { nil } }
    /// A plain `null`, `~` or nothing at all.
    public var isNull: Bool { if case .scalar(_, isNull: true) = content { true } else { false } }

    /// `a mapping`, for messages.
    var kindName: String {
        switch content {
        case .scalar: "a single value"
        case .sequence: "a list"
        case .mapping: "a section"
        }
    }
}

/// Bounds against documents that are built to hurt.
public struct YAMLLimits: Sendable {
    public var maxBytes = 1 << 20
    public var maxDepth = 32
    /// Nodes after aliases are replaced by what they stand for.
    public var maxNodes = 50_000
    public init() {}
}

/// A name as files of the originals are searched for it: `LOG LEVEL` is `log_level`.
func foldedName(_ name: String) -> String { name.lowercased().replacing(" ", with: "_") }
