// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import Settings
import Testing
import VMRay

@testable import SandboxTriage

@Suite("Triage settings") struct TriageSettingsTests {
    private static let least = [
        "CROWDSTRIKE_CLIENT_ID": "id", "CROWDSTRIKE_CLIENT_SECRET": "s", "VMRAY_API_KEY": "k",
        // Away from any folder with Python files.
        "VMRAY_CONFIG_DIR": NSTemporaryDirectory(),
    ]

    private func configuration(_ environment: [String: String], yaml: String? = nil) throws -> Configuration {
        var files = DropInFiles()
        var path: String?
        if let yaml {
            let name = NSTemporaryDirectory() + UUID().uuidString + ".yml"
            try yaml.write(toFile: name, atomically: true, encoding: .utf8)
            files = DropInFiles(config: name)
            path = name
        }
        defer { if let path { try? FileManager.default.removeItem(atPath: path) } }
        return try SettingsCatalogue(connectors: [SandboxTriageConnector.declaration]).dropIn(
            SandboxTriageConnector.declaration, files: files,
            input: SettingsInput(environment: Self.least.merging(environment) { $1 }))
    }

    private func settings(_ environment: [String: String] = [:], yaml: String? = nil) throws -> ResolvedSettings {
        try configuration(environment, yaml: yaml).flows[0].settings
    }

    private func problems(_ environment: [String: String]) -> [String] {
        do {
            _ = try settings(environment)
            return []
        } catch let error as SettingsError {
            return error.problems.filter { $0.severity == .error }.map(\.description)
        } catch {
            return ["\(error)"]
        }
    }

    // covers: triage:config_defaults
    @Test func `defaults are those of the original's documentation`() throws {
        let settings = try settings()
        typealias Names = TriageSettings
        #expect(TriagePolicy(settings) == TriagePolicy())
        #expect(settings[Names.baseURL] == "https://api.us-2.crowdstrike.com")
        #expect(settings[Names.url] == "https://eu.cloud.vmray.com")
        #expect(settings[Names.dataSources] == [.detect, .quarantine])
        #expect(settings[Names.timeSpan] == .seconds(10_800))
        #expect(settings[Names.runtimeMode] == .docker)
        #expect(settings[Names.maxSampleSize].bytes == 268_435_456)
        #expect(settings[Names.logFile]?.text == "cs-connector.log")
        #expect(settings[Names.logLevel] == .info)
        var options = SubmissionOptions()
        options.comment = "Sample from VMRay CrowdStrike Connector"
        options.tags = ["CrowdStrike"]
        options.analysisTimeout = 120
        options.analyzerMode = .reputationStaticDynamic
        #expect(SubmissionOptions(settings) == options)
    }

    // covers: triage:config_environment
    @Test func `every option has its variable`() throws {
        let settings = try settings([
            "VMRAY_DATA_SOURCES": "Quarantine", "VMRAY_TIME_SPAN": "60", "VMRAY_RUNTIME_MODE": "cli",
            "VMRAY_MAX_CONCURRENT": "3", "VMRAY_MAX_SAMPLE_SIZE": "1000", "VMRAY_SUBMISSION_COMMENT": "c",
            "VMRAY_SUBMISSION_TAGS": "a,b", "VMRAY_ANALYSIS_TIMEOUT": "30", "VMRAY_ANALYSIS_JOB_TIMEOUT": "90",
            "VMRAY_ANALYZER_MODE": "static", "VMRAY_RESUBMIT": "yes", "VMRAY_RESUBMISSION_VERDICTS": "clean",
            "VMRAY_SELECTED_VERDICTS": "malicious,suspicious", "VMRAY_COMMENT_TO_DETECTION": "no",
            "VMRAY_COMMENT_TO_QUARANTINE": "0", "VMRAY_CLOSE_ON_CLEAN": "off", "VMRAY_RELEASE_ON_CLEAN": "1",
            "VMRAY_ADD_THREAT_CLASSIFICATION": "false", "VMRAY_ADD_THREAT_NAME": "FALSE",
            "VMRAY_IOC_URL_ADDRESSES": "false", "VMRAY_CONTAIN_HOST": "true", "VMRAY_CONTAIN_HOST_LEVELS": "MALICIOUS",
            "VMRAY_CONTAIN_MAX": "2", "VMRAY_NEVER_CONTAIN": "dc-*, Servers", "VMRAY_CREATE_CASE": "true",
            "VMRAY_CREATE_CASE_LEVELS": "suspicious", "VMRAY_ERROR_OPEN_CASE": "true",
            "VMRAY_CASE_USERS": "6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11", "VMRAY_CASE_API": "cases",
            "VMRAY_CASE_TYPE": "fc:contact", "VMRAY_FIND_ANOTHER_HOST": "true",
            "VMRAY_FIND_ANOTHER_HOST_LEVELS": "malicious", "VMRAY_DRY_RUN": "true", "VMRAY_LEGACY_API": "off",
            "VMRAY_LOG_FILE": "x.log", "VMRAY_LOG_LEVEL": "DEBUG", "VMRAY_DOWNLOAD_DIR": "d",
        ])
        typealias Names = TriageSettings
        var policy = TriagePolicy()
        policy.commentsToDetection = false
        policy.commentsToQuarantine = false
        policy.closesOnClean = false
        policy.releasesOnClean = true
        policy.addsClassification = false
        policy.addsThreatName = false
        policy.takesURLAddresses = false
        policy.containLevels = [.malicious]
        policy.caseLevels = [.suspicious]
        policy.opensCaseOnError = true
        policy.caseUser = "6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11"
        policy.caseAPI = .cases
        policy.caseType = "fc:contact"
        policy.otherHostLevels = [.malicious]
        policy.resubmittedVerdicts = [.clean]
        policy.selectedVerdicts = [.malicious, .suspicious]
        policy.analysisTimeout = .seconds(90)
        #expect(TriagePolicy(settings) == policy)
        #expect(settings[Names.dataSources] == [.quarantine])
        #expect(settings[Names.runtimeMode] == .cli)
        #expect(settings[Names.neverContain] == ["dc-*", "Servers"])
        #expect(settings[Names.containMax] == 2)
        #expect(settings[Names.maxSampleSize].bytes == 1000)
        #expect(settings[Names.legacyAPI] == .off)
        #expect(settings[Names.logFile]?.text == "x.log")
        #expect(settings[Names.logLevel] == .debug)
        #expect(settings[Names.downloadDirectory].text == "d")
        #expect(SubmissionOptions(settings).analysisTimeout == 30)
        #expect(SandboxTriageConnector.isDryRun(settings))
    }

    // covers: triage:config_misspelt, triage:config_file
    @Test func `a file with the original's sections and names is read, misspelt ones too`() throws {
        let settings = try settings(
            yaml: """
                crowdstrike:
                  BASE_URL: https://api.eu-1.crowdstrike.com
                  COMMMENT_TO_DETECTION: false
                  ADD_THREAD_NAME: false
                  SELECTED_DATA_SOURCES: [Detect]
                  USER_UUID: 6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11
                vmray:
                  ConnectorName: Mine
                  ANALYSIS_JOB_TIMEOUT: 77
                general:
                  LOG LEVEL: ERROR
                  SELECTED_VERDICTS: [malicious, clean]
                """)
        typealias Names = TriageSettings
        #expect(settings[Names.baseURL] == "https://api.eu-1.crowdstrike.com")
        #expect(!settings[Names.commentsToDetection])
        #expect(!settings[Names.addsThreatName])
        #expect(settings[Names.dataSources] == [.detect])
        #expect(settings[Names.connectorName] == "Mine")
        #expect(settings[Names.jobTimeout] == .seconds(77))
        #expect(settings[Names.logLevel] == .error)
        #expect(settings[Names.selectedVerdicts] == [.malicious, .clean])
        #expect(TriageSettings.caseUser(settings) == "6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11")
        #expect(try !self.settings(["VMRAY_COMMMENT_TO_DETECTION": "false"])[Names.commentsToDetection])
    }

    // covers: triage:config_refused
    @Test(
        arguments: [
            ("VMRAY_DATA_SOURCES", "Incidents"), ("VMRAY_CONTAIN_HOST_LEVELS", "clean"),
            ("VMRAY_CONTAIN_HOST", "maybe"),
            ("VMRAY_API_KEY_TYPE", "ADMIN"), ("VMRAY_ANALYZER_MODE", "dynamic"), ("VMRAY_SUBMISSION_TAGS", "a b"),
            ("VMRAY_ANALYSIS_TIMEOUT", "soon"), ("VMRAY_CONTAIN_MAX", "-1"), ("VMRAY_CASE_USERS", "me"),
            ("VMRAY_CASE_API", "jira"), ("VMRAY_CASE_TYPE", "fc:other"), ("VMRAY_URL", "ftp://vmray"),
            ("VMRAY_RUNTIME_MODE", "KUBERNETES"), ("VMRAY_RESUBMISSION_VERDICTS", "unknown"),
            ("VMRAY_MAX_CONCURRENT", "0"), ("VMRAY_LOG_LEVEL", "LOUD"), ("VMRAY_TIME_SPAN", "0"),
        ])
    func `a bad value names its variable`(_ name: String, _ value: String) {
        let found = problems([name: value])
        #expect(found.count == 1)
        #expect(found.first?.contains(name) == true)
    }

    // covers: triage:config_conflicts
    @Test func `options that exclude each other are refused`() {
        #expect(problems(["VMRAY_CREATE_CASE": "true"]).first?.contains("VMRAY_CASE_USERS") == true)
        #expect(problems(["VMRAY_ERROR_OPEN_CASE": "true"]).count == 1)
        #expect(problems(["VMRAY_SSL_VERIFY": "false", "VMRAY_CA_FILE": "/ca.pem"]).count == 1)
    }

    // covers: triage:config_remarks
    @Test func `what can have no effect is said`() throws {
        let id = "6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11"
        let settings = try settings([
            "VMRAY_RELEASE_ON_CLEAN": "true", "VMRAY_COMMENT_TO_QUARANTINE": "false", "VMRAY_CASE_USERS": "\(id),\(id)",
            "VMRAY_API_KEY_TYPE": "1",
        ])
        #expect(TriageSettings.remarks(settings).count == 3)
        #expect(try TriageSettings.remarks(self.settings()).isEmpty)
    }

    // covers: triage:config_log_file
    @Test func `an empty log file means standard error alone`() throws {
        #expect(try settings(["VMRAY_LOG_FILE": ""])[TriageSettings.logFile]?.text == "-")
    }

    // covers: triage:python_files
    @Test func `the original's Python files are read as text, and a variable wins over them`() throws {
        let folder = NSTemporaryDirectory() + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let files = [
            "crowdstrike_conf.py": """
            class CrowdStrikeConfig():
                CLIENT_ID = "<CrowdStrike-Client-ID>"
                DOWNLOAD_DIR = pathlib.Path("downloads")
                TIME_SPAN = GeneralConfig.TIME_SPAN
                COMMMENT_TO_DETECTION = False
                CONTAIN_HOST = True
                CONTAIN_HOST_LEVELS = [VERDICT.MALICIOUS]
                ADD_THREAD_NAME = False
                UNHEARD_OF = 1
            """,
            "vmray_conf.py": """
            class VMRayConfig:
                API_KEY_TYPE = VMRAY_API_KEY_TYPE.VERDICT
                API_KEY = "from-file"
                RESUBMIT = compute()
                ANALYSIS_JOB_TIMEOUT = 3600
            """,
            "general_conf.py": """
            class GeneralConfig:
                LOG_DIR = pathlib.Path("log")
                LOG_FILE_PATH = LOG_DIR / pathlib.Path("cs-connector.log")
                LOG_LEVEL = log.WARNING
                SELECTED_VERDICTS = [VERDICT.SUSPICIOUS.value]
                RUNTIME_MODE = RUNTIME_MODE.CLI
            """,
        ]
        for (name, text) in files { try text.write(toFile: folder + "/" + name, atomically: true, encoding: .utf8) }
        let configuration = try configuration(["VMRAY_CONFIG_DIR": folder, "VMRAY_ANALYSIS_JOB_TIMEOUT": "44"])
        let settings = configuration.flows[0].settings
        typealias Names = TriageSettings
        #expect(!settings[Names.commentsToDetection])
        #expect(TriagePolicy(settings).containLevels == [.malicious])
        #expect(!settings[Names.addsThreatName])
        #expect(settings[Names.apiKeyType] == .verdict)
        #expect(settings[Names.apiKey].reveal() == "k")
        #expect(settings[Names.jobTimeout] == .seconds(44))
        #expect(settings[Names.logLevel] == .warning)
        #expect(settings[Names.selectedVerdicts] == [.suspicious])
        #expect(settings[Names.runtimeMode] == .cli)
        let warnings = configuration.warnings.map(\.description)
        #expect(warnings.count { $0.contains("UNHEARD_OF") } == 1)
        #expect(warnings.count { $0.contains("VMRAY_RESUBMIT") } == 1)
        #expect(warnings.count == 2)
        #expect(throws: SettingsError.self) { try self.settings(["VMRAY_CONFIG_DIR": folder + "/none"]) }
    }
}
