// SPDX-License-Identifier: Apache-2.0

import Base
public import JSON

/// What goes with a bundle wherever it is sent.
public struct BundleEnvelope: Sendable, Hashable {
    /// The user in whose name the platform writes.
    public var applicantID: String?
    public var workID: String?
    public var draftID: String?
    /// Whether an object that matches several existing ones is merged into them.
    public var updates: Bool
    public var entityTypes: [String]

    public init(
        applicantID: String? = nil, workID: String? = nil, draftID: String? = nil, updates: Bool = false,
        entityTypes: [String] = []
    ) {
        self.applicantID = applicantID
        self.workID = workID
        self.draftID = draftID
        self.updates = updates
        self.entityTypes = entityTypes
    }

    /// The body of one message for the push queue; unknown members are ignored by old workers, so that one form fits all.
    /// Source: OpenCTI protocol, 7.3.
    ///
    /// - Parameter sequence: counts the messages of one bundle from 1.
    public func message(_ bundle: JSONValue, sequence: Int) -> [UInt8] {
        let content = Base64.quoted(bundle.bytes)
        var writer = JSONWriter(reserving: content.count + 512)
        writer.beginObject()
        writer.key("bundle_type")
        writer.string("QUEUE_BUNDLE")
        writer.key("applicant_id")
        writer.value(applicantID.map(JSONValue.string) ?? .null)
        writer.key("action_sequence")
        writer.value(.int(sequence))
        writer.key("entities_types")
        writer.value(.array(entityTypes.map(JSONValue.string)))
        writer.key("content")
        writer.raw(content)
        writer.key("update")
        writer.value(.bool(updates))
        writer.key("draft_id")
        writer.value(draftID.map(JSONValue.string) ?? .null)
        // pycti's `no_split` asks the worker not to split: a whole bundle is meant to be split there.
        writer.key("no_split")
        writer.value(false)
        if let workID {
            writer.key("work_id")
            writer.string(workID)
        }
        writer.endObject()
        return writer.bytes
    }
}

/// Organisations that an entity is shared with pass on to everything its enrichment makes. Source: OpenCTI protocol,
/// 5.3 and 7.1.
public enum OrganizationSharing {
    static let octi = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"

    /// The object with the organisations added, in whichever form it names them.
    public static func sharing(_ object: JSONObject, with organizations: [String]) -> JSONObject {
        guard !organizations.isEmpty else { return object }
        var object = object
        if var extensions = object["extensions"]?.object, var octi = extensions[octi]?.object {
            octi["granted_refs"] = union(octi["granted_refs"], organizations)
            extensions[Self.octi] = .object(octi)
            object["extensions"] = .object(extensions)
        } else {
            object["x_opencti_granted_refs"] = union(object["x_opencti_granted_refs"], organizations)
        }
        return object
    }

    private static func union(_ known: JSONValue?, _ organizations: [String]) -> JSONValue {
        var all = known?.array?.compactMap(\.string) ?? []
        for organization in organizations where !all.contains(organization) { all.append(organization) }
        return .array(all.map(JSONValue.string))
    }
}
