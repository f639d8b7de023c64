// SPDX-License-Identifier: Apache-2.0

// What was found: indicators, incidents, cases, sightings, relations and notes.
extension STIXObject {
    /// What an indicator may say beyond its pattern.
    public struct IndicatorDetails: Sendable, Hashable {
        public var name: String?
        public var description: String?
        /// `stix`, `sigma`, `yara`, `snort`…
        public var patternType = "stix"
        /// RFC 3339, after `validFrom`.
        public var validUntil: String?
        /// `malicious-activity`…
        public var indicatorTypes: [String] = []
        public var killChainPhases: [KillChainPhase] = []
        /// OpenCTI: 0…100.
        public var score: Int?
        /// OpenCTI: whether to look for it in detection.
        public var detection: Bool?
        /// OpenCTI's entity type: `IPv4-Addr`, `StixFile`.
        public var mainObservableType: String?

        public init(name: String? = nil, description: String? = nil) {
            self.name = name
            self.description = description
        }
    }

    /// An `indicator` (STIX 2.1, 4.7). `pattern_version` is written for STIX patterns only.
    public static func indicator(
        id: String, pattern: String, validFrom: String, _ details: IndicatorDetails = IndicatorDetails(),
        _ common: CommonProperties
    ) -> STIXObject {
        common.object("indicator", id: id) { object in
            object.set("name", details.name)
            object.set("description", details.description)
            object.set("indicator_types", details.indicatorTypes)
            object.set("pattern", pattern)
            object.set("pattern_type", details.patternType)
            object.set("pattern_version", details.patternType == "stix" ? "2.1" : nil)
            object.set("valid_from", validFrom)
            object.set("valid_until", details.validUntil)
            object.set("kill_chain_phases", details.killChainPhases.map(\.json))
            object.set("x_opencti_score", details.score)
            // The one property of OpenCTI that its clients send without prefix.
            object.set("detection", details.detection)
            object.set("x_opencti_main_observable_type", details.mainObservableType)
        }
    }

    /// What an incident may say beyond its name; the last five are OpenCTI's.
    public struct IncidentDetails: Sendable, Hashable {
        public var description: String?
        /// `alert`…
        public var incidentType: String?
        /// `low`, `medium`, `high`, `critical`
        public var severity: String?
        public var source: String?
        public var firstSeen: String?
        public var lastSeen: String?

        public init(description: String? = nil) { self.description = description }
    }

    /// An `incident` (STIX 2.1, 4.6, a stub that OpenCTI extends).
    public static func incident(
        id: String, name: String, _ details: IncidentDetails = IncidentDetails(), _ common: CommonProperties
    ) -> STIXObject {
        common.object("incident", id: id) { object in
            object.set("name", name)
            object.set("description", details.description)
            object.set("incident_type", details.incidentType)
            object.set("severity", details.severity)
            object.set("source", details.source)
            object.set("first_seen", details.firstSeen)
            object.set("last_seen", details.lastSeen)
        }
    }

    /// A `case-incident`: OpenCTI's own type.
    ///
    /// - Parameters:
    ///   - priority: `P1`…`P4`
    ///   - objects: ids of what belongs to the case; each is written once, at its first place.
    public static func caseIncident(
        id: String, name: String, description: String? = nil, severity: String? = nil, priority: String? = nil,
        responseTypes: [String] = [], objects: [String] = [], _ common: CommonProperties
    ) -> STIXObject {
        common.object("case-incident", id: id) { object in
            object.set("name", name)
            object.set("description", description)
            object.set("severity", severity)
            object.set("priority", priority)
            object.set("response_types", responseTypes)
            object.set("object_refs", unique(objects))
        }
    }

    /// What a sighting saw.
    public enum Sighted: Sendable, Hashable {
        /// The id of a domain object: indicator, malware, incident.
        case object(String)
        /// The id of a cyber observable. STIX allows none there, so OpenCTI's clients put a placeholder and name the
        /// observable in a property of their own.
        case observable(String)

        static let placeholder = "indicator--51b92778-cef0-4a90-b7ec-ebd620d01ac8"
    }

    /// When and how often something was seen.
    public struct SightingDetails: Sendable, Hashable {
        public var description: String?
        public var count: Int?
        public var firstSeen: String?
        public var lastSeen: String?
        /// OpenCTI: a false positive.
        public var isNegative: Bool?

        public init(count: Int? = nil, firstSeen: String? = nil, lastSeen: String? = nil) {
            self.count = count
            self.firstSeen = firstSeen
            self.lastSeen = lastSeen
        }
    }

    /// A `sighting` (STIX 2.1, 5.2).
    ///
    /// - Parameter places: ids of identities or locations.
    public static func sighting(
        id: String, of sighted: Sighted, at places: [String], _ details: SightingDetails = SightingDetails(),
        _ common: CommonProperties
    ) -> STIXObject {
        common.object("sighting", id: id) { object in
            object.set("description", details.description)
            object.set("first_seen", details.firstSeen)
            object.set("last_seen", details.lastSeen)
            object.set("count", details.count)
            switch sighted {
            case .object(let target): object.set("sighting_of_ref", target)
            case .observable(let target):
                object.set("sighting_of_ref", Sighted.placeholder)
                object.set("x_opencti_sighting_of_ref", target)
            }
            object.set("where_sighted_refs", places)
            object.set("x_opencti_negative", details.isNegative)
        }
    }

    /// A `relationship` (STIX 2.1, 5.1): `indicates`, `based-on`, `related-to`, `targets`, `uses`.
    public static func relationship(
        id: String, _ type: String, from source: String, to target: String, description: String? = nil,
        start: String? = nil, stop: String? = nil, _ common: CommonProperties
    ) -> STIXObject {
        common.object("relationship", id: id) { object in
            object.set("relationship_type", type)
            object.set("description", description)
            object.set("source_ref", source)
            object.set("target_ref", target)
            object.set("start_time", start)
            object.set("stop_time", stop)
        }
    }

    /// A `note` (STIX 2.1, 4.12).
    ///
    /// - Parameters:
    ///   - objects: ids of what it is about; at least one.
    ///   - noteTypes: OpenCTI's vocabulary: `external`, `analysis`…
    public static func note(
        id: String, content: String, abstract: String? = nil, objects: [String], noteTypes: [String] = [],
        _ common: CommonProperties
    ) -> STIXObject {
        common.object("note", id: id) { object in
            object.set("abstract", abstract)
            object.set("content", content)
            object.set("object_refs", unique(objects))
            object.set("note_types", noteTypes)
        }
    }

    private static func unique(_ ids: [String]) -> [String] {
        var seen: Set<String> = []
        return ids.filter { seen.insert($0).inserted }
    }
}
