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

    /// Whether platforms of today take it; false for what only old ones do.
    let fitsLatest: Bool

    init(
        _ name: String, capability: String? = nil, isIdempotent: Bool = true, fitsLatest: Bool = true, _ text: String
    ) {
        self.name = name
        self.fitsLatest = fitsLatest
        self.capability = capability
        self.isIdempotent = isIdempotent
        self.text = text
    }

    /// The same document for an old platform that names a type otherwise.
    func replacing(_ type: String, with other: String) -> GraphQLDocument {
        GraphQLDocument(
            name, capability: capability, isIdempotent: isIdempotent, fitsLatest: false,
            text.replacing(type, with: other))
    }
}

/// Every document that Sallyport sends to OpenCTI. The tests validate each against the platform's schema.
public enum OpenCTIDocuments {
    public static let all: [(name: String, text: String)] = (connectors + works + reads + bundles + writes)
        .filter(\.fitsLatest).map { ($0.name, $0.text) }
}

/// Capabilities as the console names them, with the platform's own name.
enum Capability {
    static let connectors = "Connectors API usage: register, ping, export push … (CONNECTORAPI)"
    static let modules = "Access connectors (MODULES)"
    static let sharing = "Access data sharing (TAXIIAPI)"
    static let knowledge = "Access knowledge (KNOWLEDGE)"
    static let updating = "Create / Update knowledge (KNOWLEDGE_KNUPDATE)"
    static let labels = "Manage labels & attributes (SETTINGS_SETLABELS)"
    static let importing = "Ask for knowledge import (KNOWLEDGE_KNASKIMPORT)"
}
