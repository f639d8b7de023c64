// SPDX-License-Identifier: Apache-2.0

import ConnectorKit
import HarfangLab
import STIX
public import Settings

/// What an operator can say. The names are the originals', both prefixes.
///
/// Source: HarfangLab ↔ OpenCTI, 4.
public enum HarfangLabIncidentsSettings {
    static let connection = HarfangLabSettings(section: "harfanglab_incidents")

    static let name = OpenCTISettings.name.defaulting(to: "HarfangLab Incidents")
    static let scope = OpenCTISettings.scope.defaulting(to: ["harfanglab"])
    static let kind = Setting<String>(
        "connector.type", default: "EXTERNAL_IMPORT", "The kind of connector; fixed."
    ).at(.dropIn)

    static let importsThreats = Setting<Bool>(
        "harfanglab_incidents.import_threats", default: false,
        "Import threats as case incidents, each with its security events, before the other security events."
    ).or("harfanglab.import_threats_as_case_incidents")
    static let statuses = Setting<[String]>(
        "harfanglab_incidents.alert_statuses", default: [],
        "Statuses of the security events to import: `new`, `probable_false_positive`, `investigating`, `false_positive`, "
            + "`closed`; without it, all but the second."
    ).or("harfanglab.import_security_events_filters_by_status").checking {
        complaint($0, among: AlertStatus.allCases.map(\.rawValue))
    }
    static let usualStatuses = ["new", "investigating", "false_positive", "closed"]
    static let types = Setting<[String]>(
        "harfanglab_incidents.alert_types", default: ["yara", "sigma", "ioc"],
        "Types of the security events to import: `yara`, `sigma`, `ioc`."
    ).or("harfanglab.import_filters_by_alert_type").checking { complaint($0, among: ["yara", "sigma", "ioc"]) }
    static let marking = Setting<String>(
        "harfanglab_incidents.default_marking", default: "TLP:CLEAR",
        "TLP marking of everything that is imported; an unknown one is refused."
    ).or("harfanglab.default_markings").checking { name in
        TLP(name: name) == nil
            ? InvalidValue(
                "is no TLP marking", remedy: "Give TLP:CLEAR, TLP:GREEN, TLP:AMBER, TLP:AMBER+STRICT or TLP:RED.") : nil
    }
    static let score = Setting<Int?>(
        "harfanglab_incidents.default_score", "Score of imported indicators."
    ).or("harfanglab.default_score").within(0...100)
    static let startDate = Setting<String>(
        "harfanglab_incidents.import_start_date", default: "1970-01-01",
        "Where the first import begins: a date, or a date with a time."
    ).checking { text in
        StartDate(text) == nil ? InvalidValue("is no date", remedy: "Give an ISO date: 2026-01-31.") : nil
    }
    static let concurrency = Setting<Int>(
        "harfanglab_incidents.concurrent_calls", default: 8, "Most look-ups of rules under way at once."
    ).within(1...64)

    /// Those of this direction alone, without platform and console.
    public static let own: [any AnySetting] = [
        importsThreats, statuses, types, marking, score, startDate, concurrency,
    ]

    static let all: [any AnySetting] =
        OpenCTISettings.connection + [OpenCTISettings.id, kind, name, scope, OpenCTISettings.logLevel]
        + connection.all + own + ScheduleSettings.all + BundleSettings.all + HarfangLabSettings.withoutEffect

    private static func complaint(_ words: [String], among known: [String]) -> InvalidValue? {
        let unknown = words.map { $0.lowercased() }.filter { !known.contains($0) }
        guard !unknown.isEmpty else { return nil }
        return InvalidValue(
            "holds \(unknown.joined(separator: ", "))",
            remedy: "Give some of: \(known.joined(separator: ", ")).")
    }
}
