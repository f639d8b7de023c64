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

    /// An id under the number that this splitter knows it by: ids are compared all the time.
    private struct Name {
        /// Its object; of a repeated id the last one counts.
        var index: Int?
        /// Of what the platform takes.
        let isSupported: Bool
        /// What it has been found to refer to so far; cuts circles. `nil` until its turn.
        var dependencies: Set<Int>?
        /// Its turn is not over.
        var isAncestor = false
    }

    private var objects: [JSONObject] = []
    /// STIX and internal ids.
    private var numbers: [String: Int] = [:]
    private var names: [Name] = []
    /// By object: 1 and what it depends on; 0 until its turn is over.
    private var counts: [Int] = []
    private var isListed: [Bool] = []
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
            for name in [id] + Self.internalIDs(object) { names[number(of: name)].index = index }
        }
        counts = Array(repeating: 0, count: self.objects.count)
        isListed = Array(repeating: false, count: self.objects.count)
    }

    private mutating func number(of id: String) -> Int {
        if let number = numbers[id] { return number }
        numbers[id] = names.count
        names.append(Name(isSupported: Self.isSupported(id)))
        return names.count - 1
    }

    private mutating func enlistAll(_ objects: [JSONValue]) -> [(count: Int, index: Int)] {
        for value in objects { if let id = value["id"]?.string { _ = enlist(number(of: id)) } }
        // Stable, as Python's.
        let counted = elements.map { (count: counts[$0], index: $0) }
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
    private mutating func enlist(_ id: Int) -> Int {
        guard let index = names[id].index else { return 0 }
        if isListed[index] { return counts[index] }
        var count = 1
        if names[id].dependencies == nil { names[id].dependencies = [] }
        for (key, _) in objects[index] {
            if key.hasSuffix("_refs"), let refs = objects[index][key]?.array {
                var kept: [JSONValue] = []
                for ref in refs {
                    if let target = ref.string, let found = follow(target, from: id) {
                        count += found
                        if !kept.contains(ref) { kept.append(ref) }
                    }
                    objects[index][key] = .array(kept)
                }
            } else if key.hasSuffix("_ref") {
                if let target = objects[index][key]?.string, let found = follow(target, from: id) {
                    count += found
                } else {
                    objects[index][key] = .null
                }
            } else if key == "external_references", let references = objects[index][key]?.array {
                objects[index][key] = .array(unique(references) { Self.identity(ofReference: $0) })
            } else if key == "kill_chain_phases", let phases = objects[index][key]?.array {
                objects[index][key] = .array(
                    unique(phases) { phase in
                        [phase["kill_chain_name"]?.string ?? "", phase["phase_name"]?.string ?? ""]
                    })
            }
        }
        objects[index]["nb_deps"] = .int(count)
        counts[index] = count
        if !isListed[index] {
            isListed[index] = true
            if isSendable(objects[index]) { elements.append(index) } else { incompatible.append(index) }
        }
        return count
    }

    /// - Returns: what comes with the target; `nil` where the reference is cut.
    private mutating func follow(_ target: String, from id: Int) -> Int? {
        let target = number(of: target)
        guard names[target].isSupported, !(cleansUp && names[target].index == nil), !names[target].isAncestor,
            target != id, !(names[target].dependencies?.contains(id) ?? false)
        else { return nil }
        names[id].dependencies?.insert(target)
        names[target].isAncestor = true
        defer { names[target].isAncestor = false }
        return enlist(target)
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
        let bytes = id.utf8
        var at = bytes.startIndex
        while let dash = bytes[at...].firstIndex(of: UInt8(ascii: "-")) {
            at = bytes.index(after: dash)
            if bytes[at...].first == UInt8(ascii: "-") { return supportedTypes.contains(String(id[..<dash])) }
        }
        return true
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
