// SPDX-License-Identifier: Apache-2.0

import Base
import HarfangLabIntel
import JSON
import Rules

#if canImport(Glibc)
    import Glibc
#endif

extension Command {
    /// `sallyport rule yara|sigma [FILE]`
    static let rule: Command = {
        let language = Positional(
            name: "LANGUAGE", doc: "yara or sigma.", choices: ["yara", "sigma"])
        let file = Positional(
            name: "FILE", doc: "The rule; without it, standard input.", arity: .optional, completion: .files)
        let serve = Option(
            name: "serve",
            doc: "Compile one YARA rule after another from standard input, each led by its length: how the service has "
                + "rules compiled in a process of bounded memory.")
        return Command(
            name: "rule", summary: "Check a Sigma or YARA rule as it is checked before it is pushed.",
            discussion: """
                YARA is compiled by libyara without includes; of Sigma the YAML and the fields that a console demands are \
                checked. The exit code is 1 for a rule that would become a dead letter.
                """,
            examples: [
                .init(line: "sallyport rule yara loader.yar", meaning: "Compile a file:"),
                .init(line: "sallyport rule sigma --json < rule.yml", meaning: "For a script:"),
            ],
            options: [serve], positionals: [language, file],
            run: { arguments in
                if arguments.isSet(serve) {
                    RuleServer.run()
                    return .ok
                }
                let language = arguments[language].first ?? "yara"
                let source = try RuleServer.read(arguments[file].first, arguments.path)
                let problem = check(source, language)
                if arguments.isSet(CommandLineProgram.json) {
                    Console.write(String(decoding: RuleCheckProtocol.answer(problem), as: UTF8.self))
                } else {
                    Console.write((problem?.description ?? "The rule is usable.") + "\n")
                }
                return problem == nil ? .ok : .problemFound
            })
    }()

    private static func check(_ source: String, _ language: String) -> RuleProblem? {
        do throws(RuleProblem) {
            if language == "sigma" { _ = try SigmaRule(reading: source) } else { _ = try YARARules(compiling: source) }
            return nil
        } catch { return error }
    }
}

/// The child that compiles for the service.
private enum RuleServer {
    /// Rules come as `<bytes>\n<text>`, answers go as lines of JSON, until the input ends.
    static func run() {
        // What a rule can make the compiler take; the parent watches the time.
        var limit = rlimit(rlim_cur: 512 << 20, rlim_max: 512 << 20)
        setrlimit(__rlimit_resource_t(UInt32(RLIMIT_DATA.rawValue)), &limit)
        guard let input = fdopen(STDIN_FILENO, "r"), let output = fdopen(STDOUT_FILENO, "w") else { return }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, input) > 0, let start = line, let count = Int(text(start)),
            (0...(16 << 20)).contains(count)
        {
            var bytes = [UInt8](repeating: 0, count: count)
            guard fread(&bytes, 1, count, input) == count else { return }
            var problem: RuleProblem?
            do throws(RuleProblem) {
                _ = try YARARules(compiling: String(decoding: bytes, as: UTF8.self))
            } catch { problem = error }
            let answer = RuleCheckProtocol.answer(problem)
            fwrite(answer, 1, answer.count, output)
            fflush(output)
        }
    }

    private static func text(_ line: UnsafeMutablePointer<CChar>) -> String {
        String(String(cString: line).prefix { $0.isNumber })
    }

    static func read(_ path: String?, _ command: [String]) throws -> String {
        let name = path ?? "standard input"
        let limit = 16 << 20
        do throws(FileReadError) {
            let bytes: [UInt8]
            if let path {
                bytes = try readFile(path, atMost: limit)
            } else {
                bytes = try readAll(STDIN_FILENO, atMost: limit)
            }
            return String(decoding: bytes, as: UTF8.self)
        } catch { throw UsageError("\(name) can't be read: \(error).", remedy: "", path: command) }
    }
}
