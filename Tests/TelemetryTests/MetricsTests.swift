// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import Testing

@testable import Telemetry

@Suite("Metrics") struct MetricsTests {
    let time = ManualTime()

    // covers: metric:processed_messages_total, metric:processed_messages_created, metric:current_state, metric:help
    @Test func `the originals' metrics come out as their Python client writes them`() {
        let metrics = Metrics(time: time)
        let processed = metrics.counter(
            "processed_messages_total", "Number of processed messages", labels: ["name", "action"], hasCreated: true)
        processed.with("CrowdStrike", "update").add()
        time.advance(by: .milliseconds(1500))
        processed.with("CrowdStrike", "create").add(2)
        metrics.gauge("current_state", "Current connector state", labels: ["name"])
            .with("CrowdStrike").set(1_711_633_413_527)
        #expect(
            metrics.text() == """
                # HELP current_state Current connector state
                # TYPE current_state gauge
                current_state{name="CrowdStrike"} 1711633413527
                # HELP processed_messages_total Number of processed messages
                # TYPE processed_messages_total counter
                processed_messages_total{name="CrowdStrike",action="create"} 2
                processed_messages_total{name="CrowdStrike",action="update"} 1
                # HELP processed_messages_created Number of processed messages
                # TYPE processed_messages_created gauge
                processed_messages_created{name="CrowdStrike",action="create"} 1767225601.5
                processed_messages_created{name="CrowdStrike",action="update"} 1767225600

                """)
    }

    @Test func `histograms accumulate and bounds belong to their bucket`() {
        let metrics = Metrics(time: time)
        let histogram = metrics.histogram("wait_seconds", "Waiting.", buckets: [0.1, 1])
        for value in [0.05, 0.1, 0.5, 3] { histogram.observe(value) }
        histogram.observe(Duration.seconds(2))
        histogram.observe(.nan)
        #expect(
            metrics.text() == """
                # HELP wait_seconds Waiting.
                # TYPE wait_seconds histogram
                wait_seconds_bucket{le="0.1"} 2
                wait_seconds_bucket{le="1"} 3
                wait_seconds_bucket{le="+Inf"} 5
                wait_seconds_sum 5.65
                wait_seconds_count 5

                """)
    }

    @Test func `several owners share a collected metric, and one that comes again replaces what it gave`() {
        let metrics = Metrics(time: time)
        for (flow, value) in [("a", 1.0), ("b", 2.0), ("a", 3.0)] {
            metrics.collect("entries", "Entries.", labels: ["flow"], owner: flow) { [(labels: [flow], value: value)] }
        }
        #expect(metrics.text().hasSuffix("entries{flow=\"a\"} 3\nentries{flow=\"b\"} 2\n"))
        _ = metrics.counter("x_total", "X.", labels: ["l"], hasCreated: true)
        #expect(metrics.declarations.map(\.name) == ["entries", "x_created", "x_total"])
        #expect(metrics.declarations.map(\.kind) == ["gauge", "gauge", "counter"])
    }

    @Test func `help and label values are escaped`() {
        let metrics = Metrics(time: time)
        metrics.gauge("x", "a \\ b\nc \"d\"", labels: ["l"]).with("q\"\\\n").set(-1.5)
        #expect(
            metrics.text() == #"""
                # HELP x a \\ b\nc "d"
                # TYPE x gauge
                x{l="q\"\\\n"} -1.5

                """#)
    }

    @Test func `one name is one family, from wherever it is asked for`() {
        let metrics = Metrics(time: time)
        metrics.counter("a_total", "A.", labels: ["l"]).with("x").add()
        metrics.counter("a_total", "A.", labels: ["l"]).with("x").add()
        #expect(metrics.text().contains("a_total{l=\"x\"} 2"))
    }

    @Test func `a counter never falls and adds from all sides`() async {
        let counter = Metrics(time: time).counter("a_total", "A.")
        counter.add(-3)
        counter.add(Double.nan)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<1000 { counter.add() } } }
        }
        counter.add(0.5)
        #expect(counter.value == 8000.5)
    }

    @Test func `a family with too many series counts the rest as other`() {
        let metrics = Metrics(time: time)
        let family = metrics.counter("a_total", "A.", labels: ["l"])
        for number in 0..<(Metrics.maxSeries + 10) { family.with("\(number)").add() }
        #expect(metrics.text().contains("a_total{l=\"other\"} 10\n"))
        family.remove("other")
        #expect(!metrics.text().contains("other"))
    }

    @Test func `collected values are read at exposition and left out when unknown`() {
        let metrics = Metrics(time: time)
        metrics.collect("age_seconds", "Age.") { nil }
        metrics.collect("size_bytes", "Size.", labels: ["l"]) { [(["b"], 2), (["a"], .infinity)] }
        #expect(
            metrics.text() == """
                # HELP size_bytes Size.
                # TYPE size_bytes gauge
                size_bytes{l="a"} +Inf
                size_bytes{l="b"} 2

                """)
    }

    @Test func `the process series have plausible values`() throws {
        let metrics = Metrics()
        ProcessMetrics.register(in: metrics)
        func value(_ name: String) throws -> Double {
            let line = try #require(metrics.text().split(separator: "\n").first { $0.hasPrefix("\(name) ") })
            return try #require(Double(line.dropFirst(name.count + 1)))
        }
        #expect(try value("process_cpu_seconds_total") > 0)
        #expect(try value("process_resident_memory_bytes") > 1_048_576)
        #expect(try value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"))
        #expect(try value("process_open_fds") >= 3)
        #expect(try value("process_max_fds") >= value("process_open_fds"))
        let age = Date().timeIntervalSince1970 - (try value("process_start_time_seconds"))
        #expect(age > -5 && age < 24 * 3600)
    }

    // covers: metric:promtool
    @Test func `promtool finds nothing to complain about`() throws {
        let metrics = Metrics()
        ProcessMetrics.register(in: metrics)
        BuildInfo.register(in: metrics)
        Health().register(in: metrics)
        let health = Health()
        _ = health.component("stream")
        health.register(in: metrics)
        LogOutput(sink: MemorySink()).register(in: metrics)
        metrics.counter("sallyport_items_total", "Items by outcome.", labels: ["flow", "outcome"])
            .with("a \"b\"\\\n", "delivered").add()
        metrics.histogram(
            "sallyport_call_duration_seconds", "Calls.", labels: ["operation"], buckets: Histogram.latencyBuckets
        ).with("falcon.indicator_create").observe(0.2)
        metrics.counter(
            "processed_messages_total", "Number of processed messages", labels: ["name", "action"], hasCreated: true
        ).with("CrowdStrike", "create").add()
        metrics.gauge("current_state", "Current connector state", labels: ["name"]).with("CrowdStrike").set(1.5e12)

        let promtool = Process()
        promtool.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        promtool.arguments = ["promtool", "check", "metrics"]
        let (input, output) = (Pipe(), Pipe())
        promtool.standardInput = input
        promtool.standardOutput = output
        promtool.standardError = output
        try promtool.run()
        try input.fileHandleForWriting.write(contentsOf: Data(metrics.text().utf8))
        try input.fileHandleForWriting.close()
        let complaints = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        promtool.waitUntilExit()
        #expect(promtool.terminationStatus == 0 && complaints.isEmpty, "\(complaints)\n\(metrics.text())")
    }
}
