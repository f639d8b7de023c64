// SPDX-License-Identifier: Apache-2.0

public import JSON

/// Which formula an observable's id follows: the STIX library's, as connectors send it, or the platform's own standard id.
/// Where the two differ nothing breaks: the platform keeps ours as an extra id.
public enum ObservableIDForm: Sendable, Hashable {
    case library
    case platform
}

/// Ids of cyber observables, from the properties that contribute to them.
///
/// Source: STIX 2.1, 6 (“ID Contributing Properties”); `oasis-open/cti-python-stix2: stix2/v21/observables.py`;
/// `OpenCTI-Platform/client-python: pycti/utils/constants.py` for the types that OpenCTI adds; OpenCTI protocol, 8.2.
public enum ObservableID {
    /// - Parameter properties: the whole object or at least its contributing properties; absent ones do not count.
    /// - Returns: `nil` where nothing contributes: such an object gets a random id.
    public static func make(
        _ type: String, from properties: JSONObject, form: ObservableIDForm = .library
    ) -> String? {
        for group in contributing(to: type, form) {
            var data: JSONObject = [:]
            for key in group {
                guard let value = properties[key.source], !value.isNull else { continue }
                data[key.name] = key.source == "hashes" ? oneHash(of: value) : value
            }
            if !data.isEmpty { return DeterministicID.make(type, from: data) }
        }
        return nil
    }

    /// The same for types that are one value: addresses, domains, URLs, host names, texts.
    public static func make(_ type: String, value: String) -> String {
        DeterministicID.make(type, from: ["value": .string(value)])
    }

    private struct Key: ExpressibleByStringLiteral {
        let source: String
        let name: String
        init(stringLiteral key: String) { (source, name) = (key, key) }
        init(_ source: String, hashedAs name: String) { (self.source, self.name) = (source, name) }
    }

    /// Groups in order of preference; the first with a property present makes the id.
    private static func contributing(to type: String, _ form: ObservableIDForm) -> [[Key]] {
        switch type {
        case "file":
            form == .library ? [["hashes", "name", "parent_directory_ref", "extensions"]] : [["hashes"], ["name"]]
        case "artifact": form == .library ? [["hashes", "payload_bin"]] : [["hashes"], ["url"]]
        case "mutex": [["name"]]
        case "directory": [["path"]]
        case "autonomous-system": [["number"]]
        case "user-account": [["account_type", "user_id", "account_login"]]
        case "software": [["name", "cpe", "swid", "vendor", "version"]]
        case "network-traffic":
            [
                ["start", "end", "src_ref", "dst_ref", "src_port", "dst_port", "protocols"]
                    + (form == .library ? ["extensions"] : [])
            ]
        // The platform hashes the key under a name that no registry key has; equal ids need the same slip.
        case "windows-registry-key":
            form == .library ? [["key", "values"]] : [[Key("key", hashedAs: "attribute_key")]]
        case "x509-certificate":
            form == .library ? [["hashes", "serial_number"]] : [["hashes"], ["serial_number"], ["subject"]]
        case "process": form == .library ? [] : [["command_line", "pid"]]
        case "email-message": [["from_ref", "subject", "body"]]
        case "payment-card": [["card_number"]]
        case "bank-account": [["iban"]]
        case "media-content": [["url"]]
        case "persona": [["persona_name", "persona_type"]]
        default: [["value"]]
        }
    }

    // MD5, SHA-1, SHA-256, SHA-512 in this order, else whichever comes first.
    private static func oneHash(of hashes: JSONValue) -> JSONValue? {
        guard let object = hashes.object else { return nil }
        for name in ["MD5", "SHA-1", "SHA-256", "SHA-512"] {
            if let hash = object[name] { return [name: hash] }
        }
        return object.first { _ in true }.map { [$0.key: $0.value] }
    }
}
