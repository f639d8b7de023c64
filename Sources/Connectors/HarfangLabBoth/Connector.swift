// SPDX-License-Identifier: Apache-2.0

public import Base
import ConnectorKit
public import Engine
import HarfangLabIncidents
import HarfangLabIntel
import OpenCTI
public import Settings
public import Telemetry

/// Both directions in one, as the first original had them: rules out to HarfangLab, and on request its security events and
/// threats back.
///
/// A drop-in for the connector “HarfangLab”.
public struct HarfangLabConnector: Connector {
    public static let declaration = ConnectorSettings(
        name: "harfanglab", aliases: ["connector-harfanglab"], title: "OpenCTI ↔ HarfangLab",
        summary:
            "Both directions with the settings of the first original: `harfanglab-intel`, and `harfanglab-incidents` where "
            + "`import_security_events_as_incidents` is on.",
        settings: settings)

    private static let names = HarfangLabSettings(section: "harfanglab")
    static let importsEvents = Setting<Bool>(
        "harfanglab.import_security_events_as_incidents", default: false,
        "Import security events as incidents.")

    // Both halves declare the platform, the console and the schedule; each setting stands here once.
    private static var settings: [any AnySetting] {
        var seen: Set<String> = []
        let all =
            OpenCTISettings.connection + [
                OpenCTISettings.id, OpenCTISettings.streamKind, OpenCTISettings.name.defaulting(to: "HarfangLab"),
                OpenCTISettings.scope.defaulting(to: ["harfanglab"]), OpenCTISettings.logLevel,
            ] + LiveStreamSettings.all + names.all + HarfangLabIntelSettings.own + [importsEvents]
            + HarfangLabIncidentsSettings.own + ScheduleSettings.all + BundleSettings.all
            + HarfangLabSettings.withoutEffect + OpenCTISettings.withoutEffect
        return all.filter { seen.insert($0.key).inserted }
    }

    private let intel: HarfangLabIntelConnector
    private let incidents: HarfangLabIncidentsConnector?
    private let context: ConnectorContext

    public init(_ context: ConnectorContext) throws {
        self.context = context
        intel = try HarfangLabIntelConnector(context, names: Self.names)
        guard context.settings[Self.importsEvents] else {
            incidents = nil
            return
        }
        var other = context
        other.name += "-incidents"
        // The first original looked every 60 seconds.
        incidents = try HarfangLabIncidentsConnector(
            other, names: Self.names, usualPeriod: .seconds(60), isBesideStream: true)
    }

    public static func declareMetrics(in metrics: Metrics) {
        HarfangLabIntelConnector.declareMetrics(in: metrics)
        HarfangLabIncidentsConnector.declareMetrics(in: metrics)
    }

    public var flowName: String { intel.flowName }
    public var targetName: String { intel.targetName }
    public func keys(of value: String) -> [Digest128] { intel.keys(of: value) }
    public func source(of id: String) async throws -> Digest128? {
        if let known = try await intel.source(of: id) { return known }
        return try await incidents?.source(of: id)
    }
    public func describe(_ contribution: [UInt8]) -> [(field: String, text: String)] { intel.describe(contribution) }

    /// Both until one ends; an outage of one side does not hold up the other.
    public func run(until stop: StopSignal) async throws {
        guard let incidents else { return try await intel.run(until: stop) }
        var members = [Supervisor.Member(name: context.name) { intel }]
        members.append(Supervisor.Member(name: context.name + "-incidents") { incidents })
        _ = await Supervisor(log: context.log, health: context.health, time: context.time).run(members, until: stop)
    }

    public func check(_ report: @Sendable (CheckLine) -> Void) async {
        await intel.check(report)
        await incidents?.check(report)
    }

    /// Rules first, then one run of the import.
    public func plan(
        _ report: @escaping @Sendable (PlannedChange) -> Void, until stop: StopSignal
    ) async throws -> Accounting {
        let rules = try await intel.plan(report, until: stop)
        guard let incidents else { return rules }
        return rules + (try await incidents.plan(report, until: stop))
    }
}
