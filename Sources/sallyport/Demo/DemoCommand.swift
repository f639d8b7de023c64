// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import FalconSimulator
import JSON
import OpenCTISimulator
import Settings
import Subprocesses

#if canImport(Glibc)
    import Glibc
#endif

extension Command {
    /// `sallyport demo`
    static let demo: Command = {
        let count = Option(name: "count", value: "N", doc: "Indicators at the start; default 3000.")
        let seed = Option(name: "seed", value: "N", doc: "Decides the feed; default 1.")
        let keep = Option(name: "keep", doc: "Leave everything running afterwards, until Ctrl-C.")
        return Command(
            name: "demo", summary: "See it work: OpenCTI to Falcon against simulators, with faults and a kill -9.",
            discussion: """
                Starts both simulators and the connector as processes of their own, breaks what can break, and compares the \
                tenant with what the feed's maker meant. Then OpenCTI asks CrowdSec about addresses, the feed becomes rules \
                in a HarfangLab console whose events become incidents, a tenant's event stream goes to Sekoia's intake, \
                and its detections go through VMRay, each with another kill. Exit status 0 only if nothing is lost, doubled or \
                wrong.
                """,
            options: [count, seed, keep],
            run: { arguments in
                let demo = try DemoCommand(
                    count: try arguments.value(count, as: Int.self) ?? 3000,
                    seed: try arguments.value(seed, as: Int.self) ?? 1, keeps: arguments.isSet(keep))
                return try await demo.run()
            })
    }()
}

/// Drives the demo. It is the driver's word that counts, not the connector's: target columns come from the simulators.
struct DemoCommand {
    private let count: Int
    private let seed: Int
    private let keeps: Bool
    let web: DemoWeb
    let program: String
    let folder: String
    let time = SystemTime()

    init(count: Int, seed: Int, keeps: Bool) throws {
        self.count = count
        self.seed = seed
        self.keeps = keeps
        web = try DemoWeb()
        var path = [CChar](repeating: 0, count: 4096)
        guard readlink("/proc/self/exe", &path, path.count - 1) > 0 else {
            throw DemoFailure("This program can't find itself.")
        }
        program = String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let folder = makeTemporaryFolder("sallyport-demo") else {
            throw DemoFailure("No temporary folder in \(temporaryFolders).")
        }
        self.folder = folder
    }

    /// The processes of one demo and where they are.
    private struct Stage {
        let openCTI: Subprocess
        let falcon: Subprocess
        let openCTIURL: String
        let falconURL: String
        let metrics: String
        let started: Duration
    }

    /// How far the story has been told.
    private struct Story {
        var connector: Subprocess
        var before: [String: Int] = [:]
        var hasBurst = false
        var hasKilled = false
        var verdict = DemoVerdict(expected: [], tenant: [])
        var isRight = false
    }

    func run() async throws -> ExitCode {
        Console.write(
            "Sallyport demo: \(count) indicators of all shapes, half as many updates and deletes, malformed events,\n"
                + "a burst of 429, a cut connection and a kill -9 in the middle. Logs and state: \(folder)\n\n")
        let stage = try await setUp()
        let result: Result<Bool, any Error>
        do { result = .success(try await play(stage)) } catch { result = .failure(error) }
        stage.openCTI.signal(SIGKILL)
        stage.falcon.signal(SIGKILL)
        let isRight = try result.get()
        if isRight { try await removeFolder() }
        return isRight ? .ok : .problemFound
    }

    private func setUp() async throws -> Stage {
        let started = time.uptime
        let (openCTI, openCTIURL) = try await simulator("opencti", ["--count", "\(count)", "--seed", "\(seed)"])
        let (falcon, falconURL) = try await simulator("falcon", ["--latency-ms", "20"])
        Console.write("OpenCTI simulator  \(openCTIURL)\nFalcon simulator   \(falconURL)\n\n")
        try await web.post("\(openCTIURL)/_admin/faults", ["cut=200000,path=/stream/*,times=1"])
        return Stage(
            openCTI: openCTI, falcon: falcon, openCTIURL: openCTIURL, falconURL: falconURL,
            metrics: "http://127.0.0.1:\(try freePort())", started: started)
    }

    /// - Returns: whether the invariants hold.
    private func play(_ stage: Stage) async throws -> Bool {
        var story = Story(connector: try start(stage))
        while time.uptime - stage.started < .seconds(55), !(story.isRight && story.hasKilled) {
            try await time.sleep(for: .milliseconds(500))
            try await judge(&story, stage)
            try await interfere(&story, stage)
        }
        let after = await outcomes(stage.metrics)
        await report(story.verdict, story.before, after, stage.falconURL)
        let seconds = Int((time.uptime - stage.started).inSeconds)
        Console.write(
            story.isRight
                ? "\nAll \(story.verdict.expected) indicators stand at the target as meant, after \(seconds) s.\n"
                : "\nThe invariants do NOT hold. Logs: \(folder)\n")
        if keeps {
            Console.write(
                "\nStill running: \(stage.openCTIURL), \(stage.falconURL), \(stage.metrics)/metrics. Ctrl-C ends it.\n")
            await Signals().stop.wait()
        }
        await end(story.connector)
        let isEnriched = try await enrich(openCTI: stage.openCTIURL)
        let isExchanged = try await exchange(openCTI: stage.openCTIURL)
        let isRelayed = try await relay()
        let isTriaged = try await triage()
        return story.isRight && isEnriched && isExchanged && isRelayed && isTriaged
    }

    private func judge(_ story: inout Story, _ stage: Stage) async throws {
        let expected = try await web.lines("\(stage.openCTIURL)/_admin/expected?mode=soft")
        let tenant = try await web.lines("\(stage.falconURL)/_admin/iocs")
        story.verdict = DemoVerdict(expected: expected, tenant: tenant)
        // The live half of the feed happens once somebody has connected.
        let events = try await web.json("\(stage.openCTIURL)/_admin/state")["events"]?.int ?? 0
        story.isRight = story.verdict.holds && events >= count + count / 2
        progress(stage.started, tenant.count, story.verdict)
    }

    private func interfere(_ story: inout Story, _ stage: Stage) async throws {
        let (right, wanted) = (story.verdict.right, story.verdict.expected)
        if !story.hasBurst, right > wanted / 10 {
            story.hasBurst = true
            Console.write("\n  Falcon answers 429 for a while …\n")
            try await web.post("\(stage.falconURL)/_admin/faults", ["status=429,path=/iocs/*,times=6,retry_after=1"])
        }
        if !story.hasKilled, right > wanted / 3 {
            story.hasKilled = true
            story.before = await outcomes(stage.metrics)
            await end(story.connector, SIGKILL)
            Console.write("\n  kill -9 … and a new start\n")
            story.connector = try start(stage)
        }
    }

    /// With nothing but the original's variables, and where to serve metrics.
    private func start(_ stage: Stage) throws -> Subprocess {
        try start(
            "opencti-crowdstrike", as: "connector",
            [
                "OPENCTI_URL": stage.openCTIURL, "OPENCTI_TOKEN": OpenCTIConfiguration.defaultToken,
                "CONNECTOR_ID": "6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11",
                "CONNECTOR_LIVE_STREAM_ID": OpenCTIConfiguration.defaultStreamID, "CONNECTOR_LOG_LEVEL": "info",
                "CROWDSTRIKE_API_BASE_URL": stage.falconURL,
                "CROWDSTRIKE_CLIENT_ID": FalconConfiguration.defaultClient.id,
                "CROWDSTRIKE_CLIENT_SECRET": FalconConfiguration.defaultClient.secret,
                "SALLYPORT_HTTP_LISTEN": String(stage.metrics.dropFirst("http://".count)),
            ])
    }

    // MARK: Words

    private func progress(_ started: Duration, _ there: Int, _ verdict: DemoVerdict) {
        let (right, wanted) = (verdict.right, verdict.expected)
        let width = 30
        let done = wanted == 0 ? 0 : min(width, right * width / wanted)
        let bar = String(repeating: "#", count: done) + String(repeating: ".", count: width - done)
        let seconds = Int((time.uptime - started).inSeconds)
        Console.write(
            "\(Console.isTerminal ? "\r" : "")  \(seconds) s  [\(bar)]  \(there) at the target, \(right) of \(wanted) as meant   "
                + (Console.isTerminal ? "" : "\n"))
    }

    /// Items and effects by outcome, from the connector's own metrics; empty when it can't be asked.
    private func outcomes(_ metrics: String) async -> [String: Int] {
        guard let text = try? await web.text("\(metrics)/metrics") else { return [:] }
        var counts: [String: Int] = [:]
        for line in text.split(separator: "\n") {
            for family in ["items", "effects"] where line.hasPrefix("sallyport_\(family)_total{") {
                guard let outcome = line.firstRange(of: "outcome=\""), let value = line.split(separator: " ").last,
                    let number = Double(value)
                else { continue }
                let name = line[outcome.upperBound...].prefix { $0 != "\"" }
                counts["\(family) \(name)"] = Int(number)
            }
        }
        return counts
    }

    private func report(
        _ verdict: DemoVerdict, _ before: [String: Int], _ after: [String: Int], _ falcon: String
    ) async {
        Console.write("\n\noutcome          items before / after the kill    effects before / after\n")
        for name in ["unchanged", "superseded", "delivered", "skipped", "vetoed", "dead_lettered"] {
            func column(_ counts: [String: Int], _ family: String) -> String {
                let text = counts["\(family) \(name)"].map(String.init) ?? "-"
                return String(repeating: " ", count: max(0, 8 - text.count)) + text
            }
            let label = name + String(repeating: " ", count: 14 - name.count)
            Console.write(
                "\(label)   \(column(before, "items")) / \(column(after, "items"))             "
                    + "\(column(before, "effects")) / \(column(after, "effects"))\n")
        }
        Console.write(
            "\nat the target     expected \(verdict.expected)   as meant \(verdict.right)   lost \(verdict.lost.count)"
                + "   doubled \(verdict.doubled.count)   surplus \(verdict.surplus.count)"
                + "   different \(verdict.different.count)\n")
        for (what, names) in [
            ("lost", verdict.lost), ("surplus", verdict.surplus), ("different", verdict.different),
            ("doubled", verdict.doubled),
        ] {
            for name in names.prefix(5) { Console.write("  \(what): \(name)\n") }
        }
        if let counters = try? await web.json("\(falcon)/_admin/counters") {
            Console.write("calls to Falcon   \(DemoCommand.summary(counters))\n")
        }
    }

    private static func summary(_ counters: JSONValue) -> String {
        var parts: [String] = []
        for (operation, statuses) in counters["operations"]?.object ?? counters.object ?? [:] {
            guard let statuses = statuses.object else { continue }
            let texts = (statuses["statuses"]?.object ?? [:]).compactMap { status, count in
                count.int.map { "\($0) × \(status)" }
            }
            parts.append("\(operation): \(texts.joined(separator: ", "))")
        }
        return parts.joined(separator: "; ")
    }
}
