// SPDX-License-Identifier: Apache-2.0

public import Base
public import JSON
public import OpenCTI
public import STIX

/// One thing that the platform asks a connector to enrich, read and resolved: whatever version of the platform sent it,
/// over the queue or over HTTP.
///
/// Source: OpenCTI protocol, 5.2 and 5.3.
public struct EnrichmentRequest: Sendable {
    /// What the message names: the standard id, or an internal one.
    public var entityID: String
    /// OpenCTI's type: `IPv4-Addr`, `Domain-Name`, `StixFile`.
    public var entityType: String
    /// The entity as STIX, with OpenCTI's extensions or with flat `x_opencti_…` members (pycti's own export): read its
    /// attributes through ``attribute(_:)``.
    public var entity: STIXObject
    /// Every STIX object that came along, the entity among them; of a playbook, its whole bundle.
    public var objects: [STIXObject]
    /// The entity's markings with the names the platform gives them.
    public var markings: [Marking]
    /// `nil` in a playbook, and where an operator has turned works off.
    public var workID: String?
    /// Set when a playbook asks: the result goes back to it instead of to the queue.
    public var playbook: PlaybookStep?
    /// The user in whose name the result is written.
    public var applicantID: String?
    public var draftID: String?
    /// `create`, `update`, or `nil` where the version does not say.
    public var trigger: String?
    /// The entity exists on the platform and was read there just now, not only taken out of the message.
    public var isFresh: Bool
    /// The only clock of translation: the same for each delivery of one request.
    public var time: Instant
    /// The run's own configuration, from 7.260701 on.
    public var configuration: JSONValue?

    public init(
        entityID: String, entityType: String, entity: STIXObject, objects: [STIXObject] = [],
        markings: [Marking] = [], workID: String? = nil, playbook: PlaybookStep? = nil, applicantID: String? = nil,
        draftID: String? = nil, trigger: String? = nil, isFresh: Bool = true, time: Instant,
        configuration: JSONValue? = nil
    ) {
        self.entityID = entityID
        self.entityType = entityType
        self.entity = entity
        self.objects = objects.isEmpty ? [entity] : objects
        self.markings = markings
        self.workID = workID
        self.playbook = playbook
        self.applicantID = applicantID
        self.draftID = draftID
        self.trigger = trigger
        self.isFresh = isFresh
        self.time = time
        self.configuration = configuration
    }

    /// An OpenCTI attribute of the entity (`score`, `description`, `labels`, `external_references`), wherever its form
    /// has it: the OCTI extension, the observable's extension, `x_opencti_<name>`, or the plain member.
    public func attribute(_ name: String) -> JSONValue? { EntityAttributes(entity).value(name) }

    /// The level that counts: the most restrictive of the entity's TLP markings, RED for a TLP marking whose name is
    /// unknown; `nil` for an entity without one.
    public var tlp: TLP? { TLP.mostRestrictive(ofNames: markings.filter(\.isTLP).map(\.definition)) }
}

/// A marking definition as the platform knows it.
public struct Marking: Sendable, Hashable {
    /// `marking-definition--…`
    public var standardID: String
    /// `TLP`, `PAP`, `statement`, or an operator's own.
    public var type: String
    /// `TLP:AMBER`
    public var definition: String

    public init(standardID: String, type: String, definition: String) {
        self.standardID = standardID
        self.type = type
        self.definition = definition
    }

    public var isTLP: Bool { type.uppercased() == "TLP" }
}
