// SPDX-License-Identifier: Apache-2.0

public import Base

/// What a text may cost before it is refused.
public struct JSONLimits: Sendable, Hashable {
    /// The longest text, in bytes; at most 2 GiB.
    public let maxBytes: Int
    /// How deep arrays and objects may nest, at most ``depthCeiling``. An empty one at the very bottom does not count.
    public let maxDepth: Int

    /// Values are freed and written recursively, so no setting may let a sender choose our stack depth.
    public static let depthCeiling = 1024

    public init(maxBytes: Int = 64 << 20, maxDepth: Int = 128) {
        self.maxBytes = min(maxBytes, Int(Int32.max))
        self.maxDepth = min(max(maxDepth, 1), Self.depthCeiling)
    }
}

/// Why a text was refused, and the byte at which it went wrong. Never holds a piece of the text: it may be confidential.
public struct JSONError: ActionableError, Hashable {
    public enum Kind: Sendable, Hashable {
        /// The text is no JSON (RFC 8259).
        case invalid
        /// It nests deeper than ``JSONLimits/maxDepth``.
        case tooDeep
        /// It is longer than ``JSONLimits/maxBytes``, or memory is short.
        case tooLarge
    }

    public let kind: Kind
    /// Byte offset of the first wrong byte, counted from 0; the length of the text when it ends too early.
    public let offset: Int?
    /// Plain words, without a full stop: `expected a colon after the member's name`.
    public let reason: String

    public init(_ kind: Kind, offset: Int?, reason: String) {
        self.kind = kind
        self.offset = offset
        self.reason = reason
    }

    public var code: ErrorCode {
        switch kind {
        case .invalid: "json.invalid"
        case .tooDeep: "json.too_deep"
        case .tooLarge: "json.too_large"
        }
    }

    public var isRetryable: Bool { false }

    public var description: String {
        let place = offset.map { " at byte \($0)" } ?? ""
        return switch kind {
        case .invalid: "Invalid JSON\(place): \(reason). Correct it where it was written."
        case .tooDeep: "JSON nested too deep\(place): \(reason). Check who wrote it, or raise the limit."
        case .tooLarge: "JSON too large: \(reason). Check who wrote it, or raise the limit."
        }
    }
}
