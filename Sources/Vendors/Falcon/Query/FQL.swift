// SPDX-License-Identifier: Apache-2.0

public import Base

/// A filter in the Falcon Query Language that no value can break out of.
///
/// Properties are literals of the program and values are checked or escaped, so a filter always has the structure the
/// code gave it. It is percent-encoded once, by the client. Source: Falcon API surface, 3.
public struct FQL: Sendable, Hashable, CustomStringConvertible {
    /// Why a value cannot be put into a filter.
    public enum Refusal: ActionableError, Hashable {
        /// An empty value may match everything.
        case empty(property: String)
        /// A quote, a backslash or a control character, which nothing that is looked up exactly contains.
        case unsafe(property: String)
        /// Falcon takes at most 20 properties in one filter.
        case tooManyProperties(Int)

        public var code: ErrorCode { "falcon.filter" }
        public var isRetryable: Bool { false }
        public var description: String {
            switch self {
            case .empty(let property):
                "A filter on \(property) with an empty value could match everything; it was not sent."
            case .unsafe(let property):
                "A value for \(property) contains a quote, a backslash or a control character and was not sent to Falcon."
            case .tooManyProperties(let count):
                "A filter has \(count) properties; Falcon takes at most \(FQL.maxProperties)."
            }
        }
    }

    /// The name of a property, fixed at compile time.
    public struct Property: Sendable, Hashable {
        public let name: String
        public init(_ name: StaticString) { self.name = name.description }

        public static let id = Property("id")
        public static let type = Property("type")
        public static let value = Property("value")
        public static let action = Property("action")
        public static let severity = Property("severity")
        public static let source = Property("source")
        public static let tags = Property("tags")
        public static let platforms = Property("platforms")
        public static let createdBy = Property("created_by")
        public static let createdOn = Property("created_on")
        public static let modifiedOn = Property("modified_on")
        public static let expiration = Property("expiration")
        public static let expired = Property("expired")
        public static let deleted = Property("deleted")
        public static let fromParent = Property("from_parent")
        /// Of cases.
        public static let name = Property("name")
    }

    public enum Comparison: String, Sendable {
        case equal = ""
        case notEqual = "!"
        case greater = ">"
        case greaterOrEqual = ">="
        case less = "<"
        case lessOrEqual = "<="
        /// Tokenised and without regard to case.
        case textMatch = "~"
        case noTextMatch = "!~"
    }

    public static let maxProperties = 20

    /// Not percent-encoded.
    public let text: String
    public let propertyCount: Int
    /// Whether everything this filter matches was created by named clients: the condition for deleting with it.
    public let isBoundToCreators: Bool
    private let isCompound: Bool

    public var description: String { text }

    /// `property:'value'`, for values that are compared exactly: ids, hashes, domains, addresses.
    public static func exact(_ property: Property, _ value: String) throws(Refusal) -> FQL {
        FQL(
            "\(property.name):'\(try checked(value, property))'", isBoundToCreators: property == .createdBy)
    }

    /// `property:['a','b']`: any of them, compared exactly and with case.
    public static func any(_ property: Property, _ values: [String]) throws(Refusal) -> FQL {
        guard !values.isEmpty else { throw .empty(property: property.name) }
        var list = ""
        for value in values {
            if !list.isEmpty { list += "," }
            list += "'\(try checked(value, property))'"
        }
        return FQL("\(property.name):[\(list)]", isBoundToCreators: property == .createdBy)
    }

    /// `property:'text'` with free text: quotes and backslashes are escaped.
    public static func text(
        _ property: Property, _ value: String, _ comparison: Comparison = .equal
    ) throws(Refusal) -> FQL {
        guard !value.isEmpty else { throw .empty(property: property.name) }
        var escaped = ""
        for character in value.unicodeScalars {
            guard character.value >= 0x20, character.value != 0x7F else { throw .unsafe(property: property.name) }
            if character == "'" || character == "\\" { escaped.append("\\") }
            escaped.unicodeScalars.append(character)
        }
        return FQL("\(property.name):\(comparison.rawValue)'\(escaped)'")
    }

    /// `property:true`.
    public static func flag(_ property: Property, _ value: Bool) -> FQL { FQL("\(property.name):\(value)") }

    /// `property:>='2026-01-31T10:00:00Z'`.
    public static func date(_ property: Property, _ comparison: Comparison, _ instant: Instant) -> FQL {
        FQL("\(property.name):\(comparison.rawValue)'\(instant.secondsDescription)'")
    }

    public static func number(_ property: Property, _ comparison: Comparison, _ value: Int64) -> FQL {
        FQL("\(property.name):\(comparison.rawValue)\(value)")
    }

    /// Both hold.
    public static func && (left: FQL, right: FQL) -> FQL {
        FQL(
            left.grouped + "+" + right.grouped, count: left.propertyCount + right.propertyCount,
            isBoundToCreators: left.isBoundToCreators || right.isBoundToCreators, isCompound: false)
    }

    /// At least one holds.
    public static func || (left: FQL, right: FQL) -> FQL {
        FQL(
            left.text + "," + right.text, count: left.propertyCount + right.propertyCount,
            isBoundToCreators: left.isBoundToCreators && right.isBoundToCreators, isCompound: true)
    }

    func checkedForSending() throws(Refusal) -> String {
        guard propertyCount <= Self.maxProperties else { throw .tooManyProperties(propertyCount) }
        return text
    }

    private init(_ text: String, count: Int = 1, isBoundToCreators: Bool = false, isCompound: Bool = false) {
        self.text = text
        propertyCount = count
        self.isBoundToCreators = isBoundToCreators
        self.isCompound = isCompound
    }

    private var grouped: String { isCompound ? "(\(text))" : text }

    private static func checked(_ value: String, _ property: Property) throws(Refusal) -> String {
        guard !value.isEmpty else { throw .empty(property: property.name) }
        let isSafe = value.utf8.allSatisfy { byte in
            byte >= 0x20 && byte != 0x7F && byte != UInt8(ascii: "'") && byte != UInt8(ascii: "\"")
                && byte != UInt8(ascii: "\\")
        }
        guard isSafe else { throw .unsafe(property: property.name) }
        return value
    }
}
