// SPDX-License-Identifier: Apache-2.0

/// A YAML document as a tree, with the place of each node for messages.
struct YAMLNode: Sendable {
    struct Member: Sendable {
        let key: String
        let location: SourceLocation
        let value: YAMLNode
    }

    enum Content: Sendable {
        /// Typed by the setting it is for, not by YAML's guesses: `isNull` is all that the plain style decides.
        case scalar(String, isNull: Bool)
        case sequence([YAMLNode])
        case mapping([Member])
    }

    let content: Content
    let location: SourceLocation
    /// Nodes of this tree, itself included: what an alias of it costs.
    let size: Int

    /// The value of a key; `nil` when absent or when this is no mapping.
    subscript(key: String) -> YAMLNode? { members?.first { $0.key == key }?.value }

    var members: [Member]? { if case .mapping(let members) = content { members } else { nil } }
    var isNull: Bool { if case .scalar(_, isNull: true) = content { true } else { false } }

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
struct YAMLLimits: Sendable {
    var maxBytes = 1 << 20
    var maxDepth = 32
    /// Nodes after aliases are replaced by what they stand for.
    var maxNodes = 50_000
}
