// SPDX-License-Identifier: Apache-2.0

public import JSON
public import STIX

/// OpenCTI's attributes of a STIX object in whichever form it came.
///
/// The platform's own STIX has them in extensions; what pycti exports has flat `x_opencti_…` members instead. Code has to
/// read both. Source: OpenCTI protocol, 4.4 and 5.3.
public struct EntityAttributes: Sendable {
    static let octi = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"
    static let observable = "extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82"

    private let members: JSONObject

    public init(_ object: STIXObject) { members = object.members }

    /// The OCTI extension, then the observable's, then `x_opencti_<name>`, then the plain member (but for `type` and
    /// `id`, which mean something else there). `nil` and JSON null are the same.
    public func value(_ name: String) -> JSONValue? {
        let extensions = members["extensions"]
        for id in [Self.octi, Self.observable] {
            if let value = extensions?[id]?[name], !value.isNull { return value }
        }
        if let value = members["x_opencti_" + name], !value.isNull { return value }
        guard name != "type", name != "id", let value = members[name], !value.isNull else { return nil }
        return value
    }

    /// The platform's internal id.
    public var internalID: String? { value("id")?.string }
    /// `IPv4-Addr`
    public var type: String? { value("type")?.string }
    public var markingIDs: [String] { members["object_marking_refs"]?.array?.compactMap(\.string) ?? [] }
    /// Organisations it is shared with, as standard ids.
    public var grantedRefs: [String] { value("granted_refs")?.array?.compactMap(\.string) ?? [] }
}
