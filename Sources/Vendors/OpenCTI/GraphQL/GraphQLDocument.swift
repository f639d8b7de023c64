// SPDX-License-Identifier: Apache-2.0

/// A GraphQL document as it goes over the wire. Small on purpose: only what is read is asked for, so that one document
/// fits many versions of the platform.
public struct GraphQLDocument: Sendable, Hashable {
    /// The operation's name in messages, metrics and tests: `registerConnector`.
    public let name: String
    public let text: String
    /// The capability the caller's user needs, in the console's words; `nil` where any user may ask.
    /// Source: OpenCTI protocol, 1.2.
    public let capability: String?
    /// Whether sending it twice leaves the platform as sending it once.
    public let isIdempotent: Bool

    init(_ name: String, capability: String? = nil, isIdempotent: Bool = true, _ text: String) {
        self.name = name
        self.capability = capability
        self.isIdempotent = isIdempotent
        self.text = text
    }
}

/// Every document that Sallyport sends to OpenCTI. The tests validate each against the platform's schema.
public enum OpenCTIDocuments {
    public static let all: [(name: String, text: String)] = (connectors + works + reads).map { ($0.name, $0.text) }
}

/// Capabilities as the console names them, with the platform's own name.
enum Capability {
    static let connectors = "Connectors API usage: register, ping, export push … (CONNECTORAPI)"
    static let modules = "Access connectors (MODULES)"
    static let sharing = "Access data sharing (TAXIIAPI)"
    static let knowledge = "Access knowledge (KNOWLEDGE)"
}
