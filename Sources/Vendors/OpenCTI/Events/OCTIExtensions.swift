// SPDX-License-Identifier: Apache-2.0

public import JSON

/// OpenCTI's extensions of STIX objects. Source: OpenCTI protocol, 4.4.
public enum OCTIExtension {
    /// On every object.
    public static let octi = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"
    /// On observables.
    public static let observable = "extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82"
    public static let mitre = "extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b"
}

extension JSONElement {
    /// An attribute as pycti looks it up: the OCTI extension, else the observables' one, else the object's own member,
    /// which never happens for `type`. A member that is there with null ends the search.
    ///
    /// Source: `OpenCTI-Platform/client-python: pycti/connector/opencti_connector_helper.py`
    /// (`get_attribute_in_extension`).
    public func octiAttribute(_ key: StaticString) -> JSONElement? {
        let extensions = self["extensions"]
        return extensions?["extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"]?[key]
            ?? extensions?["extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82"]?[key]
            ?? (key.description == "type" ? nil : self[key])
    }

    /// The same in the MITRE extension, as pycti's `get_attribute_in_mitre_extension`.
    public func mitreAttribute(_ key: StaticString) -> JSONElement? {
        self["extensions"]?["extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b"]?[key]
    }
}
