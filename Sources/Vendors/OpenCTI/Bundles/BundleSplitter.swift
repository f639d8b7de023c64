// SPDX-License-Identifier: Apache-2.0

public import JSON

/// Splits a bundle into one bundle an object, dependencies first, with the result of pycti's splitter.
///
/// References that lead in a circle, to the object itself, or to a type the platform does not know are cut; a `_ref`
/// becomes null, a `_refs` list shorter. External references without URL and without external id are dropped, repeated
/// ones and repeated kill chain phases too. Source: OpenCTI protocol, 7.2; `OpenCTI-Platform/client-python:
/// pycti/utils/opencti_stix2_splitter.py`.
public struct BundleSplitter {
    /// What one bundle became.
    public struct Result: Sendable {
        /// Each a bundle with one object, in the order to send.
        public var bundles: [JSONValue]
        /// Objects that are not sent: relations without an end, unsupported types.
        public var incompatible: [JSONValue]
    }

    private var objects: [JSONObject] = []
    /// STIX and internal ids → index of the object. Of a repeated id the last object counts.
    private var indexes: [String: Int] = [:]
    /// What each id has been found to refer to so far; cuts circles.
    private var dependencies: [String: Set<String>] = [:]
    private var counts: [Int: Int] = [:]
    private var listed: Set<Int> = []
    private var elements: [Int] = []
    private var incompatible: [Int] = []
    private let cleansUp: Bool

    /// - Parameters:
    ///   - objects: the bundle's objects; ones without an id are left out.
    ///   - cleansUp: references to objects that are not in the bundle are dropped as well.
    ///   - eventVersion: `x_opencti_event_version`, where the bundle has one.
    public static func split(
        _ objects: [JSONValue], bundleID: String, cleansUp: Bool = false, eventVersion: String? = nil
    ) -> Result {
        var splitter = BundleSplitter(objects, cleansUp: cleansUp)
        let order = splitter.enlistAll(objects)
        return Result(
            bundles: order.map { count, index in
                var bundle: JSONObject = [
                    "type": "bundle", "id": .string(bundleID), "spec_version": "2.1", "x_opencti_seq": .int(count),
                    "objects": [.object(splitter.objects[index])],
                ]
                if let eventVersion { bundle["x_opencti_event_version"] = .string(eventVersion) }
                return .object(bundle)
            },
            incompatible: splitter.incompatible.map { .object(splitter.objects[$0]) })
    }

    private init(_ objects: [JSONValue], cleansUp: Bool) {
        self.cleansUp = cleansUp
        for value in objects {
            guard let object = value.object, let id = object["id"]?.string else { continue }
            let index = self.objects.count
            self.objects.append(object)
            indexes[id] = index
            for internalID in Self.internalIDs(object) { indexes[internalID] = index }
        }
    }

    private mutating func enlistAll(_ objects: [JSONValue]) -> [(count: Int, index: Int)] {
        for value in objects { if let id = value["id"]?.string { _ = enlist(id, ancestors: []) } }
        // Stable, as Python's.
        let counted = elements.map { (count: counts[$0] ?? 0, index: $0) }
        return counted.enumerated().sorted { left, right in
            (left.element.count, left.offset) < (right.element.count, right.offset)
        }.map(\.element)
    }

    private static func internalIDs(_ object: JSONObject) -> [String] {
        [
            object["x_opencti_id"]?.string,
            object["extensions"]?["extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"]?["id"]?.string,
        ].compactMap { $0 }.filter { !$0.isEmpty }
    }

    /// The objects are worked on in place: a circle may lead back to one whose turn is not over. It is then listed where
    /// the inner turn ends, with what the outer one finds, as in the original.
    ///
    /// - Returns: 1 and what the object depends on, counted with repetitions; 0 for one that is not in the bundle.
    private mutating func enlist(_ id: String, ancestors: Set<String>) -> Int {
        guard let index = indexes[id] else { return 0 }
        if listed.contains(index) { return counts[index] ?? 0 }
        var count = 1
        dependencies[id] = dependencies[id] ?? []
        for key in objects[index].keys {
            guard let value = objects[index][key] else { continue }
            if key.hasSuffix("_refs"), let refs = value.array {
                var kept: [JSONValue] = []
                for ref in refs {
                    if let target = ref.string, keeps(target, of: id, ancestors) {
                        dependencies[id]?.insert(target)
                        count += enlist(target, ancestors: ancestors.union([target]))
                        if !kept.contains(ref) { kept.append(ref) }
                    }
                    objects[index][key] = .array(kept)
                }
            } else if key.hasSuffix("_ref") {
                if let target = value.string, keeps(target, of: id, ancestors) {
                    dependencies[id]?.insert(target)
                    count += enlist(target, ancestors: ancestors.union([target]))
                } else {
                    objects[index][key] = .null
                }
            } else if key == "external_references", let references = value.array {
                objects[index][key] = .array(unique(references) { Self.identity(ofReference: $0) })
            } else if key == "kill_chain_phases", let phases = value.array {
                objects[index][key] = .array(
                    unique(phases) { phase in
                        [phase["kill_chain_name"]?.string ?? "", phase["phase_name"]?.string ?? ""]
                    })
            }
        }
        objects[index]["nb_deps"] = .int(count)
        counts[index] = count
        if listed.insert(index).inserted {
            if isSendable(objects[index]) { elements.append(index) } else { incompatible.append(index) }
        }
        return count
    }

    private func keeps(_ target: String, of id: String, _ ancestors: Set<String>) -> Bool {
        Self.isSupported(target) && !(cleansUp && indexes[target] == nil) && !ancestors.contains(target) && target != id
            && !(dependencies[target]?.contains(id) ?? false)
    }

    private func isSendable(_ object: JSONObject) -> Bool {
        switch object["type"]?.string {
        case "relationship": object["source_ref"]?.string != nil && object["target_ref"]?.string != nil
        case "sighting":
            object["sighting_of_ref"]?.string != nil && !(object["where_sighted_refs"]?.array ?? []).isEmpty
        default: Self.isSupported(object["id"]?.string ?? "")
        }
    }

    private func unique(_ values: [JSONValue], by identity: (JSONValue) -> [String]?) -> [JSONValue] {
        var seen: Set<[String]> = []
        return values.filter { value in identity(value).map { seen.insert($0).inserted } ?? false }
    }

    /// What an external reference's id is made of.
    private static func identity(ofReference reference: JSONValue) -> [String]? {
        if let url = reference["url"]?.string { return [url] }
        guard let source = reference["source_name"]?.string, let id = reference["external_id"]?.string else {
            return nil
        }
        return [source, id]
    }

    /// Ids that are no STIX ids are not judged.
    private static func isSupported(_ id: String) -> Bool {
        guard let range = id.firstRange(of: "--") else { return true }
        return supportedTypes.contains(String(id[..<range.lowerBound]))
    }

    /// Source: `OpenCTI-Platform/client-python: pycti/utils/opencti_stix2_utils.py`.
    static let supportedTypes: Set<String> = [
        "label", "vocabulary", "kill-chain-phase",
        "attack-pattern", "campaign", "case-incident", "x-opencti-case-incident", "case-rfi", "x-opencti-case-rfi",
        "case-rft", "x-opencti-case-rft", "channel", "course-of-action", "data-component", "x-mitre-data-component",
        "data-source", "x-mitre-data-source", "event", "external-reference", "feedback", "x-opencti-feedback",
        "grouping", "identity", "incident", "indicator", "infrastructure", "intrusion-set", "language", "location",
        "malware", "malware-analysis", "marking-definition", "narrative", "note", "observed-data", "opinion", "report",
        "task", "x-opencti-task", "threat-actor", "tool", "vulnerability", "security-coverage",
        "user", "group", "capability", "role", "settings", "notification", "work", "trash", "draftworkspace",
        "playbook",
        "deleteoperation", "workspace", "publicdashboard",
        "autonomous-system", "directory", "domain-name", "email-addr", "email-message", "email-mime-part-type",
        "artifact", "file", "x509-certificate", "ipv4-addr", "ipv6-addr", "mac-addr", "mutex", "network-traffic",
        "process", "software", "url", "user-account", "windows-registry-key", "windows-registry-value-type", "hostname",
        "cryptographic-key", "cryptocurrency-wallet", "text", "user-agent", "bank-account", "phone-number",
        "credential", "tracking-number", "payment-card", "media-content", "simple-observable", "persona", "ssh-key",
        "ai-prompt", "imei", "iccid", "imsi",
        "relationship", "sighting", "pir",
    ]
}
