// SPDX-License-Identifier: Apache-2.0

import JSON
import STIX

#if canImport(Glibc)
    import Glibc
#endif

extension Command {
    /// `sallyport pattern [PATTERN…]`
    static let pattern: Command = {
        let patterns = Positional(
            name: "PATTERN", doc: "STIX patterns; without any, lines of standard input.", arity: .many)
        let file = Option(
            name: "file", short: "f", value: "FILE", doc: "Read patterns from a file, one a line.", completion: .files)
        return Command(
            name: "pattern", summary: "Show what STIX patterns become: valid or not, and which observables.",
            examples: [
                .init(line: "sallyport pattern \"[domain-name:value = 'evil.example']\"", meaning: "One pattern:"),
                .init(line: "sallyport pattern --json --file patterns.txt", meaning: "Many, one JSON line each:"),
            ],
            options: [file], positionals: [patterns],
            run: { arguments in
                let isJSON = arguments.isSet(CommandLineProgram.json)
                var patterns = arguments[patterns]
                if let path = arguments[file] {
                    patterns = try lines(ofFile: path, arguments.path)
                } else if patterns.isEmpty, let input = fdopen(STDIN_FILENO, "r") {
                    patterns = lines(of: input)
                }
                let verdicts = patterns.map { PatternReport($0).write(isJSON: isJSON) }
                return verdicts.allSatisfy(\.self) ? .ok : .problemFound
            })
    }()

    private static func lines(ofFile path: String, _ command: [String]) throws -> [String] {
        guard let stream = fopen(path, "r") else {
            throw UsageError(
                "\(path) can't be read: \(String(cString: strerror(errno))).", remedy: "", path: command)
        }
        defer { fclose(stream) }
        return lines(of: stream)
    }

    private static func lines(of stream: UnsafeMutablePointer<FILE>) -> [String] {
        var lines: [String] = []
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while case let length = getline(&line, &capacity, stream), length > 0, let start = line {
            var bytes = UnsafeRawBufferPointer(start: start, count: length)
            while let last = bytes.last, last == 0x0A || last == 0x0D {
                bytes = UnsafeRawBufferPointer(rebasing: bytes.dropLast())
            }
            if !bytes.isEmpty { lines.append(String(decoding: bytes, as: UTF8.self)) }
        }
        return lines
    }
}

/// What one pattern gives.
struct PatternReport {
    let pattern: String
    private enum Outcome {
        case valid(ExtractedObservables)
        case invalid(offset: Int, message: String)
    }
    private let outcome: Outcome

    init(_ pattern: String) {
        self.pattern = pattern
        do throws(PatternError) {
            // The grammar first, then the specification's rules beyond it.
            if let issue = try Pattern(parsing: pattern).issues.first(where: { $0.rule.isRefused }) {
                outcome = .invalid(offset: issue.offset, message: issue.message)
            } else {
                outcome = .valid(try PatternParser.observables(in: pattern))
            }
        } catch {
            outcome = .invalid(offset: error.offset, message: error.message)
        }
    }

    /// `{"pattern", "valid", "error": {"offset", "message"} | null, "observables": [{"type", "value"}], "skipped": […]}`
    var json: JSONValue {
        var answer: JSONObject = ["pattern": .string(pattern)]
        switch outcome {
        case .valid(let extracted):
            answer["valid"] = true
            answer["error"] = .null
            answer["observables"] = .array(
                extracted.observables.map {
                    ["type": .string($0.type.description), "value": .string($0.value)]
                })
            answer["skipped"] = .array(
                extracted.skipped.map {
                    ["path": .string($0.path), "offset": .int($0.offset), "reason": .string($0.reason.description)]
                })
        case .invalid(let offset, let message):
            answer["valid"] = false
            answer["error"] = ["offset": .int(offset), "message": .string(message)]
            answer["observables"] = []
        }
        return .object(answer)
    }

    /// - Returns: whether the pattern is valid.
    func write(isJSON: Bool) -> Bool {
        if isJSON {
            Console.write(json.text + "\n")
        } else {
            Console.write(pattern + "\n")
            switch outcome {
            case .valid(let extracted):
                for observable in extracted.observables { Console.write("  \(observable.type)  \(observable.value)\n") }
                for skipped in extracted.skipped { Console.write("  left out: \(skipped)\n") }
                if extracted.observables.isEmpty { Console.write("  gives nothing to look for\n") }
            case .invalid(let offset, let message):
                Console.write("  not valid, byte \(offset): \(message)\n")
            }
        }
        if case .valid = outcome { return true }
        return false
    }
}
