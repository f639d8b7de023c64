// SPDX-License-Identifier: Apache-2.0

import Base
import CrowdSecSimulator
import Engine
import FalconSimulator
import HarfangLabSimulator
import JSON
import OpenCTISimulator
import SekoiaSimulator
import Settings
import SimulatorKit
import VMRaySimulator

#if canImport(Glibc)
    import Glibc
#endif

extension Command {
    /// `sallyport simulate opencti|falcon|harfanglab|crowdsec|vmray`
    static let simulate: Command = Command(
        name: "simulate", summary: "Stand in for a vendor's system, strictly, with faults on request.",
        discussion: """
            For rehearsals, demos and tests: real HTTP on loopback, the vendor's rules and error shapes. The admin \
            endpoints below /_admin show the tables and counters and take faults while it runs.
            """,
        examples: [
            .init(line: "sallyport simulate falcon --port 8443", meaning: "An empty Falcon tenant:"),
            .init(
                line: "sallyport simulate opencti --count 3000 --live 500 --fault 'cut=40000,path=/stream/*'",
                meaning: "A platform with 3,000 indicators, whose stream breaks once:"),
        ],
        options: Simulation.options,
        subcommands: [
            Simulation.openCTI, Simulation.falcon, Simulation.sekoia, Simulation.harfangLab, Simulation.crowdSec,
            Simulation.vmray,
        ])
}

/// The commands below `simulate`.
private enum Simulation {
    static let port: Option = Option(
        name: "port", value: "PORT", doc: "Port on loopback; 0 (default) takes any free one.")
    static let latency: Option = Option(name: "latency-ms", value: "MS", doc: "Every answer comes so much later.")
    static let seed: Option = Option(name: "seed", value: "N", doc: "Decides the feed and chance faults; default 1.")
    static let fault: Option = Option(
        name: "fault", value: "RULE",
        doc: "KIND[=N],path=…,method=…,times=N,skip=N,probability=P. Kinds: "
            + FaultRule.Kind.allCases.map(\.rawValue).joined(separator: ", ") + ".",
        isRepeatable: true)

    static let options = [port, latency, fault, seed]

    static let falcon: Command = {
        let quota = Option(name: "quota", value: "N", doc: "Indicators that the tenant may hold.")
        let limit = Option(name: "requests-per-minute", value: "N", doc: "More are refused with 429.")
        let feeds = Option(name: "feeds", value: "N", doc: "Feeds of the event stream; default 1.")
        let events = Option(name: "events", value: "N", doc: "Generated events of each feed; default none.")
        let eventBytes = Option(name: "event-bytes", value: "N", doc: "Their mean size; default 1300.")
        let rate = Option(name: "event-rate", value: "N", doc: "Events a second and feed; default all at once.")
        let templates = Option(
            name: "event-file", value: "FILE", doc: "Newline-delimited events to make them from.", completion: .files)
        let session = Option(name: "session-seconds", value: "N", doc: "How long a feed's session lasts; default 1800.")
        return Command(
            name: "falcon",
            summary: "A CrowdStrike Falcon tenant: OAuth2, IOC management, event stream, ThreatGraph.",
            options: [quota, limit, feeds, events, eventBytes, rate, templates, session],
            run: { arguments in
                var configuration = FalconConfiguration()
                configuration.options = try common(arguments)
                if let most = try arguments.value(quota, as: Int.self) { configuration.quota = most }
                configuration.requestsPerMinute = try arguments.value(limit, as: Int.self)
                configuration.feeds.partitions = try arguments.value(feeds, as: Int.self) ?? 1
                configuration.feeds.events = try arguments.value(events, as: Int.self) ?? 0
                configuration.feeds.eventBytes = try arguments.value(eventBytes, as: Int.self) ?? 1300
                configuration.feeds.rate = try arguments.value(rate, as: Double.self) ?? 0
                configuration.feeds.sessionSeconds = try arguments.value(session, as: Int.self) ?? 1800
                if let path = arguments[templates] {
                    configuration.feeds.templates = try lines(of: path, path: arguments.path)
                }
                let falcon = try SimulatedFalcon(configuration)
                return await serve(falcon.server, arguments)
            })
    }()

    static let harfangLab: Command = {
        let alerts = Option(name: "alerts", value: "N", doc: "Invented security events that are there from the start.")
        let threats = Option(name: "threats", value: "N", doc: "Threats that a third of them belong to.")
        let pageCap = Option(name: "page-cap", value: "N", doc: "Most results a page.")
        return Command(
            name: "harfanglab", summary: "A HarfangLab console: threat intelligence, security events and threats.",
            options: [alerts, threats, pageCap],
            run: { arguments in
                var configuration = HarfangLabConfiguration()
                configuration.options = try common(arguments)
                configuration.alerts = try arguments.value(alerts, as: Int.self) ?? 0
                configuration.threats = try arguments.value(threats, as: Int.self) ?? 0
                configuration.pageCap = try arguments.value(pageCap, as: Int.self)
                let console = try SimulatedHarfangLab(configuration)
                return await serve(console.server, arguments)
            })
    }()

    static let openCTI: Command = {
        let count = Option(name: "count", value: "N", doc: "Varied indicators in the database.")
        let live = Option(name: "live", value: "N", doc: "Live events that change them; default half of --count.")
        let rate = Option(name: "rate", value: "N", doc: "Live events a second; default all at once.")
        let plain = Option(name: "plain", value: "N", doc: "Plain distinct indicators instead, for benchmarks.")
        let platformVersion = Option(
            name: "platform-version", value: "V", doc: "What the platform says it is, such as 6.8.10.")
        let heartbeat = Option(name: "heartbeat-ms", value: "MS", doc: "Between heartbeats; default 1000.")
        let broker = Option(
            name: "amqp-port", value: "PORT",
            doc:
                "A RabbitMQ on loopback, user guest, for enrichment requests and bundles; without it they go over HTTP."
        )
        return Command(
            name: "opencti",
            summary: "An OpenCTI platform: GraphQL for connectors, a live stream, and the message bus.",
            options: [count, live, rate, plain, platformVersion, heartbeat, broker],
            run: { arguments in
                var configuration = OpenCTIConfiguration()
                configuration.options = try common(arguments)
                if let number = try arguments.value(count, as: Int.self) {
                    configuration.feed = FeedConfiguration(
                        count: number, liveEvents: try arguments.value(live, as: Int.self),
                        rate: try arguments.value(rate, as: Double.self))
                }
                configuration.plainCount = try arguments.value(plain, as: Int.self) ?? 0
                if let text = arguments[platformVersion] { configuration.version = text }
                if let beat = try arguments.value(heartbeat, as: Int.self) {
                    configuration.heartbeat = .milliseconds(beat)
                }
                if let port = try arguments.value(broker, as: Int.self) {
                    configuration.broker = SimulatedBroker(port: port)
                }
                let platform = try SimulatedOpenCTI(configuration)
                let end = await serve(platform.server, arguments)
                await platform.stop()
                return end
            })
    }()

    static let crowdSec: Command = {
        let quota = Option(
            name: "daily-quota", value: "N", doc: "Addresses a day and a key; more are refused with 429.")
        let limit = Option(name: "requests-per-second", value: "N", doc: "More are refused with 429.")
        return Command(
            name: "crowdsec", summary: "CrowdSec's CTI API: one address a call, invented records.",
            options: [quota, limit],
            run: { arguments in
                var configuration = CrowdSecConfiguration()
                configuration.options = try common(arguments)
                configuration.dailyQuota = try arguments.value(quota, as: Int.self)
                configuration.requestsPerSecond = try arguments.value(limit, as: Int.self)
                let crowdSec = try SimulatedCrowdSec(configuration)
                return await serve(crowdSec.server, arguments)
            })
    }()

    static let vmray: Command = {
        let analysis = Option(name: "analysis-ms", value: "MS", doc: "How long an analysis takes; default 1000.")
        let machines = Option(name: "machines", value: "N", doc: "Analyses at a time; others wait. Default any number.")
        let quota = Option(name: "quota", value: "N", doc: "Submissions that are allowed; more are refused.")
        return Command(
            name: "vmray", summary: "VMRay's REST API: look-ups, submissions, verdicts after a while.",
            options: [analysis, machines, quota],
            run: { arguments in
                var configuration = VMRayConfiguration()
                let most = configuration.options.maxBodyBytes
                configuration.options = try common(arguments)
                configuration.options.maxBodyBytes = most
                if let wait = try arguments.value(analysis, as: Int.self) {
                    configuration.analysis = .milliseconds(wait)
                }
                configuration.machines = try arguments.value(machines, as: Int.self)
                configuration.quota = try arguments.value(quota, as: Int.self)
                return await serve(try SimulatedVMRay(configuration).server, arguments)
            })
    }()

    static let sekoia: Command = {
        let counts = Option(name: "only-counts", doc: "Count bodies and do not look into them, for benchmarks.")
        return Command(
            name: "sekoia", summary: "Sekoia.io: the intake and the asset API.", options: [counts],
            run: { arguments in
                var configuration = SekoiaConfiguration()
                configuration.options = try common(arguments)
                configuration.options.maxBodyBytes = 12 << 20
                configuration.onlyCounts = arguments.isSet(counts)
                let sekoia = try SimulatedSekoia(configuration)
                return await serve(sekoia.server, arguments)
            })
    }()

    /// The lines of a file, without empty ones.
    private static func lines(of file: String, path: [String]) throws(UsageError) -> [[UInt8]] {
        do throws(FileReadError) {
            return try readFile(file, atMost: 1 << 30).split(separator: UInt8(ascii: "\n")).map { Array($0) }
        } catch { throw UsageError("“\(file)” can't be read: \(error).", remedy: "", path: path) }
    }

    private static func common(_ arguments: ParsedArguments) throws -> SimulatorOptions {
        var options = SimulatorOptions()
        options.port = UInt16(clamping: try arguments.value(port, as: Int.self) ?? 0)
        options.latency = .milliseconds(try arguments.value(latency, as: Int.self) ?? 0)
        options.seed = UInt64(try arguments.value(seed, as: Int.self) ?? 1)
        options.faults = try arguments.all(fault).map { text in
            do throws(FaultRuleError) { return try FaultRule(parsing: text) } catch {
                throw UsageError(error.description, remedy: "", path: arguments.path)
            }
        }
        return options
    }

    private static func serve(_ server: SimulatorServer, _ arguments: ParsedArguments) async -> ExitCode {
        let signals = Signals()
        if arguments.isSet(CommandLineProgram.json) {
            let answer: JSONValue = ["url": .string(server.baseURL), "admin": .string(server.adminURL)]
            Console.write(answer.text + "\n")
        } else {
            Console.write("Serving \(server.baseURL), admin endpoints below \(server.adminURL). Ctrl-C ends it.\n")
        }
        await signals.stop.wait()
        await server.stop()
        return .ok
    }
}
