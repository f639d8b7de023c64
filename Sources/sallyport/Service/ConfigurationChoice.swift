// SPDX-License-Identifier: Apache-2.0

import Settings

#if canImport(Glibc)
    import Glibc
#endif

/// Which configuration a command works with: a `sallyport.yaml`, or an original's environment and `config.yml`.
struct ConfigurationChoice: Sendable {
    static let connector = Option(
        name: "connector", value: "NAME",
        doc: "Work as a drop-in for this connector, with its original's environment variables and config.yml.")
    static let file = Option(
        name: "config", short: "c", value: "FILE",
        doc: "The sallyport.yaml. Default: $SALLYPORT_CONFIG, ./sallyport.yaml, /etc/sallyport/sallyport.yaml.",
        completion: .files)
    static let set = Option(
        name: "set", value: "KEY=VALUE",
        doc: "Override a setting: crowdstrike.batch_size=500, flows.iocs.batch_size=500 or log.level=debug.",
        isRepeatable: true)
    static let options = [connector, file, set]

    private let dropIn: ConnectorSettings?
    private let path: String?
    private let overrides: [SettingsInput.Override]

    /// - Parameter name: a positional argument that names the connector; the same as `--connector`.
    init(_ arguments: ParsedArguments, name: String? = nil) throws(UsageError) {
        overrides = try Self.overrides(arguments)
        if let wanted = name ?? arguments[Self.connector] {
            dropIn = try Catalogue.connector(named: wanted, path: arguments.path)
            path = nil
            return
        }
        dropIn = nil
        path = arguments[Self.file] ?? Self.defaultPath
        if path == nil {
            throw UsageError(
                "There is neither a sallyport.yaml nor a connector's name.",
                remedy: "Give --config FILE, or --connector NAME to replace a single connector.", path: arguments.path)
        }
    }

    /// What `--set` says.
    static func overrides(_ arguments: ParsedArguments) throws(UsageError) -> [SettingsInput.Override] {
        try arguments.all(set).map { text throws(UsageError) in
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw UsageError("“\(text)” is no KEY=VALUE.", remedy: "", path: arguments.path)
            }
            return .init(key: String(text[..<equals]), text: String(text[text.index(after: equals)...]))
        }
    }

    /// Reads it, now or again.
    func read() throws(SettingsError) -> Configuration {
        let input = SettingsInput.process(overrides: overrides)
        if let dropIn {
            return try Catalogue.settings.dropIn(dropIn, files: .find(in: "."), input: input)
        }
        return try Catalogue.settings.file(path ?? "", input: input)
    }

    /// Whether an original is replaced: its own log form is then the default.
    var isDropIn: Bool { dropIn != nil }

    /// The file that is taken when none is named; `nil` when there is none.
    static var defaultPath: String? {
        if let path = getenv("SALLYPORT_CONFIG") { return String(cString: path) }
        return ["sallyport.yaml", "/etc/sallyport/sallyport.yaml"].first { access($0, F_OK) == 0 }
    }
}
