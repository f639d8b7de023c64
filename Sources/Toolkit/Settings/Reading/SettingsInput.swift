// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// What the outside gives besides files: the environment and the command line.
public struct SettingsInput: Sendable {
    /// A value from the command line, which wins over all else.
    public struct Override: Sendable {
        /// `crowdstrike.batch_size`, `flows.iocs.batch_size`, `connections.falcon.base_url` or `log.level`.
        public let key: String
        public let text: String
        public init(key: String, text: String) {
            self.key = key
            self.text = text
        }
    }

    public var environment: [String: String]
    public var overrides: [Override]
    /// What an adapter has to say about files of an original that it has read.
    public var warnings: [SettingsProblem] = []

    public init(environment: [String: String] = [:], overrides: [Override] = []) {
        self.environment = environment
        self.overrides = overrides
    }

    /// The environment of this process.
    public static func process(overrides: [Override] = []) -> SettingsInput {
        var environment: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                environment[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return SettingsInput(environment: environment, overrides: overrides)
    }
}

/// Variables, found in any case as pydantic does, the exact name first.
struct Environment {
    let values: [String: String]
    private let folded: [String: [String]]

    init(_ values: [String: String]) {
        self.values = values
        folded = Dictionary(grouping: values.keys) { $0.uppercased() }
    }

    func find(_ name: String) -> (name: String, value: String)? {
        if let value = values[name] { return (name, value) }
        guard let other = folded[name.uppercased()]?.min(), let value = values[other] else { return nil }
        return (other, value)
    }

    /// Variables with one of the prefixes that nobody declares. Those that Kubernetes sets for a service of that name
    /// (`OPENCTI_PORT=tcp://…`, `OPENCTI_SERVICE_HOST`) are not meant for us.
    func unknown(prefixes: Set<String>, known: Set<String>) -> [String] {
        values.keys.filter { name in
            let upper = name.uppercased()
            guard let underscore = upper.firstIndex(of: "_"), prefixes.contains(String(upper[...underscore])) else {
                return false
            }
            let base = upper.hasSuffix("_FILE") ? String(upper.dropLast(5)) : upper
            if Self.ofEverybody.contains(upper) { return false }
            return !known.contains(upper) && !known.contains(base) && !isOfKubernetes(upper, values[name] ?? "")
        }.sorted()
    }

    private static let ofEverybody: Set<String> = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]

    private func isOfKubernetes(_ name: String, _ value: String) -> Bool {
        name.hasSuffix("_SERVICE_HOST") || name.contains("_SERVICE_PORT")
            || (name.contains("_PORT") && (value.hasPrefix("tcp://") || value.hasPrefix("udp://")))
            || name.contains("_TCP_") || name.contains("_UDP_")
    }
}
