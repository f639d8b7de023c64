// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
public import Rules
import Subprocesses
import Telemetry

/// Whether a rule can be used, asked before it is pushed.
protocol RuleChecking: Sendable {
    func problem(ofSigma source: String) async -> RuleProblem?
    func problem(ofYARA source: String) async -> RuleProblem?
}

extension RuleChecking {
    func problem(ofSigma source: String) async -> RuleProblem? {
        do throws(RuleProblem) {
            _ = try SigmaRule(reading: source)
            return nil
        } catch { return error }
    }
}

/// Compiles YARA in a process of its own, so that a rule built to hurt can't: what takes too long or too much memory
/// ends that process, and counts as a refusal.
actor RuleCheckProcess: RuleChecking {
    /// How the child is called.
    struct Program: Sendable {
        var path = "/proc/self/exe"
        var arguments = ["rule", "yara", "--serve"]
    }

    private let program: Program
    private let limit: Duration
    private let time: any TimeSource
    private let log: Log
    private var child: Subprocess?
    /// One rule at a time goes through the child.
    private let turns = KeyTurns()
    /// What was found out lately: an update of a score brings the same rule again.
    private var known: [String: RuleProblem?] = [:]

    init(_ program: Program = Program(), limit: Duration = .seconds(10), time: any TimeSource, log: Log) {
        self.program = program
        self.limit = limit
        self.time = time
        self.log = log
    }

    func problem(ofYARA source: String) async -> RuleProblem? {
        if let known = known[source] { return known }
        await turns.enter("child")
        let problem = await ask(source)
        await turns.leave("child")
        if known.count >= 256 { known = [:] }
        known[source] = .some(problem)
        return problem
    }

    func stop() {
        child?.signal(9)
        child = nil
    }

    private func ask(_ source: String) async -> RuleProblem? {
        guard source.utf8.count <= YARARules.Limits().maxBytes else {
            return RuleProblem(.tooLarge, language: "YARA", "it has \(source.utf8.count) bytes")
        }
        let child: Subprocess
        do { child = try self.child ?? start() } catch {
            log.warning("Rules are compiled without a process of their own", .cause(error))
            return Self.compile(source)
        }
        self.child = child
        let answer = await withTaskGroup(of: String??.self) { group in
            group.addTask {
                child.write(RuleCheckProtocol.question(source))
                return .some(await child.nextLine())
            }
            group.addTask { [time, limit] in
                try? await time.sleep(for: limit)
                return nil
            }
            let first = await group.next() ?? nil
            if first == nil { child.signal(9) }
            group.cancelAll()
            return first ?? nil
        }
        guard let line = answer else {
            stop()
            return RuleProblem(.tooLarge, language: "YARA", "the compiler ran out of its \(limit) or its memory")
        }
        return RuleCheckProtocol.problem(in: line)
    }

    private func start() throws(Subprocess.Failure) -> Subprocess {
        try Subprocess(program.path, program.arguments, environment: [:], errors: .discarded, input: .pipe)
    }

    private static func compile(_ source: String) -> RuleProblem? {
        do throws(RuleProblem) {
            _ = try YARARules(compiling: source)
            return nil
        } catch { return error }
    }
}

/// What goes between the service and the process that compiles for it: a rule with its length, and a line of JSON.
public enum RuleCheckProtocol {
    static func question(_ source: String) -> [UInt8] {
        Array("\(source.utf8.count)\n".utf8) + Array(source.utf8)
    }

    /// `{}` or `{"kind":"syntax","line":9,"message":"…"}`.
    public static func answer(_ problem: RuleProblem?) -> [UInt8] {
        var members = JSONObject()
        if let problem {
            members["kind"] = .string(problem.kind.rawValue)
            members["line"] = problem.line.map { .int($0) } ?? .null
            members["message"] = .string(problem.message)
        }
        return JSONValue.object(members).bytes + [0x0A]
    }

    static func problem(in line: String) -> RuleProblem? {
        guard let value = try? JSONValue(parsing: line) else {
            return RuleProblem(.tooLarge, language: "YARA", "the compiler's answer can't be read")
        }
        guard let kind = value["kind"]?.string.flatMap({ RuleProblem.Kind(rawValue: $0) }) else { return nil }
        return RuleProblem(
            kind, language: "YARA", line: value["line"]?.int.map { Int($0) }, value["message"]?.string ?? "")
    }
}
