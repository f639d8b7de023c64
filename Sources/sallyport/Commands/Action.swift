// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Engine
import Falcon
import FalconActions
import HTTPClient
import JSON
import Settings
import Storage
import Synchronization
import Telemetry

#if canImport(Glibc)
    import Glibc
#endif

extension Command {
    /// `sallyport action SLUG …`
    static let action: Command = Command(
        name: "action", summary: "Do one of Falcon's response actions: contain hosts, set alerts, block IOCs.",
        discussion: """
            Settings come from the flow with the connector falcon-actions of a sallyport.yaml, or without one from the \
            variables of that connector. Arguments are given as flags, or together with --args as JSON, as @FILE, or as - \
            for standard input; flags win. Exit status 1: a part of it failed, the others are done.
            """,
        examples: [
            .init(
                line: "sallyport action isolate_endpoints --ids 8c84a2247885263b597cc4685f4d1147",
                meaning: "Contain a host:"),
            .init(
                line: "sallyport action push_iocs_for_detection --stix-objects-path iocs.json --dry-run",
                meaning: "Look what a file of STIX indicators would do:"),
        ],
        options: [ConfigurationChoice.file, ConfigurationChoice.set, ActionCommand.flow],
        subcommands: FalconAction.all.map { ActionCommand.command(for: $0) } + [ActionCommand.validation])
}

/// The commands below `action`.
enum ActionCommand {
    static let flow = Option(
        name: "flow", value: "NAME", doc: "The flow of the sallyport.yaml to take, where several are falcon-actions.")
    private static let arguments = Option(
        name: "args", value: "JSON", doc: "All arguments: a JSON object, @FILE, or - for standard input.",
        completion: .files)
    private static let dryRun = Option(
        name: "dry-run", doc: "Read what is needed, change nothing, and show what would be sent.")
    private static let platform = Option(
        name: "platform",
        doc: "Take configuration and arguments from Sekoia's platform, and tell it how it ended, as the original does.")

    static func command(for action: FalconAction) -> Command {
        let options = action.arguments.map { argument in
            let isJSON = argument.type == "object" || (argument.type == "array" && !argument.isTextList)
            let doc = argument.doc.isEmpty ? "The argument `\(argument.name)`" : argument.doc
            return Option(
                name: argument.name.replacing("_", with: "-"), value: isJSON ? "JSON" : "VALUE",
                doc: doc + (argument.isRequired ? " (required)." : "."), choices: argument.choices,
                isRepeatable: argument.isTextList, completion: argument.name.hasSuffix("_path") ? .files : .nothing)
        }
        let own = action.dockerParameter == action.slug ? [] : [action.dockerParameter]
        return Command(
            name: action.slug, aliases: own, summary: action.summary,
            discussion: "Needs the API scopes \(action.scopes.map { "“\($0)”" }.joined(separator: " and ")).",
            options: options + [arguments, dryRun, platform],
            run: { parsed in
                if parsed.isSet(platform) { return try await PlatformAction(action.slug).run(parsed) }
                let given = try Given(action, parsed)
                return try await withConnector(parsed) { connector in
                    let actions = try connector.actions(isRehearsal: parsed.isSet(dryRun)) { path in
                        try LocalFile.read(path)
                    }
                    let result: ActionResult
                    do { result = try await actions.run(action.slug, given.arguments) } catch let error as ActionError {
                        guard case .arguments(let text) = error else { throw error }
                        throw UsageError(text, remedy: "", path: parsed.path)
                    } catch let error as FalconError {
                        return refused(error, isJSON: parsed.isSet(CommandLineProgram.json))
                    }
                    show(result, action, isJSON: parsed.isSet(CommandLineProgram.json))
                    return result.errors.isEmpty ? .ok : .problemFound
                }
            })
    }

    /// The account's validation, which the platform starts like an action.
    static let validation = Command(
        name: "validate_module_configuration", summary: "Look whether the tenant accepts the API client.",
        options: [platform],
        run: { parsed in
            if parsed.isSet(platform) { return try await PlatformAction(nil).run(parsed) }
            return try await withConnector(parsed) { connector in
                let problem = await connector.validate()
                Console.write((problem ?? "The tenant accepts the API client.") + "\n")
                return problem == nil ? .ok : .remoteRefused
            }
        })

    private static func show(_ result: ActionResult, _ action: FalconAction, isJSON: Bool) {
        guard !isJSON else { return Console.write(result.json.text + "\n") }
        for call in result.rehearsed ?? [] {
            Console.write("would send  \(call.method) \(call.path)\(call.body.map { " \($0.text)" } ?? "")\n")
        }
        for resource in result.resources { Console.write((resource.string ?? resource.text) + "\n") }
        for id in result.deleted ?? [] { Console.write("deleted  \(id)\n") }
        for skipped in result.skipped ?? [] {
            Console.write("skipped  \(skipped.value) \(skipped.id): \(skipped.reason)\n")
        }
        for error in result.errors {
            Console.complain("refused  \(error.id ?? ""): \(error.message) (\(error.code))\n")
        }
        if let next = result.after ?? result.offset { Console.write("more from --offset \(next)\n") }
        if let affected = result.affected { Console.write("\(affected) changed\n") }
    }

    /// Nothing was done: Falcon's word for it.
    private static func refused(_ error: FalconError, isJSON: Bool) -> ExitCode {
        let answer: JSONValue = ["error": ["code": .string(error.code.text), "message": .string(error.description)]]
        Console.complain(isJSON ? answer.text + "\n" : "\(error.description)\n")
        return .remoteRefused
    }

    /// The connector of a configuration file or of the variables, without a state: an action keeps none.
    static func withConnector<Result: Sendable>(
        _ parsed: ParsedArguments, isPlatform: Bool = false,
        _ body: (FalconActionsConnector) async throws -> Result
    ) async throws -> Result {
        let name = FalconActionsConnector.declaration.name
        let isFile = parsed[ConfigurationChoice.file] != nil || ConfigurationChoice.defaultPath != nil
        let choice = try ConfigurationChoice(parsed, name: isFile && !isPlatform ? nil : name)
        let configuration = try choice.read()
        let flows = configuration.flows.filter { $0.connector.name == name }
        let wanted = parsed[flow]
        guard let chosen = flows.first(where: { wanted == nil || $0.name == wanted }) else {
            throw UsageError(
                "There is no flow \(wanted.map { "“\($0)” " } ?? "")with the connector \(name).",
                remedy: "Add one to the sallyport.yaml; it needs no more than its Falcon connection.", path: parsed.path
            )
        }
        return try await Offline.withConnector(chosen, configuration) { connector in
            guard let connector = connector as? FalconActionsConnector else {
                throw UsageError("The flow \(chosen.name) has no actions.", remedy: "", path: parsed.path)
            }
            return try await body(connector)
        }
    }
}

/// Arguments from `--args` and flags.
private struct Given {
    let arguments: JSONObject

    init(_ action: FalconAction, _ parsed: ParsedArguments) throws {
        var arguments: JSONObject = [:]
        if let text = parsed.all(Option(name: "args", doc: "")).last {
            let value = try Self.json(text, "args", parsed)
            guard let object = value.object else {
                throw UsageError("--args holds no JSON object.", remedy: "", path: parsed.path)
            }
            arguments = object
        }
        for argument in action.arguments {
            let name = argument.name.replacing("_", with: "-")
            let values = parsed.all(Option(name: name, doc: ""))
            guard let last = values.last else { continue }
            switch argument.type {
            case "string": arguments[argument.name] = .string(last)
            case "integer", "boolean": arguments[argument.name] = try Self.json(last, name, parsed)
            default:
                arguments[argument.name] =
                    argument.isTextList && !last.hasPrefix("@") && !last.hasPrefix("[")
                    ? .array(values.flatMap { $0.split(separator: ",") }.map { .string(String($0)) })
                    : try Self.json(last, name, parsed)
            }
        }
        self.arguments = arguments
    }

    private static func json(_ text: String, _ name: String, _ parsed: ParsedArguments) throws -> JSONValue {
        let bytes: [UInt8] =
            if text.hasPrefix("@") {
                try LocalFile.read(String(text.dropFirst()))
            } else if text == "-" { try LocalFile.standardInput() } else { Array(text.utf8) }
        do { return try JSONValue(parsing: bytes) } catch {
            throw UsageError("--\(name) is no JSON: \(error).", remedy: "", path: parsed.path)
        }
    }
}

/// Files of the person who calls, read at once.
enum LocalFile {
    private static let maxBytes = 256 << 20

    static func read(_ path: String) throws -> [UInt8] {
        do throws(FileReadError) { return try readFile(path, atMost: maxBytes) } catch {
            throw ActionError.input(name: path, reason: "\(error)")
        }
    }

    static func standardInput() throws -> [UInt8] {
        do throws(FileReadError) { return try readAll(STDIN_FILENO, atMost: maxBytes) } catch {
            throw ActionError.input(name: "standard input", reason: "\(error)")
        }
    }
}

/// An action as Sekoia's platform starts it: configuration, secrets and arguments from there, the ending told to it.
///
/// Source: Sekoia.io module, 5.1 and 5.4.
private struct PlatformAction {
    /// `nil` for the account's validation.
    private let slug: String?

    init(_ slug: String?) { self.slug = slug }

    func run(_ parsed: ParsedArguments) async throws -> ExitCode {
        let parameters = SymphonyParameters(environment: SettingsInput.process().environment)
        let action = try SymphonyAction(parameters, transport: try CurlTransport())
        let ending = try await action.run(needsSecrets: slug != nil) { call in
            let secret = call.module("client_secret").map { Secret($0) }
            return try await ActionCommand.withConnector(parsed, isPlatform: true) { connector in
                guard let slug else {
                    let problem = await connector.validate(secret: secret)
                    return .init(results: ["success": .bool(problem == nil)], error: problem)
                }
                let actions = try connector.actions(secret: secret) { path in
                    guard let bytes = try await call.data.read(path) else {
                        throw ActionError.input(name: path, reason: "there is no such file in the data path")
                    }
                    return bytes
                }
                let result = try await actions.run(slug, call.arguments)
                return .init(results: result.json, error: result.failure)
            }
        }
        if let results = ending.results { Console.write(results.text + "\n") }
        if let error = ending.error { Console.complain(error + "\n") }
        return ending.error == nil ? .ok : .problemFound
    }
}
