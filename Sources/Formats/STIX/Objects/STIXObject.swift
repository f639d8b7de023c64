// SPDX-License-Identifier: Apache-2.0

public import Base
public import JSON

/// One STIX 2.1 object as it goes into a bundle: its type, its id and any further members in order.
///
/// Builders such as ``indicator(id:pattern:validFrom:_:)`` fill in what the specification requires. OpenCTI's own
/// properties (`x_opencti_…`) and whatever else a connector wants are set by name:
///
/// ```swift
/// var object = STIXObject.vulnerability(id: ids.vulnerability("CVE-2024-3400"), name: "CVE-2024-3400", common)
/// object["x_opencti_score"] = 80
/// ```
public struct STIXObject: Sendable, Hashable {
    public let type: String
    public let id: String
    /// All members, `type` and `id` included.
    public private(set) var members: JSONObject

    public init(type: String, id: String) {
        self.type = type
        self.id = id
        members = ["type": .string(type), "spec_version": "2.1", "id": .string(id)]
    }

    /// An object that came from elsewhere, kept member by member. `nil` without `type` or `id`.
    public init?(_ members: JSONObject) {
        guard let type = members["type"]?.string, let id = members["id"]?.string else { return nil }
        self.type = type
        self.id = id
        self.members = members
    }

    /// A member; setting `nil` removes it. The type and the id stay what they are.
    public subscript(key: String) -> JSONValue? {
        get { members[key] }
        set { if key != "type", key != "id" { members[key] = newValue } }
    }

    public var json: JSONValue { .object(members) }

    // MARK: For the builders: what is nil or empty stays absent, as STIX wants it

    mutating func set(_ key: String, _ value: String?) { if let value { members[key] = .string(value) } }
    mutating func set(_ key: String, _ value: Int?) { if let value { members[key] = .int(value) } }
    mutating func set(_ key: String, _ value: Bool?) { if let value { members[key] = .bool(value) } }
    mutating func set(_ key: String, _ values: [String]) {
        if !values.isEmpty { members[key] = .array(values.map { .string($0) }) }
    }
    mutating func set(_ key: String, _ values: [JSONValue]) { if !values.isEmpty { members[key] = .array(values) } }
}

/// What every domain object and relation may carry (STIX 2.1, 3.2).
public struct CommonProperties: Sendable, Hashable {
    /// RFC 3339 in UTC with `Z`, as text: originals write more or fewer digits, and ids depend on them.
    public var created: String
    public var modified: String
    /// Id of an identity.
    public var createdBy: String?
    public var isRevoked: Bool?
    public var labels: [String] = []
    /// 0…100
    public var confidence: Int?
    public var externalReferences: [ExternalReference] = []
    /// Ids of marking definitions.
    public var markings: [String] = []

    /// - Parameter modified: `created` where it is `nil`.
    public init(created: String, modified: String? = nil, createdBy: String? = nil, markings: [String] = []) {
        self.created = created
        self.modified = modified ?? created
        self.createdBy = createdBy
        self.markings = markings
    }

    /// Created and modified at one instant, to the millisecond.
    public init(at instant: Instant, createdBy: String? = nil, markings: [String] = []) {
        self.init(created: instant.description, createdBy: createdBy, markings: markings)
    }

    /// An object with these properties around those that `fill` sets, in the usual order.
    func object(_ type: String, id: String, _ fill: (inout STIXObject) -> Void) -> STIXObject {
        var object = STIXObject(type: type, id: id)
        object.set("created_by_ref", createdBy)
        object.set("created", created)
        object.set("modified", modified)
        fill(&object)
        object.set("revoked", isRevoked)
        object.set("labels", labels)
        object.set("confidence", confidence)
        object.set("external_references", externalReferences.map(\.json))
        object.set("object_marking_refs", markings)
        return object
    }
}

/// Where else something is described (STIX 2.1, 2.5).
public struct ExternalReference: Sendable, Hashable {
    /// Required, and one of the others with it.
    public var sourceName: String
    public var description: String?
    public var url: String?
    public var externalID: String?

    public init(sourceName: String, description: String? = nil, url: String? = nil, externalID: String? = nil) {
        self.sourceName = sourceName
        self.description = description
        self.url = url
        self.externalID = externalID
    }

    /// The platform's id for it; `nil` without URL and external id, which the platform drops.
    public var id: String? { ObjectIDs().externalReference(url: url, sourceName: sourceName, externalID: externalID) }

    public var json: JSONValue {
        var members: JSONObject = ["source_name": .string(sourceName)]
        if let description { members["description"] = .string(description) }
        if let url { members["url"] = .string(url) }
        if let externalID { members["external_id"] = .string(externalID) }
        return .object(members)
    }
}

/// A phase of an attack (STIX 2.1, 2.11): `mitre-attack`, `execution`.
public struct KillChainPhase: Sendable, Hashable {
    public var chain: String
    public var phase: String

    public init(chain: String, phase: String) {
        self.chain = chain
        self.phase = phase
    }

    public var json: JSONValue { ["kill_chain_name": .string(chain), "phase_name": .string(phase)] }
}
