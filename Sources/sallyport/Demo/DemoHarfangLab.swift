// SPDX-License-Identifier: Apache-2.0

import Base
import HarfangLabSimulator
import JSON
import OpenCTISimulator
import Subprocesses

#if canImport(Glibc)
    import Glibc
#endif

/// A further part of the demo: the same feed to a HarfangLab console as rules, and the console's events back as incidents.
extension DemoCommand {
    private static let events = 300

    /// - Returns: whether every hash stands as one rule, and every event reached the platform.
    func exchange(openCTI: String) async throws -> Bool {
        Console.write("\nHarfangLab: the feed becomes rules, security events become incidents; each with a kill -9.\n")
        let (console, url) = try await simulator("harfanglab", ["--alerts", "\(Self.events)", "--threats", "6"])
        defer { console.signal(SIGKILL) }
        try await web.post("\(url)/_admin/faults", ["status=503,path=/api/data/threat_intelligence/*,times=20,skip=50"])
        let hasRules = try await sendRules(openCTI, url)
        let hasEvents = try await importEvents(openCTI, url)
        return hasRules && hasEvents
    }

    private func start(_ connector: String, _ openCTI: String, _ more: [String: String]) throws -> Subprocess {
        let common = [
            "OPENCTI_URL": openCTI, "OPENCTI_TOKEN": OpenCTIConfiguration.defaultToken, "CONNECTOR_LOG_LEVEL": "info",
        ]
        return try start(connector, as: connector, common.merging(more) { $1 })
    }

    // MARK: Rules

    private func sendRules(_ openCTI: String, _ console: String) async throws -> Bool {
        let variables = [
            "CONNECTOR_ID": "2f6a5c0e-4d3b-4a7f-9c1d-8e2b7a6f5d33",
            "CONNECTOR_LIVE_STREAM_ID": OpenCTIConfiguration.defaultStreamID, "HARFANGLAB_INTEL_URL": console,
            "HARFANGLAB_INTEL_TOKEN": HarfangLabConfiguration.defaultToken, "HARFANGLAB_INTEL_REMOVE_INDICATOR": "true",
        ]
        var connector = try start("harfanglab-intel", openCTI, variables)
        let expected = Set(
            try await web.lines("\(openCTI)/_admin/expected?mode=permanent").filter {
                $0["state"]?.string == "present" && $0["optional"]?.bool != true
            }
            .compactMap(Self.value))
        var hasKilled = false
        var missing = expected.count
        for _ in 0..<300 {
            let rules = try await web.lines("\(console)/_admin/rules?kind=IOCRule").filter {
                $0["enabled"]?.bool ?? false
            }
            let there = rules.compactMap(Self.value)
            missing = expected.subtracting(there).count
            guard Set(there).count == there.count else {
                Console.write("  a rule stands there twice\n")
                return false
            }
            if !hasKilled, missing < expected.count * 2 / 3 {
                hasKilled = true
                await end(connector, SIGKILL)
                Console.write("  kill -9 after \(there.count) rules … and a new start\n")
                connector = try start("harfanglab-intel", openCTI, variables)
            }
            if missing == 0, hasKilled { break }
            try await time.sleep(for: .milliseconds(100))
        }
        await end(connector)
        Console.write("  \(expected.count - missing) of \(expected.count) hashes stand as rules, none twice\n")
        return missing == 0
    }

    /// Hashes: the one kind that both sides spell alike but for the case. A console gets values as the pattern has them.
    private static func value(_ row: JSONValue) -> String? {
        guard let type = row["type"]?.string, let value = row["value"]?.string,
            ["md5", "sha256", "hash"].contains(type)
        else { return nil }
        return value.lowercased()
    }

    // MARK: Events

    private func importEvents(_ openCTI: String, _ console: String) async throws -> Bool {
        let variables = [
            "CONNECTOR_ID": "0c2d9f6e-0b8a-4d5c-8a1e-5d2f7c3b9e44", "CONNECTOR_QUEUE_PROTOCOL": "api",
            "CONNECTOR_DURATION_PERIOD": "PT1S", "HARFANGLAB_INCIDENTS_URL": console,
            "HARFANGLAB_INCIDENTS_TOKEN": HarfangLabConfiguration.defaultToken,
            "HARFANGLAB_INCIDENTS_IMPORT_THREATS": "true",
        ]
        var connector = try start("harfanglab-incidents", openCTI, variables)
        var hasKilled = false
        var found = 0
        for _ in 0..<300 {
            found = try await incidents(openCTI)
            if !hasKilled, found > 0 {
                hasKilled = true
                await end(connector, SIGKILL)
                Console.write("  kill -9 after \(found) incidents … and a new start\n")
                connector = try start("harfanglab-incidents", openCTI, variables)
            }
            if found >= Self.events, hasKilled { break }
            try await time.sleep(for: .milliseconds(100))
        }
        await end(connector)
        Console.write("  \(found) of \(Self.events) security events are incidents, merged by their ids\n")
        return found == Self.events
    }

    /// Distinct ids among what was pushed.
    private func incidents(_ openCTI: String) async throws -> Int {
        let knowledge = try await web.json("\(openCTI)/_admin/knowledge")
        let objects = knowledge["objects"]?.object ?? [:]
        return objects.count { $0.key.hasPrefix("incident--") }
    }
}
