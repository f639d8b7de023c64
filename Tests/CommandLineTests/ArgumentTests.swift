// SPDX-License-Identifier: Apache-2.0

import Base
import Settings
import Synchronization
import Testing

@testable import sallyport

/// A command line with one of everything.
enum Sample {
    static let config = Option(
        name: "config", short: "c", value: "PATH", doc: "The file to read.", completion: .files)
    static let set = Option(name: "set", short: "s", value: "KEY=VALUE", doc: "A setting.", isRepeatable: true)
    static let wait = Option(name: "wait", value: "DURATION", doc: "How long.")
    static let form = Option(name: "form", value: "FORM", doc: "The form.", choices: ["table", "lines"])
    static let quiet = Option(name: "quiet", short: "q", doc: "Say little.")
    static let verbose = Option(name: "verbose", short: "v", doc: "Say much: it's a lot.")
    static let name = Positional(name: "NAME", doc: "A connector.", arity: .optional, choices: ["one", "two"])
    static let id = Positional(name: "ID", doc: "Its number.")
    static let values = Positional(name: "VALUE", doc: "Values.", arity: .oneOrMore)

    static let root = Command(
        name: "prog", summary: "does things.", options: [CommandLineProgram.json, config],
        subcommands: [
            Command(
                name: "run", aliases: ["start"], summary: "Run it.", options: [set, wait, form, quiet, verbose],
                positionals: [name], run: { _ in .ok }),
            Command(
                name: "dlq", summary: "Dead letters.",
                subcommands: [
                    Command(name: "list", summary: "List them.", options: [quiet], run: { _ in .problemFound }),
                    Command(name: "show", summary: "Show one.", positionals: [id], run: { _ in .ok }),
                ]),
            Command(name: "explain", summary: "Explain values.", positionals: [id, values], run: { _ in .ok }),
        ])

    static func parse(_ line: String...) throws(UsageError) -> ParsedArguments? {
        if case .run(let parsed) = try ArgumentParser(root: root).parse(line) { parsed } else { nil }
    }

    static func complaint(_ line: String...) -> String? {
        do {
            _ = try ArgumentParser(root: root).parse(line)
            return nil
        } catch { return error.description }
    }
}

@Suite("Command-line arguments") struct ArgumentTests {
    @Test func `values come after a blank, an equals sign or the letter itself`() throws {
        for line in [["--config", "a"], ["--config=a"], ["-c", "a"], ["-ca"]] {
            guard case .run(let parsed) = try ArgumentParser(root: Sample.root).parse(["run"] + line) else {
                Issue.record("no command")
                continue
            }
            #expect(parsed[Sample.config] == "a" && parsed.path == ["run"])
        }
        let parsed = try #require(try Sample.parse("run", "--config=", "--set", "-x=1", "-s", "b=2"))
        #expect(parsed[Sample.config] == "" && parsed.all(Sample.set) == ["-x=1", "b=2"])
    }

    @Test func `switches may stand together and anywhere`() throws {
        let parsed = try #require(try Sample.parse("--json", "-qv", "start", "one", "-c", "f"))
        #expect(parsed.isSet(Sample.quiet) && parsed.isSet(Sample.verbose) && parsed.isSet(CommandLineProgram.json))
        #expect(parsed[Sample.name] == ["one"] && parsed[Sample.config] == "f" && parsed.path == ["run"])
    }

    @Test func `after two dashes all is words, one dash is a word`() throws {
        let parsed = try #require(try Sample.parse("explain", "-", "--", "--json", "-q"))
        #expect(parsed[Sample.id] == ["-"] && parsed[Sample.values] == ["--json", "-q"])
        #expect(!parsed.isSet(CommandLineProgram.json))
    }

    @Test func `words reach their arguments, subcommands by name`() throws {
        #expect(try Sample.parse("dlq", "show", "7")?[Sample.id] == ["7"])
        #expect(try Sample.parse("run")?[Sample.name] == [])
        // A word named like a command is only one where a command can stand.
        #expect(try Sample.parse("explain", "run", "list")?[Sample.values] == ["list"])
    }

    @Test func `values have the types of settings`() throws {
        let parsed = try #require(try Sample.parse("run", "--wait", "5m"))
        #expect(try parsed.value(Sample.wait, as: Duration.self) == .seconds(300))
        #expect(try parsed.value(Sample.form, as: String.self) == nil)
        let wrong = try #require(try Sample.parse("run", "--wait", "soon"))
        #expect {
            try wrong.value(Sample.wait, as: Duration.self)
        } throws: { "\($0)".hasPrefix("“soon” for --wait is no duration. Give a duration such as") }
    }

    @Test(arguments: [
        (["rnu"], "There is no command “rnu”. Did you mean “run”?"),
        (["dlq"], "prog dlq needs a subcommand. One of: list, show."),
        (["dlq", "lst"], "There is no command “dlq lst”. Did you mean “list”?"),
        (["run", "--jsn"], "There is no option --jsn. Did you mean --json?"),
        (["run", "-x"], "There is no option -x."),
        (["dlq", "list", "--verbose"], "There is no option --verbose."),
        (["-q", "explain", "1", "2"], "prog explain has no option -q."),
        (["run", "--config"], "--config needs a value. Write --config PATH."),
        (["run", "-c"], "-c needs a value. Write -c PATH."),
        (["run", "--quiet=1"], "--quiet takes no value. Write --quiet alone."),
        (["run", "-c", "a", "-c", "b"], "-c is given twice. Keep one of them."),
        (["run", "--form", "tabel"], "“tabel” is not allowed for --form. Did you mean table?"),
        (["run", "three"], "“three” is not allowed for NAME. Allowed: one, two."),
        (
            ["run", "one", "two"],
            "“two” is more than prog run takes. Leave it out, or quote words that belong together."
        ),
        (["dlq", "show"], "ID is missing. Its number."), (["explain", "1"], "VALUE is missing. Values."),
        (["help", "rnu"], "There is no command “rnu”. Did you mean “run”?"),
    ])
    func `says what is wrong`(_ line: [String], _ complaint: String) {
        #expect {
            try ArgumentParser(root: Sample.root).parse(line)
        } throws: { ($0 as? UsageError)?.description.trimmingSuffix(" ") == complaint }
    }

    @Test func `an option that is wrong for the command does not hide a command that is unknown`() {
        #expect(Sample.complaint("--quiet", "nothing") == "There is no command “nothing”. ".trimmingSuffix(" "))
    }
}

extension String {
    func trimmingSuffix(_ suffix: String) -> String { hasSuffix(suffix) ? String(dropLast(suffix.count)) : self }
}

@Suite("Command-line program") struct ProgramTests {
    /// Everything written, answers before complaints.
    final class Output: Sendable {
        let answers = Mutex("")
        let complaints = Mutex("")
    }

    func run(_ arguments: [String], _ root: Command = Sample.root) async -> (ExitCode, String, String) {
        let output = Output()
        var program = CommandLineProgram(root)
        program.write = { text in output.answers.withLock { $0 += text } }
        program.complain = { text in output.complaints.withLock { $0 += text } }
        let code = await program.run(arguments)
        return (code, output.answers.withLock { $0 }, output.complaints.withLock { $0 })
    }

    func failing(_ error: any Error & Sendable) -> Command {
        Command(
            name: "prog", summary: "x.", options: [CommandLineProgram.json],
            subcommands: [Command(name: "go", summary: "Go.", run: { _ in throw error })])
    }

    struct Failure: ActionableError {
        var code: ErrorCode { "test.failure" }
        var isRetryable: Bool { false }
        var description: String { "It broke. Mend it." }
    }

    // covers: cli:exit-codes
    @Test func `the exit status says what kind of end it was`() async {
        #expect(await run(["dlq", "list"]).0 == .problemFound)
        #expect(await run(["run"]).0 == .ok)
        #expect(await run(["run", "--no"]).0 == .usage)
        #expect(await run(["go"], failing(SettingsError(problems: []))).0 == .configuration)
        #expect(await run(["go"], failing(CancellationError())).0 == .interrupted)
        #expect(await run(["go"], failing(Failure())).0 == .problemFound)
        #expect(ExitCode.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5])
    }

    @Test func `a failure is one sentence with its remedy, in JSON when asked`() async {
        let plain = await run(["go"], failing(Failure()))
        #expect(plain.1.isEmpty && plain.2 == "prog: It broke. Mend it.\n")
        let json = await run(["--json", "go"], failing(Failure()))
        #expect(json.2 == #"{"error":{"code":"test.failure","message":"It broke. Mend it."}}"# + "\n")
        let usage = await run(["dlq", "show"])
        #expect(usage.2.hasSuffix("`prog dlq show --help` tells how it is used.\n"))
    }

    // covers: cli:help
    @Test(arguments: [["--help"], ["help"], []])
    func `the program's help lists commands and exit statuses`(_ line: [String]) async {
        let (code, text, _) = await run(line)
        #expect(code == .ok)
        for word in ["prog: does things.", "  run      Run it.", "dlq", "--json", "  3  the settings are wrong"] {
            #expect(text.contains(word), "\(text)")
        }
    }

    // covers: cli:help
    @Test(arguments: [["help", "run"], ["run", "--help"], ["start", "-h", "--bad"], ["--help", "run", "one"]])
    func `a command's help has usage, arguments and options, also those from above`(_ line: [String]) async {
        let (_, text, _) = await run(line)
        #expect(
            text == """
                prog run: Run it.

                Usage:
                  prog run [OPTIONS] [NAME]

                Also called: start

                Arguments:
                  NAME  A connector. One of: one, two.

                Options:
                  -s, --set KEY=VALUE  A setting. Repeatable.
                      --wait DURATION  How long.
                      --form FORM      The form. One of: table, lines.
                  -q, --quiet          Say little.
                  -v, --verbose        Say much: it's a lot.
                      --json           Answer in JSON.
                  -c, --config PATH    The file to read.
                  -h, --help           Show this help.

                """)
    }

    @Test func `help wraps at the width of the terminal`() {
        let long = Command(
            name: "prog", summary: "x.", discussion: String(repeating: "word ", count: 60),
            options: [
                Option(
                    name: "an-option-with-a-very-long-name", value: "VALUE", doc: String(repeating: "doc ", count: 40))
            ],
            run: { _ in .ok })
        let text = CommandHelp(root: long, width: 60).text([])
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 60 })
    }

    // covers: cli:help
    @Test func `every command of this program is documented`() {
        func check(_ command: Command, _ path: String) {
            let path = path + " " + command.name
            #expect(!command.summary.isEmpty && command.summary.hasSuffix("."), "\(path)")
            #expect(command.run != nil || !command.subcommands.isEmpty, "\(path)")
            #expect(Set(command.options.map(\.name)).count == command.options.count, "\(path)")
            for option in command.options { #expect(option.doc.hasSuffix("."), "\(path) --\(option.name)") }
            for positional in command.positionals {
                #expect(positional.doc.hasSuffix("."), "\(path) \(positional.name)")
            }
            for (index, positional) in command.positionals.enumerated() where index + 1 < command.positionals.count {
                #expect(positional.arity == .one, "\(path): only the last argument may be left out or repeated")
            }
            for subcommand in command.subcommands { check(subcommand, path) }
        }
        check(.sallyport, "")
    }

    @Test func `the reference page has every command, option and status`() {
        let page = CommandReference.markdown(Sample.root)
        for line in [
            "## prog run", "### prog dlq show", "| `-c`, `--config PATH` | The file to read. |",
            "| 3 | the settings are wrong |",
            "| `NAME` | A connector. One of: `one`, `two`. |", "prog explain [OPTIONS] ID VALUE…",
            "Also called: start.",
        ] {
            #expect(page.contains(line), "\(page)")
        }
    }

    // covers: cli:version
    @Test func `version answers`() async {
        #expect(await run(["version"], .sallyport).0 == .ok)
    }
}
