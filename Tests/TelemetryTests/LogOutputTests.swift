// SPDX-License-Identifier: Apache-2.0

import Base
import Dispatch
import Foundation
import Testing

@testable import Telemetry

/// A destination that takes nothing until it is opened.
private final class BlockedSink: LogSink {
    let gate = DispatchSemaphore(value: 0)
    let isEntered = DispatchSemaphore(value: 0)
    let memory = MemorySink()
    func write(_ lines: [UInt8]) {
        isEntered.signal()
        gate.wait()
        memory.write(lines)
        gate.signal()
    }
}

@Suite("Log output") struct LogOutputTests {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sallyport-log-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

    @Test func `a blocked destination costs debug lines first, and the loss is told`() {
        let sink = BlockedSink()
        var limits = LogOutput.Limits()
        limits.bufferBytes = 64 << 10
        limits.repeats = .max
        let output = LogOutput(format: .logfmt, level: .debug, sink: sink, limits: limits)
        let log = Log(to: output)
        log.info("First.")
        sink.isEntered.wait()
        for _ in 0..<5000 {
            log.debug("Detail.")
            log.info("Step.")
            log.error("Failure.")
        }
        let dropped = output.droppedLines
        #expect(dropped[.debug, default: 0] > dropped[.info, default: 0])
        #expect(dropped[.info, default: 0] > dropped[.error, default: 0])
        #expect(dropped[.error, default: 0] > 0)
        sink.gate.signal()
        #expect(output.flush(within: .seconds(60)))
        let lines = sink.memory.lines
        let told = lines.filter { $0.contains("were dropped") }
        #expect(told.count == 1 && told[0].contains("error=\(dropped[.error, default: 0])"))
        let written = output.acceptedLines.values.reduce(0, +)
        #expect(lines.count == Int(written) + 1)
        #expect(written + dropped.values.reduce(0, +) == 15_001)
    }

    @Test func `what is buffered is written before the process exits`() async throws {
        let result = await #expect(processExitsWith: .exitCode(3), observing: [\.standardErrorContent]) {
            let output = LogOutput(format: .logfmt)
            for number in 0..<1000 { Log(to: output).write(.error, "Last words.", fields: [.field("number", number)]) }
            exit(3)
        }
        let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(text.contains("message=\"Last words.\" number=0\n") && text.contains("log.repeats=980"))
    }

    @Test func `lines of many threads stay whole`() async {
        let sink = MemorySink()
        let output = LogOutput(format: .json, level: .debug, sink: sink)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    let log = Log(to: output).with(.field("task", task))
                    for number in 0..<200 { log.debug("Line.", .field("number", number)) }
                }
            }
        }
        output.flush()
        #expect(sink.lines.count == 1600)
        #expect(sink.lines.allSatisfy { $0.hasPrefix("{\"time\"") && $0.hasSuffix("}") })
    }

    @Test func `a file rolls over by size and keeps so many`() throws {
        let path = folder.appendingPathComponent("x.log").path
        let sink = try FileSink(path: path, maxBytes: 100, kept: 2)
        for number in 0..<8 { try sink.write(Array("line \(number) \(String(repeating: ".", count: 40))\n".utf8)) }
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(files == ["x.log", "x.log.1", "x.log.2"])
        #expect(try String(contentsOfFile: path, encoding: .utf8).contains("line 7"))
        #expect(try String(contentsOfFile: path + ".1", encoding: .utf8).contains("line 4"))
        #expect(try String(contentsOfFile: path + ".2", encoding: .utf8).contains("line 3"))
    }

    @Test func `an existing file grows on and its size counts`() throws {
        let path = folder.appendingPathComponent("y.log").path
        try Data(String(repeating: "o", count: 90).utf8).write(to: URL(fileURLWithPath: path))
        let sink = try FileSink(path: path, maxBytes: 100, kept: 1)
        try sink.write(Array("a new line\n".utf8))
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "a new line\n")
        #expect(try String(contentsOfFile: path + ".1", encoding: .utf8).hasPrefix("ooo"))
    }

    @Test func `after reopening, lines go to the new file`() throws {
        let path = folder.appendingPathComponent("z.log").path
        let output = LogOutput(format: .logfmt, sink: try FileSink(path: path))
        Log(to: output).info("Before.")
        output.flush()
        try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
        output.reopen()
        Log(to: output).info("After.")
        output.flush()
        #expect(try String(contentsOfFile: path, encoding: .utf8).contains("After."))
        #expect(try !String(contentsOfFile: path + ".old", encoding: .utf8).contains("After."))
    }

    @Test func `a folder that is not there is a clear error`() {
        #expect {
            try FileSink(path: folder.appendingPathComponent("no/where.log").path)
        } throws: { error in
            (error as? LogError)?.code == "log.open" && "\(error)".contains("where.log")
        }
    }

    @Test func `a full disk is an error of writing, not the end`() throws {
        let sink = try FileSink(path: "/dev/full", maxBytes: 0)
        #expect { try sink.write(Array("x\n".utf8)) } throws: { ($0 as? LogError)?.code == "log.write" }
    }
}
