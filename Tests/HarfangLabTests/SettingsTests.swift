// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import Settings
import Testing

@testable import ConnectorKit
@testable import HarfangLabBoth
@testable import HarfangLabIncidents
@testable import HarfangLabIntel

#if canImport(Glibc)
    import Glibc
#endif

/// Every key of the first original and of the two that followed, under each of its names. Source: HarfangLab ↔ OpenCTI, 4.
@Suite("HarfangLab's settings") struct HarfangLabSettingsTests {
    enum Kind: String, Sendable, CaseIterable {
        case both
        case intel
        case incidents

        var declaration: ConnectorSettings {
            switch self {
            case .both: HarfangLabConnector.declaration
            case .intel: HarfangLabIntelConnector.declaration
            case .incidents: HarfangLabIncidentsConnector.declaration
            }
        }
        /// Prefix of the variables of its own.
        var prefix: String {
            switch self {
            case .both: "HARFANGLAB"
            case .intel: "HARFANGLAB_INTEL"
            case .incidents: "HARFANGLAB_INCIDENTS"
            }
        }
        var required: [String: String] {
            [
                "OPENCTI_URL": "http://127.0.0.1:1", "OPENCTI_TOKEN": "t", "CONNECTOR_ID": "c", "CONNECTOR_NAME": "HL",
                "CONNECTOR_SCOPE": "harfanglab", "CONNECTOR_LIVE_STREAM_ID": "s",
                prefix + "_URL": "https://hl.example:8443", prefix + "_TOKEN": "k",
            ]
        }
    }

    private func configuration(_ kind: Kind, _ environment: [String: String]) throws -> Configuration {
        let input = SettingsInput(environment: kind.required.merging(environment) { $1 })
        return try SettingsCatalogue(connectors: [kind.declaration]).dropIn(kind.declaration, input: input)
    }

    private func settings(_ kind: Kind, _ environment: [String: String]) throws -> ResolvedSettings {
        try configuration(kind, environment).flows[0].settings
    }

    private func refused(_ kind: Kind, _ name: String, _ value: String) -> Bool {
        do {
            _ = try settings(kind, [name: value])
            return false
        } catch let error as SettingsError {
            return error.problems.contains { $0.variable == name }
        } catch { return false }
    }

    // covers: key:HARFANGLAB_URL, key:HARFANGLAB_INTEL_URL, key:HARFANGLAB_INCIDENTS_URL, key:HARFANGLAB_TOKEN
    // covers: key:HARFANGLAB_INTEL_TOKEN, key:HARFANGLAB_INCIDENTS_TOKEN
    @Test(arguments: Kind.allCases) func `address and token are demanded`(_ kind: Kind) throws {
        let names = HarfangLabSettings(section: kind.prefix.lowercased())
        let all = try settings(kind, [:])
        #expect(all[names.url].text == "https://hl.example:8443" && all[names.token].reveal() == "k")
        for name in ["_URL", "_TOKEN"] {
            var rest = kind.required
            rest[kind.prefix + name] = nil
            #expect(throws: SettingsError.self) {
                try SettingsCatalogue(connectors: [kind.declaration])
                    .dropIn(kind.declaration, input: SettingsInput(environment: rest))
            }
        }
        #expect(refused(kind, kind.prefix + "_URL", "tenant"))
    }

    // covers: key:HARFANGLAB_SSL_VERIFY, key:HARFANGLAB_INTEL_SSL_VERIFY, key:HARFANGLAB_INCIDENTS_SSL_VERIFY, hlbug:intel-13
    @Test(arguments: Kind.allCases) func `the certificate is checked unless somebody says no`(_ kind: Kind) throws {
        let verification = HarfangLabSettings(section: kind.prefix.lowercased()).verification
        #expect(try settings(kind, [:])[verification] == .system)
        for (text, value) in [("no", TLSVerification.off), ("FALSE", .off), ("1", .system), ("true", .system)] {
            #expect(try settings(kind, [kind.prefix + "_SSL_VERIFY": text])[verification] == value)
        }
    }

    // covers: key:HARFANGLAB_SOURCE_LIST_NAME, key:HARFANGLAB_INTEL_SOURCE_LIST_NAME, key:HARFANGLAB_REMOVE_INDICATOR
    // covers: key:HARFANGLAB_INTEL_REMOVE_INDICATOR, key:HARFANGLAB_RULE_MATURITY, key:HARFANGLAB_INTEL_RULE_MATURITY
    // covers: key:HARFANGLAB_INTEL_SKIP_NAME_WITH_HASH, key:HARFANGLAB_INTEL_READ_BACK_RULES
    // covers: key:HARFANGLAB_INTEL_CONCURRENT_CALLS
    @Test(arguments: [(Kind.both, "HARFANGLAB_"), (.intel, "HARFANGLAB_INTEL_"), (.intel, "HARFANGLAB_")])
    func `rules are made as asked for`(_ kind: Kind, _ prefix: String) throws {
        let usual = try settings(kind, [:])
        #expect(usual[HarfangLabIntelSettings.sourceList] == "from_OpenCTI")
        #expect(!usual[HarfangLabIntelSettings.removes] && usual[HarfangLabIntelSettings.maturity] == .stable)
        let all = try settings(
            kind,
            [
                prefix + "SOURCE_LIST_NAME": "yes", prefix + "REMOVE_INDICATOR": "on",
                prefix + "RULE_MATURITY": "testing",
                prefix + "SKIP_NAME_WITH_HASH": "true", prefix + "READ_BACK_RULES": "true",
                prefix + "CONCURRENT_CALLS": "3",
            ])
        // A list may bear a name that other keys would take for a yes.
        #expect(all[HarfangLabIntelSettings.sourceList] == "yes")
        #expect(all[HarfangLabIntelSettings.removes] && all[HarfangLabIntelSettings.maturity] == .testing)
        #expect(all[HarfangLabIntelSettings.skipsNameWithHash] && all[HarfangLabIntelSettings.readsBack])
        #expect(all[HarfangLabIntelSettings.calls] == 3)
        for (name, value) in [
            ("SOURCE_LIST_NAME", String(repeating: "x", count: 101)), ("REMOVE_INDICATOR", "perhaps"),
            ("RULE_MATURITY", "experimental"), ("CONCURRENT_CALLS", "0"),
        ] {
            #expect(refused(kind, prefix + name, value), "\(name)")
        }
    }

    // covers: key:HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS
    @Test func `the first original's import is off until asked for`() throws {
        #expect(try !settings(.both, [:])[HarfangLabConnector.importsEvents])
        let name = "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS"
        #expect(try settings(.both, [name: "true"])[HarfangLabConnector.importsEvents])
        #expect(refused(.both, name, "sometimes"))
    }

    // covers: key:HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS, key:HARFANGLAB_INCIDENTS_IMPORT_THREATS
    // covers: key:HARFANGLAB_IMPORT_SECURITY_EVENTS_FILTERS_BY_STATUS, key:HARFANGLAB_INCIDENTS_ALERT_STATUSES
    // covers: key:HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE, key:HARFANGLAB_INCIDENTS_ALERT_TYPES
    // covers: key:HARFANGLAB_DEFAULT_MARKINGS, key:HARFANGLAB_INCIDENTS_DEFAULT_MARKING, key:HARFANGLAB_DEFAULT_SCORE
    // covers: key:HARFANGLAB_INCIDENTS_DEFAULT_SCORE, hlbug:inc-18, hlbug:inc-19
    @Test(arguments: [true, false]) func `what is imported, and how it is marked`(_ isFirst: Bool) throws {
        let kind = isFirst ? Kind.both : .incidents
        let names =
            isFirst
            ? [
                "HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS", "HARFANGLAB_IMPORT_SECURITY_EVENTS_FILTERS_BY_STATUS",
                "HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE", "HARFANGLAB_DEFAULT_MARKINGS", "HARFANGLAB_DEFAULT_SCORE",
            ]
            : [
                "HARFANGLAB_INCIDENTS_IMPORT_THREATS", "HARFANGLAB_INCIDENTS_ALERT_STATUSES",
                "HARFANGLAB_INCIDENTS_ALERT_TYPES", "HARFANGLAB_INCIDENTS_DEFAULT_MARKING",
                "HARFANGLAB_INCIDENTS_DEFAULT_SCORE",
            ]
        let usual = try settings(kind, [:])
        #expect(!usual[HarfangLabIncidentsSettings.importsThreats] && usual[HarfangLabIncidentsSettings.score] == nil)
        #expect(usual[HarfangLabIncidentsSettings.types] == ["yara", "sigma", "ioc"])
        #expect(usual[HarfangLabIncidentsSettings.marking] == "TLP:CLEAR")
        let values = ["yes", " New, probable_false_positive", "ioc", "TLP:WHITE", "50"]
        let all = try settings(kind, Dictionary(uniqueKeysWithValues: zip(names, values)))
        #expect(all[HarfangLabIncidentsSettings.importsThreats])
        #expect(
            all[HarfangLabIncidentsSettings.statuses].map { $0.lowercased() } == ["new", "probable_false_positive"])
        #expect(all[HarfangLabIncidentsSettings.types] == ["ioc"])
        #expect(all[HarfangLabIncidentsSettings.marking] == "TLP:WHITE")
        #expect(all[HarfangLabIncidentsSettings.score] == 50)
        for (name, value) in zip(names, ["perhaps", "new,open", "ioc,hash", "TLP:PINK", "101"]) {
            #expect(refused(kind, name, value), "\(name)")
        }
    }

    // covers: key:HARFANGLAB_INCIDENTS_IMPORT_START_DATE, key:HARFANGLAB_INCIDENTS_CONCURRENT_CALLS
    @Test func `where the first import begins, and how many look-ups it makes at once`() throws {
        #expect(try settings(.incidents, [:])[HarfangLabIncidentsSettings.startDate] == "1970-01-01")
        let all = try settings(
            .incidents,
            ["HARFANGLAB_INCIDENTS_IMPORT_START_DATE": "2026-01-31", "HARFANGLAB_INCIDENTS_CONCURRENT_CALLS": "2"])
        #expect(all[HarfangLabIncidentsSettings.startDate] == "2026-01-31")
        #expect(all[HarfangLabIncidentsSettings.concurrency] == 2)
        #expect(refused(.incidents, "HARFANGLAB_INCIDENTS_IMPORT_START_DATE", "yesterday"))
        #expect(refused(.incidents, "HARFANGLAB_INCIDENTS_CONCURRENT_CALLS", "65"))
    }

    // covers: harfanglab:names_both
    @Test func `a newer name wins over the first one's, and a difference is told`() throws {
        let both = try configuration(
            .incidents, ["HARFANGLAB_INCIDENTS_DEFAULT_SCORE": "10", "HARFANGLAB_DEFAULT_SCORE": "20"])
        #expect(both.flows[0].settings[HarfangLabIncidentsSettings.score] == 10)
        #expect(both.warnings.contains { $0.description.contains("HARFANGLAB_DEFAULT_SCORE") })
        let alone = try settings(.intel, ["HARFANGLAB_REMOVE_INDICATOR": "true"])
        #expect(alone[HarfangLabIntelSettings.removes])
        let older = try configuration(.both, ["HARFANGLAB_INTEL_RULE_MATURITY": "testing"])
        #expect(older.flows[0].settings[HarfangLabIntelSettings.maturity] == .testing)
    }

    // covers: key:HARFANGLAB_LOGIN, key:HARFANGLAB_PASSWORD
    @Test(arguments: Kind.allCases) func `login and password are accepted with a word about it`(_ kind: Kind) throws {
        let all = try configuration(kind, ["HARFANGLAB_LOGIN": "somebody", "HARFANGLAB_PASSWORD": "hunter2"])
        for name in ["HARFANGLAB_LOGIN", "HARFANGLAB_PASSWORD"] {
            let warnings = all.warnings.filter { $0.variable == name }
            #expect(warnings.count == 1 && warnings.allSatisfy { $0.severity == .warning })
        }
        #expect(!all.warnings.contains { $0.description.contains("hunter2") || $0.description.contains("somebody") })
    }

    // covers: harfanglab:timeouts, hlbug:intel-13
    @Test func `a call has ten seconds to connect and a minute in all`() {
        #expect(
            HarfangLabSettings.timeouts.connect == .seconds(10) && HarfangLabSettings.timeouts.total == .seconds(60))
    }

    // covers: hlbug:intel-14
    @Test(arguments: ["harfanglab", "harfanglab_intel"]) func `a config.yml may name either section`(_ section: String)
        throws
    {
        let folder = try #require(makeTemporaryFolder("sallyport-tests"))
        let file = folder + "/config.yml"
        let text = """
            opencti: {url: "http://127.0.0.1:1", token: t}
            connector: {id: c, name: HL, scope: harfanglab, live_stream_id: s}
            \(section): {url: "https://hl.example:8443", token: k, source_list_name: mine, remove_indicator: true}

            """
        let descriptor = open(file, O_WRONLY | O_CREAT, 0o600)
        #expect(writeAll(Array(text.utf8), to: descriptor).failure == nil)
        close(descriptor)
        defer {
            unlink(file)
            rmdir(folder)
        }
        let declaration = Kind.intel.declaration
        let all = try SettingsCatalogue(connectors: [declaration])
            .dropIn(declaration, files: DropInFiles(config: file), input: SettingsInput(environment: [:])).flows[0]
            .settings
        #expect(all[HarfangLabIntelSettings.sourceList] == "mine" && all[HarfangLabIntelSettings.removes])
    }
}
