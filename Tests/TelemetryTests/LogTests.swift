// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import Synchronization
import Testing

@testable import Telemetry

@Suite("Log") struct LogTests {
    let time = ManualTime()
    let sink = MemorySink()

    func output(
        _ format: LogFormat, level: LogLevel = .info, isColoured: Bool = false,
        limits: LogOutput.Limits = LogOutput.Limits()
    ) -> LogOutput {
        LogOutput(format: format, level: level, sink: sink, isColoured: isColoured, limits: limits, time: time)
    }

    func object(_ line: String) throws -> NSDictionary {
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? NSDictionary)
    }

    @Test func `JSON lines hold time, level, message and every kind of field`() throws {
        let output = output(.json)
        Log(to: output).with(.field("connector", "c"), .field("flow", "f")).warning(
            "Refused.", .field("text", "a \"b\"\\"), .field("count", 3), .field("ratio", 0.5), .field("on", true),
            .field("took", Duration.milliseconds(1250)), .field("token", Secret("hunter2")),
            .field("odd", Double.nan))
        output.flush()
        #expect(
            try object(sink.lines[0]) == [
                "time": "2026-01-01T00:00:00.000Z", "level": "warning", "message": "Refused.", "connector": "c",
                "flow": "f", "text": "a \"b\"\\", "count": 3, "ratio": 0.5, "on": true, "took": 1.25,
                "token": "[redacted]", "odd": NSNull(),
            ])
    }

    // covers: key:OPENCTI_JSON_LOGGING
    @Test func `the originals' form has timestamp, capitals, name and attributes`() throws {
        let output = output(.opencti)
        let log = Log(to: output).with(.field("connector", "CrowdStrike"))
        log.info("Processing indicator", .field("Indicator ID", "x"))
        log.error("Stopped")
        output.flush()
        #expect(
            try object(sink.lines[0]) == [
                "timestamp": "2026-01-01T00:00:00.000000Z", "level": "INFO", "name": "CrowdStrike",
                "message": "Processing indicator", "attributes": ["Indicator ID": "x"],
            ])
        #expect(
            try object(sink.lines[1]) == [
                "timestamp": "2026-01-01T00:00:00.000000Z", "level": "ERROR", "name": "CrowdStrike",
                "message": "Stopped",
            ])
    }

    @Test func `logfmt quotes what is not one word`() {
        let output = output(.logfmt)
        Log(to: output).info("Hi there.", .field("a", "plain"), .field("b", "two words"), .field("c", ""))
        output.flush()
        #expect(
            sink.lines == [#"time=2026-01-01T00:00:00.000Z level=info message="Hi there." a=plain b="two words" c="""#])
    }

    @Test func `pretty lines are coloured only when asked`() {
        for isColoured in [false, true] {
            let output = output(.pretty, isColoured: isColoured)
            Log(to: output).error("Broken.", .field("a", 1))
            output.flush()
        }
        #expect(sink.lines[0] == "2026-01-01T00:00:00.000Z ERROR Broken. a=1")
        #expect(sink.lines[1].contains("\u{1B}[1;31mERROR\u{1B}[0m"))
    }

    @Test(arguments: [LogFormat.pretty, .json, .logfmt, .opencti])
    func `a value can neither end a line nor steer the terminal`(_ format: LogFormat) {
        let output = output(format)
        let hostile = "x\nlevel=error \u{1B}[2J\r\u{7F}\u{9B}31m\u{2028}\u{202E}\u{2066}\u{0}é€"
        Log(to: output).info("In.", .field("value", hostile))
        output.flush()
        #expect(sink.lines.count == 1)
        let scalars = sink.lines[0].unicodeScalars
        #expect(
            !scalars.contains {
                $0.properties.generalCategory == .control || $0.properties.generalCategory == .format
                    || $0.properties.generalCategory == .lineSeparator
            })
        #expect(sink.lines[0].contains(#"x\nlevel=error \u001b[2J\r\u007f\u009b31m\u2028\u202e\u2066\u0000é€"#))
    }

    @Test func `long values are cut at a character`() throws {
        let output = output(.json)
        Log(to: output).info("Long.", .field("value", String(repeating: "é", count: 10_000)))
        output.flush()
        let value = try #require(try object(sink.lines[0])["value"] as? String)
        #expect(value == String(repeating: "é", count: 4096) + "…")
    }

    @Test func `a failure gives its text and its code`() throws {
        struct Plain: Error {}
        let output = output(.json)
        Log(to: output).error("A.", .cause(LogError.cannotOpen(path: "/x", reason: "no")))
        Log(to: output).error("B.", .cause(Plain()))
        output.flush()
        let first = try object(sink.lines[0])
        #expect(first["error.code"] as? String == "log.open" && (first["error"] as? String)?.contains("/x") == true)
        let second = try object(sink.lines[1])
        #expect(second["error"] as? String == "Plain()" && second["error.code"] == nil)
    }

    @Test func `a level that is off computes nothing`() {
        let output = output(.json, level: .warning)
        let computed = Atomic(0)
        func field() -> LogField {
            computed.add(1, ordering: .relaxed)
            return .field("a", 1)
        }
        Log(to: output).info("No.", field())
        Log(to: output).write(.info, "No.", fields: [field()])
        Log.silent.error("No.", field())
        #expect(computed.load(ordering: .relaxed) == 0)
        output.level = .info
        Log(to: output).info("Yes.", field())
        output.flush()
        #expect(sink.lines.count == 1 && computed.load(ordering: .relaxed) == 1)
    }

    @Test func `a later field replaces one of the same name`() throws {
        let output = output(.logfmt)
        let log = Log(to: output).with(.field("flow", "a"), .field("x", 1)).with(.field("flow", "b"))
        log.info("Go.", .field("x", 2))
        output.flush()
        #expect(sink.lines[0].hasSuffix(#"message="Go." flow=b x=2"#))
    }

    // covers: key:CONNECTOR_LOG_LEVEL
    @Test func `levels have the originals' names`() {
        #expect(LogLevel(named: "WARN") == .warning && LogLevel(named: "Critical") == .error)
        #expect(LogLevel(named: "verbose") == nil)
    }
}

@Suite("Log repeats") struct LogRepeatTests {
    let time = ManualTime()
    let sink = MemorySink()

    func output(repeats: Int) -> LogOutput {
        var limits = LogOutput.Limits()
        limits.repeats = repeats
        return LogOutput(format: .logfmt, level: .debug, sink: sink, isColoured: false, limits: limits, time: time)
    }

    @Test func `what repeats too often is told in one line with its count`() {
        let output = output(repeats: 3)
        let log = Log(to: output).with(.field("flow", "f"))
        for number in 0..<10 { log.warning("Skipped.", .field("n", number)) }
        log.warning("Other.")
        time.advance(by: .seconds(10))
        log.warning("Skipped.", .field("n", 10))
        output.flush()
        let lines = sink.lines.map { $0.split(separator: " ", maxSplits: 2)[2] }
        #expect(lines.filter { $0.contains("Skipped.") && $0.contains("n=") }.count == 4)
        #expect(lines.filter { $0 == #"message="Skipped." flow=f log.repeats=7"# }.count == 1)
        #expect(lines.filter { $0.contains("Other.") }.count == 1)
    }

    @Test func `a flush tells what is held back`() {
        let output = output(repeats: 1)
        let log = Log(to: output)
        for _ in 0..<5 { log.info("Again.") }
        output.flush()
        #expect(sink.lines.last?.hasSuffix("log.repeats=4") == true)
        #expect(sink.lines.count == 2)
    }

    @Test func `flows, levels and debug lines do not silence each other`() {
        let output = output(repeats: 1)
        let log = Log(to: output)
        for flow in ["a", "b"] { log.with(.field("flow", flow)).info("Same.") }
        log.error("Same.")
        for _ in 0..<5 { log.debug("Same.") }
        output.flush()
        #expect(sink.lines.count == 8)
    }

    @Test func `the limiter's memory is bounded`() {
        var limiter = RepeatLimiter(limit: 1, interval: .seconds(10))
        for number in 0..<5000 {
            let key = RepeatLimiter.Key(message: StaticName("x"), level: .info, context: number)
            #expect(limiter.admit(key, context: [], at: .zero).isAdmitted)
        }
        #expect(limiter.takeDue(at: .zero, isFinal: true).isEmpty)
    }
}
