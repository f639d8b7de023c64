// SPDX-License-Identifier: Apache-2.0

public import JSON

// What is known: identities, places, techniques, vulnerabilities, markings and observables.
extension STIXObject {
    /// An `identity` (STIX 2.1, 4.5): `organization`, `individual`, `system`, `group`, `class`.
    public static func identity(
        id: String, name: String, identityClass: String, description: String? = nil, _ common: CommonProperties
    ) -> STIXObject {
        common.object("identity", id: id) { object in
            object.set("name", name)
            object.set("description", description)
            object.set("identity_class", identityClass)
        }
    }

    /// An `attack-pattern` (STIX 2.1, 4.1) with OpenCTI's `x_mitre_id`.
    public static func attackPattern(
        id: String, name: String, techniqueID: String? = nil, description: String? = nil,
        killChainPhases: [KillChainPhase] = [], _ common: CommonProperties
    ) -> STIXObject {
        common.object("attack-pattern", id: id) { object in
            object.set("name", name)
            object.set("description", description)
            object.set("kill_chain_phases", killChainPhases.map(\.json))
            object.set("x_mitre_id", techniqueID)
        }
    }

    /// A `vulnerability` (STIX 2.1, 4.18): the name is the CVE.
    public static func vulnerability(
        id: String, name: String, description: String? = nil, _ common: CommonProperties
    ) -> STIXObject {
        common.object("vulnerability", id: id) { object in
            object.set("name", name)
            object.set("description", description)
        }
    }

    /// A country as a `location` (STIX 2.1, 4.9).
    ///
    /// - Parameters:
    ///   - country: the specification wants one; the ISO code or, as OpenCTI's connectors write, a name.
    ///   - aliases: OpenCTI's `x_opencti_aliases`.
    public static func country(
        id: String, name: String, country: String, aliases: [String] = [], _ common: CommonProperties
    ) -> STIXObject {
        common.object("location", id: id) { object in
            object.set("name", name)
            object.set("country", country)
            object.set("x_opencti_location_type", "Country")
            object.set("x_opencti_aliases", aliases)
        }
    }

    /// The `marking-definition` of a TLP level. The four levels of TLP 1.x are the fixed instances of STIX 2.1
    /// (7.2.1.4), CLEAR under its old name; AMBER+STRICT is OpenCTI's.
    public static func marking(_ level: TLP) -> STIXObject {
        if level == .amberStrict {
            return marking(id: level.markingID, type: "TLP", definition: level.description, created: tlpCreated)
        }
        let color = level == .clear ? "white" : String(level.description.dropFirst(4)).lowercased()
        var object = STIXObject(type: "marking-definition", id: level.markingID)
        object.set("created", tlpCreated)
        object.set("definition_type", "tlp")
        object.set("name", "TLP:" + color.uppercased())
        object["definition"] = ["tlp": .string(color)]
        return object
    }

    /// A marking that OpenCTI defines: `PAP`, `PAP:GREEN`. STIX sees a statement.
    ///
    /// - Parameter created: RFC 3339.
    public static func marking(id: String, type: String, definition: String, created: String) -> STIXObject {
        var object = STIXObject(type: "marking-definition", id: id)
        object.set("created", created)
        object.set("definition_type", "statement")
        object.set("name", definition)
        object["definition"] = ["statement": .string(definition)]
        object.set("x_opencti_definition_type", type)
        object.set("x_opencti_definition", definition)
        return object
    }

    // The moment that the specification gives its TLP instances.
    private static let tlpCreated = "2017-01-20T00:00:00.000Z"

    /// A cyber observable (STIX 2.1, 6): `domain-name`, `file`, `hostname`…
    ///
    /// - Parameters:
    ///   - properties: of the type; they also make the id, by the STIX library's formula.
    ///   - createdBy: an identity's id, as OpenCTI's clients send it beside the specification.
    /// - Returns: `nil` where no property contributes to the id (a bare `process`): choose one yourself.
    public static func observable(
        _ type: String, _ properties: JSONObject, createdBy: String? = nil, markings: [String] = []
    ) -> STIXObject? {
        guard let id = ObservableID.make(type, from: properties) else { return nil }
        var object = STIXObject(type: type, id: id)
        for (key, value) in properties { object[key] = value }
        object.set("object_marking_refs", markings)
        object.set("created_by_ref", createdBy)
        return object
    }

    /// An observable that is one value: an address, domain, URL, host name, text.
    public static func observable(
        _ type: String, value: String, createdBy: String? = nil, markings: [String] = []
    ) -> STIXObject {
        var object = STIXObject(type: type, id: ObservableID.make(type, value: value))
        object.set("value", value)
        object.set("object_marking_refs", markings)
        object.set("created_by_ref", createdBy)
        return object
    }

    /// A `file` (STIX 2.1, 6.7) with hashes, a name or both.
    ///
    /// - Returns: `nil` with neither.
    public static func file(
        hashes: [(algorithm: HashAlgorithm, value: String)], name: String? = nil, createdBy: String? = nil,
        markings: [String] = []
    ) -> STIXObject? {
        var properties: JSONObject = [:]
        if !hashes.isEmpty {
            properties["hashes"] = .object(
                JSONObject(hashes.map { (key: $0.algorithm.rawValue, value: .string($0.value)) }))
        }
        if let name { properties["name"] = .string(name) }
        return observable("file", properties, createdBy: createdBy, markings: markings)
    }
}
