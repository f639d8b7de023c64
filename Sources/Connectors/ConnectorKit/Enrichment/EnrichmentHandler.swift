// SPDX-License-Identifier: Apache-2.0

public import Base
public import JSON
public import OpenCTI
public import STIX

/// What a connector does with one request. Everything around it — queue or HTTP, attempts, concurrency, works, the push,
/// the acknowledgement — is ``EnrichmentShell``'s.
public protocol EnrichmentHandler: Sendable {
    /// Looks up and translates; writes nothing but the organization. Called for several requests at once, up to the shell's concurrency.
    ///
    /// - Throws: an ``ActionableError`` that is retryable: the shell tries again with back-off, for hours if need be;
    ///   any other error ends the work in error with the error's description. A quota or a refusal that the analyst
    ///   should see at once is ``EnrichmentOutcome/refused(code:message:)``.
    func enrich(
        _ request: EnrichmentRequest, on platform: any PlatformDirectory
    ) async throws -> EnrichmentOutcome

    /// Everything is durable at the platform: the moment to note what was set, for example labels, in the state store.
    /// Called before the acknowledgement, so again after a crash in between.
    func applied(_ effects: EnrichmentEffects, to request: EnrichmentRequest) async throws
}

extension EnrichmentHandler {
    public func applied(_ effects: EnrichmentEffects, to request: EnrichmentRequest) async throws {}
}

/// What a handler may ask the platform; answers are cached and bounded. Errors are those of the platform, retryable or not.
public protocol PlatformDirectory: Sendable {
    /// Ids and documents depend on it; `nil` for one that is no two numbers.
    var version: PlatformVersion? { get }
    /// The standard id of the organization of that name or alias, created with the description where there is none.
    /// One call the first time, none afterwards.
    func organization(named name: String, description: String) async throws -> String
    /// The STIX form of an object by any of its ids; `nil` when there is none. Not cached.
    func stix(_ id: String) async throws -> JSONValue?
}

/// How one enrichment ends.
public enum EnrichmentOutcome: Sendable {
    /// The effects are applied, then the work ends with the message.
    case enriched(EnrichmentEffects, message: String)
    /// Nothing to do, for a reason an analyst understands; a normal end. A playbook gets its bundle back unchanged.
    case skipped(message: String)
    /// The work ends in error.
    case refused(code: ErrorCode, message: String)
}

/// What an enrichment changes on the platform. Applied in order: `writes`, then the bundle.
public struct EnrichmentEffects: Sendable {
    /// The bundle's objects in order, the entity itself among them where it is to change. Empty: no bundle.
    public var objects: [STIXObject]
    /// Written straight through GraphQL, before the bundle: what a bundle can't say (a label's colour), or does not
    /// bring back once somebody deleted it (an external reference).
    public var writes: [DirectWrite]
    /// The bundle message's `update` flag: whether an object that matches several existing ones is merged.
    public var updatesExisting: Bool

    public init(objects: [STIXObject] = [], writes: [DirectWrite] = [], updatesExisting: Bool = false) {
        self.objects = objects
        self.writes = writes
        self.updatesExisting = updatesExisting
    }
}

/// One write to the enriched entity through GraphQL. All are idempotent. Source: OpenCTI protocol, 8.1.
public enum DirectWrite: Sendable, Hashable {
    /// Labels onto the entity; a missing label is created with its colour, an existing one keeps its own. A label that the
    /// user may not create is left out.
    case addLabels([PlatformLabel])
    /// Creates missing labels with their colour and attaches none: for a bundle that names them, which has no place for
    /// colours.
    case createLabels([PlatformLabel])
    /// Labels off the entity, by value.
    case removeLabels([String])
    /// Creates the reference where it is missing and, if asked, attaches it to the entity.
    case externalReference(ExternalReference, attaches: Bool)
    /// Replaces `x_opencti_description`.
    case description(String)
    /// Replaces `x_opencti_score`, 0…100.
    case score(Int)
    /// A note on the entity; `id` is its deterministic STIX id, so that a repetition is the same note.
    case note(PlatformNote)
}

/// A label as the platform keeps it: the value in lower case.
public struct PlatformLabel: Sendable, Hashable {
    public var value: String
    /// `#RRGGBB`; `nil` leaves the colour to the platform.
    public var color: String?

    public init(_ value: String, color: String? = nil) {
        self.value = value
        self.color = color
    }
}

public struct PlatformNote: Sendable, Hashable {
    public var id: String
    public var abstract: String?
    public var content: String
    /// ISO 8601.
    public var created: String
    public var types: [String]
    /// Standard id of an identity.
    public var author: String?
    /// Standard ids.
    public var markings: [String]

    public init(
        id: String, abstract: String? = nil, content: String, created: String, types: [String] = [],
        author: String? = nil, markings: [String] = []
    ) {
        self.id = id
        self.abstract = abstract
        self.content = content
        self.created = created
        self.types = types
        self.author = author
        self.markings = markings
    }
}
