// SPDX-License-Identifier: Apache-2.0

import Base
import CrowdSecEnrichment
import Engine
import JSON
import Settings
import Storage

#if canImport(Glibc)
    import Glibc
#endif

extension Command {
    /// `sallyport enrich IP…`
    static let enrich: Command = {
        let addresses = Positional(name: "IP", doc: "IPv4 or IPv6 addresses; each costs one token.", arity: .many)
        let options = [ConfigurationChoice.file, ConfigurationChoice.set]
        return Command(
            name: "enrich", summary: "Ask CrowdSec about addresses, and show what OpenCTI would get.",
            discussion: """
                Takes the settings of the connector crowdsec from the environment (CROWDSEC_KEY and so on), or with \
                --config from the first such flow of a sallyport.yaml. Writes nothing anywhere. Exit status 3: the \
                settings are wrong; 4: CrowdSec refuses, its quota is spent, or it can't be reached.
                """,
            examples: [
                .init(line: "sallyport enrich 192.0.2.10", meaning: "A table:"),
                .init(line: "sallyport enrich --json 2001:db8::1", meaning: "The STIX bundle, one line:"),
            ],
            options: options, positionals: [addresses],
            run: { arguments in
                let wanted = arguments[addresses]
                guard !wanted.isEmpty else {
                    throw UsageError("Which address?", remedy: "", path: arguments.path)
                }
                if let text = wanted.first(where: { !CrowdSecEnrichmentConnector.canAsk(about: $0) }) {
                    throw UsageError("“\(text)” is no public IP address.", remedy: "", path: arguments.path)
                }
                return try await EnrichCommand(isJSON: arguments.isSet(CommandLineProgram.json))
                    .run(wanted, try configuration(arguments))
            })
    }()

    /// The connector's part of a configuration, without what only OpenCTI needs.
    private static func configuration(
        _ arguments: ParsedArguments
    ) throws -> (FlowConfiguration, Configuration) {
        let name = CrowdSecEnrichmentConnector.declaration.name
        if arguments.isSet(ConfigurationChoice.file) {
            let configuration = try ConfigurationChoice(arguments).read()
            guard let flow = configuration.flows.first(where: { $0.connector.name == name }) else {
                throw UsageError("No flow there has the connector \(name).", remedy: "", path: arguments.path)
            }
            return (flow, configuration)
        }
        let declaration = CrowdSecEnrichmentConnector.lookupDeclaration
        let configuration = try SettingsCatalogue(connectors: [declaration]).dropIn(
            declaration, files: .find(in: "."),
            input: .process(overrides: try ConfigurationChoice.overrides(arguments)))
        return (configuration.flows[0], configuration)
    }
}

private struct EnrichCommand {
    let isJSON: Bool

    func run(_ addresses: [String], _ settings: (FlowConfiguration, Configuration)) async throws -> ExitCode {
        let store = try await SQLiteStore.open(path: ":memory:")
        guard
            let connector = try Offline.connector(settings.0, settings.1, store: store)
                as? CrowdSecEnrichmentConnector
        else { return .problemFound }
        var code = ExitCode.ok
        for (index, address) in addresses.enumerated() {
            do {
                let report = try await connector.report(on: address)
                if isJSON { Console.write(report.bundle + "\n") } else { show(report, isFirst: index == 0) }
            } catch let error as any ActionableError {
                Console.complain(error, of: ("address", address), isJSON: isJSON)
                code = error is ConnectorError ? .configuration : .remoteRefused
                break
            }
        }
        await store.close()
        return code
    }

    private func show(_ report: AddressReport, isFirst: Bool) {
        if !isFirst { Console.write("\n") }
        let width = report.lines.map { $0.field.count }.max() ?? 0
        var last = ""
        for (field, text) in report.lines {
            let label = field == last ? "" : field
            Console.write(label + String(repeating: " ", count: width - label.count) + "  " + text + "\n")
            last = field
        }
    }
}
