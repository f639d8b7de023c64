// SPDX-License-Identifier: Apache-2.0

import Base
import FalconSimulator
import JSON
import SekoiaSimulator
import Subprocesses

#if canImport(Glibc)
    import Glibc
#endif

/// The third part of the demo: a tenant's event stream goes to Sekoia's intake, with a kill and two dead sessions.
extension DemoCommand {
    private static let eventsEach = 20_000

    /// - Returns: whether every event of both feeds arrived.
    func relay() async throws -> Bool {
        Console.write("\nEvent stream: two Falcon feeds of \(Self.eventsEach) events to Sekoia's intake.\n")
        let (tenant, tenantURL) = try await simulator("falcon", ["--feeds", "2", "--events", "\(Self.eventsEach)"])
        let (intake, intakeURL) = try await simulator("sekoia", ["--latency-ms", "40"])
        defer {
            tenant.signal(SIGKILL)
            intake.signal(SIGKILL)
        }
        try await web.post("\(intakeURL)/_admin/faults", ["status=429,path=/batch,times=2,skip=4,retry_after=1"])
        var connector = try startRelay(tenantURL, intakeURL)
        defer { connector.signal(SIGKILL) }
        let wanted = 2 * Self.eventsEach
        var hasKilled = false
        var counts: JSONValue = .null
        for _ in 0..<300 {
            try await time.sleep(for: .milliseconds(100))
            counts = try await web.json("\(intakeURL)/_admin/intake")
            let arrived = Int(counts["distinct_offsets"]?.int ?? 0)
            if !hasKilled, arrived > wanted / 5 {
                hasKilled = true
                await end(connector, SIGKILL)
                Console.write("  kill -9 after \(arrived) … and a new start\n")
                connector = try startRelay(tenantURL, intakeURL)
                try await web.post("\(tenantURL)/_admin/feeds/kill", [:])
            }
            if arrived >= wanted { break }
        }
        await end(connector)
        let arrived = Int(counts["distinct_offsets"]?.int ?? 0)
        let repeats = counts["repeats"]?.int ?? 0
        Console.write(
            arrived == wanted
                ? "  All \(wanted) events have arrived; \(repeats) came twice, which were in flight at the kill.\n"
                : "  Only \(arrived) of \(wanted) events have arrived. Logs: \(folder)\n")
        return arrived == wanted
    }

    private func startRelay(_ tenant: String, _ intake: String) throws -> Subprocess {
        let client = FalconConfiguration.defaultClient
        let module: JSONValue = [
            "client_id": .string(client.id), "client_secret": .string(client.secret), "base_url": .string(tenant),
        ]
        let connector: JSONValue = ["intake_key": .string(SekoiaConfiguration.defaultKey)]
        return try start(
            "sekoia-event-stream", as: "relay",
            [
                "MODULE_CONFIGURATION": module.text, "CONNECTOR_CONFIGURATION": connector.text, "INTAKE_URL": intake,
                "SYMPHONY_DATA_PATH": state("relay"), "LIVENESS_PORT": "0", "METRICS_PORT": "0",
            ])
    }
}
