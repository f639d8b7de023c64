// SPDX-License-Identifier: Apache-2.0

public import Base
import Hashing
public import JSON

/// The one formula behind every id that OpenCTI derives: `<type>--` + UUIDv5 over canonical JSON (RFC 8785) of the
/// properties that make the object what it is. The same thing met twice gets the same id, and the platform merges it.
///
/// Source: OpenCTI protocol, 8.2; `OpenCTI-Platform/client-python: pycti/entities/*.py` (`generate_id`).
public enum DeterministicID {
    /// OASIS's namespace of STIX 2.1, 2.9, which OpenCTI uses for all types.
    public static let namespace = Digest128(high: 0x00ab_edb4_aa42_466c, low: 0x9c01_fed2_3315_a9b7)

    /// - Parameters:
    ///   - type: the STIX type, the id's part before `--`.
    ///   - properties: hashed as they are: normalise them first. Their order does not matter.
    public static func make(_ type: String, from properties: JSONObject) -> String {
        let name = JSONCanonical.bytes(of: .object(properties))
        return type + "--" + UUIDv5.make(namespace: namespace, name: name).uuidDescription
    }
}

/// The ids of objects and relations, by the formulas of one platform version.
///
/// Dates enter as text and exactly as given: `…12Z`, `…12.000Z` and `…12+00:00` make three ids, so a connector must
/// repeat the text of the program it replaces; ``isoformat(_:)`` writes a Python `datetime`.
///
/// Source: OpenCTI protocol, 8.2.
public struct ObjectIDs: Sendable, Hashable {
    /// Whether a note's abstract counts (pycti by 7.260430).
    public let noteCountsAbstract: Bool
    /// Whether technique ids are lower-cased, an empty one giving way to the name (pycti by 7.260701).
    public let techniqueIDsAreLowerCased: Bool

    /// The formulas of today.
    public init() { self.init(noteCountsAbstract: true, techniqueIDsAreLowerCased: true) }

    public init(noteCountsAbstract: Bool, techniqueIDsAreLowerCased: Bool) {
        self.noteCountsAbstract = noteCountsAbstract
        self.techniqueIDsAreLowerCased = techniqueIDsAreLowerCased
    }

    /// - Parameter platformVersion: `about.version`: `6.8.10`, `7.260817.0`. One that can't be read counts as today's.
    public init(platformVersion: String) {
        let parts = platformVersion.split(separator: ".")
        guard parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1].prefix { $0.isNumber }) else {
            self.init()
            return
        }
        self.init(
            noteCountsAbstract: (major, minor) >= (7, 260_430),
            techniqueIDsAreLowerCased: (major, minor) >= (7, 260_701))
    }

    /// - Parameter pattern: for STIX patterns best ``PatternText/spacedByPlatform(_:)``, as the platform's own id is.
    public func indicator(pattern: String) -> String { make("indicator", ["pattern": .string(pattern.stripped)]) }

    public func incident(name: String, created: String) -> String {
        make("incident", ["name": folded(name), "created": .string(created)])
    }

    public func caseIncident(name: String, created: String) -> String {
        make("case-incident", ["name": folded(name), "created": .string(created)])
    }

    /// - Parameter identityClass: `organization`, `individual`, `system`, `class`, `group`.
    public func identity(name: String, identityClass: String) -> String {
        make("identity", ["name": folded(name), "identity_class": .string(identityClass.lowercasedAsPython)])
    }

    /// - Parameters:
    ///   - sighted: id of what was seen.
    ///   - places: ids of where it was seen; ``Places/text(_:)`` for the programs that pass a bare string.
    ///   - lastSeen: counts only together with `firstSeen`.
    public func sighting(of sighted: String, at places: Places, firstSeen: String? = nil, lastSeen: String? = nil)
        -> String
    {
        var data: JSONObject = [
            "type": "sighting", "sighting_of_ref": .string(sighted), "where_sighted_refs": places.json,
        ]
        addInterval(to: &data, "first_seen", firstSeen, "last_seen", lastSeen)
        return make("sighting", data)
    }

    /// What a sighting's id takes as `where_sighted_refs`.
    public enum Places: Sendable, Hashable {
        case list([String])
        /// Some originals hand over one id where a list belongs; the id differs.
        case text(String)

        fileprivate var json: JSONValue {
            switch self {
            case .list(let ids): .array(ids.map { .string($0) })
            case .text(let id): .string(id)
            }
        }
    }

    /// - Parameter stop: counts only together with `start`.
    public func relationship(
        _ type: String, from source: String, to target: String, start: String? = nil, stop: String? = nil
    ) -> String {
        var data: JSONObject = [
            "relationship_type": .string(type), "source_ref": .string(source), "target_ref": .string(target),
        ]
        addInterval(to: &data, "start_time", start, "stop_time", stop)
        return make("relationship", data)
    }

    public func note(content: String, created: String?, abstract: String? = nil) -> String {
        var data: JSONObject = ["content": .string(content.stripped)]
        if let created { data["created"] = .string(created) }
        if noteCountsAbstract, let abstract = abstract?.stripped, !abstract.isEmpty {
            data["attribute_abstract"] = .string(abstract)
        }
        return make("note", data)
    }

    /// - Parameter objects: in this order; the platform sorts them.
    public func observedData(objects: [String]) -> String {
        make("observed-data", ["objects": .array(objects.map { .string($0) })])
    }

    /// `nil` for a reference with neither URL nor external id: the platform makes none.
    public func externalReference(url: String?, sourceName: String? = nil, externalID: String? = nil) -> String? {
        if let url { return make("external-reference", ["url": .string(url)]) }
        guard let sourceName, let externalID else { return nil }
        return make("external-reference", ["source_name": .string(sourceName), "external_id": .string(externalID)])
    }

    /// Fixed ids for TLP, the formula for others; the platform upper-cases both texts.
    public func marking(type: String, definition: String) -> String {
        if type == "TLP", let tlp = TLP(name: definition) { return tlp.markingID }
        return make("marking-definition", ["definition_type": .string(type), "definition": .string(definition)])
    }

    /// The platform lower-cases and trims labels: do so first.
    public func label(_ value: String) -> String { make("label", ["value": .string(value)]) }

    public func killChainPhase(chain: String, phase: String) -> String {
        make("kill-chain-phase", ["kill_chain_name": .string(chain), "phase_name": .string(phase)])
    }

    /// - Parameter techniqueID: `T1059.001`; then the name does not count.
    public func attackPattern(name: String, techniqueID: String? = nil) -> String {
        technique("attack-pattern", name, techniqueID, former: techniqueID?.stripped)
    }

    public func courseOfAction(name: String, techniqueID: String? = nil) -> String {
        technique("course-of-action", name, techniqueID, former: techniqueID)
    }

    /// Types that are their name alone: malware, vulnerability, tool, intrusion-set, campaign, infrastructure.
    public func named(_ type: String, _ name: String) -> String { make(type, ["name": folded(name)]) }

    public func vulnerability(_ name: String) -> String { named("vulnerability", name) }

    public func threatActor(group name: String) -> String {
        make("threat-actor", ["name": folded(name), "opencti_type": "Threat-Actor-Group"])
    }

    public func threatActor(individual name: String) -> String {
        make("threat-actor", ["name": folded(name), "opencti_type": "Threat-Actor-Individual"])
    }

    /// - Parameter locationType: `Country`, `City`, `Region`, `Administrative-Area`; for positions see
    ///   ``position(name:latitude:longitude:)``.
    public func location(name: String, locationType: String) -> String {
        make("location", ["name": folded(name), "x_opencti_location_type": .string(locationType)])
    }

    /// A position is its coordinates, or its name without any.
    public func position(name: String, latitude: Double?, longitude: Double?) -> String {
        var data: JSONObject = [:]
        if let latitude { data["latitude"] = .double(latitude) }
        if let longitude { data["longitude"] = .double(longitude) }
        return make("location", data.isEmpty ? ["name": folded(name)] : data)
    }

    public func report(name: String, published: String) -> String {
        make("report", ["name": folded(name), "published": .string(published)])
    }

    public func grouping(name: String, context: String, created: String?) -> String {
        var data: JSONObject = ["name": folded(name), "context": folded(context)]
        if let created { data["created"] = .string(created) }
        return make("grouping", data)
    }

    public func task(name: String, created: String) -> String {
        make("task", ["name": folded(name), "created": .string(created)])
    }

    // MARK: Parts

    private func make(_ type: String, _ data: JSONObject) -> String { DeterministicID.make(type, from: data) }

    private func folded(_ name: String) -> JSONValue { .string(name.lowercasedAsPython.stripped) }

    private func technique(_ type: String, _ name: String, _ techniqueID: String?, former: String?) -> String {
        let current = techniqueID?.lowercasedAsPython.stripped
        if let id = techniqueIDsAreLowerCased ? (current == "" ? nil : current) : former {
            return make(type, ["x_mitre_id": .string(id)])
        }
        return make(type, ["name": folded(name)])
    }

    private func addInterval(
        to data: inout JSONObject, _ startKey: String, _ start: String?, _ stopKey: String, _ stop: String?
    ) {
        guard let start else { return }
        data[startKey] = .string(start)
        if let stop { data[stopKey] = .string(stop) }
    }
}
