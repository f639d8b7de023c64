// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@testable import Settings

@Suite("Drop-in settings") struct DropInTests {
    @Test func `the original's variables are enough`() throws {
        let configuration = try Sample.dropIn()
        let settings = configuration.flows[0].settings
        #expect(settings[Sample.url].text == "http://opencti:8080")
        #expect(settings[Sample.secret].reveal() == "s3cret")
        #expect(settings[Sample.batch] == 200 && settings[Sample.memberCID] == nil && settings[Sample.owned] == [])
        #expect(settings[LogSettings.level] == .error && settings[StateSettings.folder] == "/var/lib/sallyport")
        #expect(settings.origin(of: Sample.url) == .variable("OPENCTI_URL") && !settings.isSet(Sample.batch))
        #expect(configuration.flows[0].name == "opencti-crowdstrike")
        #expect(configuration.flows[0].connections == ["opencti": "opencti", "falcon": "falcon"])
        #expect(configuration.warnings.isEmpty)
    }

    // covers: config:precedence
    @Test func `command line, environment, file of a variable, config.yml, default`() throws {
        let folder = try Folder(["config.yml": "crowdstrike:\n  batch_size: 4\n", "value": "3\n"])
        let files = DropInFiles(config: folder.path("config.yml"))
        var changes: [String: String?] = [:]
        func batch(_ overrides: [SettingsInput.Override] = []) throws -> (Int, SettingOrigin) {
            let settings = try Sample.dropIn(changes, files: files, overrides: overrides).flows[0].settings
            return (settings[Sample.batch], settings.origin(of: Sample.batch))
        }
        #expect(try batch().0 == 4)
        #expect(try batch().1.description.hasSuffix("config.yml:2:15"))
        changes["CROWDSTRIKE_BATCH_SIZE_FILE"] = folder.path("value")
        #expect(try batch().0 == 3)
        #expect(try batch().1 == .file(folder.path("value"), via: "CROWDSTRIKE_BATCH_SIZE_FILE"))
        changes["CROWDSTRIKE_BATCH_SIZE"] = "2"
        #expect(try batch() == (2, .variable("CROWDSTRIKE_BATCH_SIZE")))
        for key in ["crowdstrike.batch_size", "CROWDSTRIKE_BATCH_SIZE"] {
            #expect(try batch([.init(key: key, text: "1")]) == (1, .commandLine))
        }
        #expect(try Sample.dropIn().flows[0].settings[Sample.batch] == 200)
    }

    // covers: config:names
    @Test func `variables are found in any case, older names after the own`() throws {
        func list(_ changes: [String: String?]) throws -> String? {
            try Sample.dropIn(changes).flows[0].settings[Sample.renamed]
        }
        #expect(try list(["intel_list": "a"]) == "a")
        #expect(try list(["OLD_LIST": "c", "HARFANGLAB_LIST": "b"]) == "b")
        #expect(try list(["OLD_LIST": "c"]) == "c")
        #expect(try list(["Intel_List": "x", "INTEL_LIST": "y"]) == "y")
        let folder = try Folder(["config.yml": "harfanglab: {list: h}\n"])
        let files = DropInFiles(config: folder.path("config.yml"))
        #expect(try Sample.dropIn([:], files: files).flows[0].settings[Sample.renamed] == "h")
        #expect(try Sample.dropIn(["OLD_LIST": "e"], files: files).flows[0].settings[Sample.renamed] == "e")
    }

    @Test func `a problem does not show what a reference in .env brought in`() throws {
        let folder = try Folder([".env": "CROWDSTRIKE_BATCH_SIZE=x${CROWDSTRIKE_CLIENT_SECRET}\n"])
        let problems = Sample.problems { try Sample.dropIn(files: DropInFiles(dotEnv: folder.path(".env"))) }
        #expect(problems.count == 1)
        #expect(problems.allSatisfy { $0.contains("crowdstrike.batch_size") && !$0.contains("s3cret") }, "\(problems)")
    }

    @Test func `an empty variable means the default, whatever config.yml says`() throws {
        let folder = try Folder(["config.yml": "crowdstrike: {batch_size: 4, member_cid: x}\n"])
        let files = DropInFiles(config: folder.path("config.yml"))
        let settings = try Sample.dropIn(
            ["CROWDSTRIKE_BATCH_SIZE": "", "CROWDSTRIKE_MEMBER_CID": " "], files: files
        ).flows[0].settings
        #expect(settings[Sample.batch] == 200 && settings[Sample.memberCID] == nil)
        #expect(!settings.isSet(Sample.batch))
    }

    // covers: config:env-file
    @Test func `.env counts only without config.yml`() throws {
        let folder = try Folder([".env": "crowdstrike_batch_size=7\n", "src/x": ""])
        func batch() throws -> Int {
            try Sample.dropIn([:], files: .find(in: folder.path("src"))).flows[0].settings[Sample.batch]
        }
        #expect(try batch() == 7)
        try folder.write("config.yml", "crowdstrike: {batch_size: 8}\n")
        #expect(try batch() == 8)
        #expect(DropInFiles.find(in: folder.path(".")).dotEnv != nil)
        #expect(DropInFiles.find(in: "/nowhere") == DropInFiles())
    }

    // covers: config:all-problems
    @Test func `all problems come at once, each with key, variable, reason and remedy`() throws {
        let folder = try Folder(["config.yml": "crowdstrike:\n  batch_size: many\n  member_cid: {x: 1}\nmetrics: 5\n"])
        let files = DropInFiles(config: folder.path("config.yml"))
        let problems = Sample.problems {
            try Sample.dropIn(
                [
                    "OPENCTI_URL": "opencti:8080", "OPENCTI_TOKEN": "ChangeMe", "CROWDSTRIKE_CLIENT_SECRET": nil,
                    "CROWDSTRIKE_SOFT_DELETE_ACTION": "keeep", "CROWDSTRIKE_API_BASE_URL": "http://api.crowdstrike.com",
                    "CONNECTOR_LIVE_STREAM_ID_FILE": folder.path("none"), "CONNECTOR_LIVE_STREAM_ID": nil,
                ], files: files, overrides: [.init(key: "crowdstrike.batchsize", text: "1")])
        }
        #expect(
            folder.relative(problems) == [
                "crowdstrike.batchsize: The command line sets a key that is not known. Did you mean crowdstrike.batch_size?",
                "config.yml:4:10: metrics: Here is a single value where a section is expected. Write its keys below it, indented.",
                "opencti.url (OPENCTI_URL): “opencti:8080” has no scheme. Put https:// in front of it.",
                "opencti.token (OPENCTI_TOKEN): It still holds the sample's placeholder. Set OPENCTI_TOKEN (or OPENCTI_TOKEN_FILE with the path of a file), or opencti.token in config.yml.",
                "crowdstrike.api_base_url (CROWDSTRIKE_API_BASE_URL): “http://api.crowdstrike.com” is not encrypted. Use https.",
                "crowdstrike.client_secret (CROWDSTRIKE_CLIENT_SECRET): It is required. Set CROWDSTRIKE_CLIENT_SECRET (or CROWDSTRIKE_CLIENT_SECRET_FILE with the path of a file), or crowdstrike.client_secret in config.yml.",
                "config.yml:3:15: crowdstrike.member_cid: Here is a section where a value is expected. Check the indentation.",
                "connector.live_stream_id (CONNECTOR_LIVE_STREAM_ID_FILE): The file “none” cannot be read: No such file or directory. Check the path, and that this user may read it.",
                "config.yml:2:15: crowdstrike.batch_size: “many” is no whole number. Give a whole number, from 1 to 2000.",
                "crowdstrike.soft_delete_action (CROWDSTRIKE_SOFT_DELETE_ACTION): “keeep” is not allowed. Did you mean keep? Allowed: keep or no_action.",
            ])
    }

    // covers: config:unknown-original
    @Test func `unknown keys and variables of an original are warnings with the nearest name`() throws {
        let folder = try Folder(["config.yml": "crowdstrike: {batchsize: 4}\nconector: {}\nopencti: ~\n"])
        let problems = Sample.problems {
            try Sample.dropIn(
                [
                    "CROWDSTRIKE_CLIENTSECRET": "x", "CONNECTOR_UNHEARD": "x", "HOME": "/x", "SALLYPORT_COMMIT": "x",
                    "OPENCTI_SERVICE_HOST": "10.0.0.1", "OPENCTI_PORT": "tcp://10.0.0.1:80",
                    "OPENCTI_PORT_80_TCP_ADDR": "10.0.0.1", "OPENCTI_SERVICE_PORT": "80",
                ], files: DropInFiles(config: folder.path("config.yml")))
        }
        #expect(
            folder.relative(problems) == [
                "warning: config.yml:2:1: conector: This key is not known. Did you mean “connector”?",
                "warning: config.yml:1:15: crowdstrike.batchsize: This key is not known. Did you mean “batch_size”?",
                "warning: CONNECTOR_UNHEARD: This variable is not known. It has no effect; remove it.",
                "warning: CROWDSTRIKE_CLIENTSECRET: This variable is not known. Did you mean CROWDSTRIKE_CLIENT_SECRET?",
            ])
    }

    // covers: config:metrics-off
    @Test func `what is switched off may be wrong`() throws {
        let off = try Sample.dropIn(["METRICS_PORT": "never"])
        #expect(off.flows[0].settings[Sample.port] == 9113)
        #expect(off.warnings.map(\.severity) == [.warning])
        #expect(off.warnings[0].description.contains("METRICS_PORT"))
        #expect(
            Sample.problems { try Sample.dropIn(["METRICS_PORT": "never", "METRICS_ENABLE": "yes"]) } == [
                "metrics.port (METRICS_PORT): “never” is no whole number. Give a whole number, from 1 to 65535."
            ])
    }

    @Test func `what has no effect is accepted whatever it says`() throws {
        let settings = try Sample.dropIn(["CONNECTOR_CONFIDENCE_LEVEL": "high"]).flows[0].settings
        #expect(settings[Sample.confidence] == nil)
    }

    @Test func `a rule over several settings speaks like any other check`() {
        #expect(
            Sample.problems { try Sample.dropIn(["CROWDSTRIKE_BATCH_SIZE": "13"]) } == [
                "crowdstrike.batch_size (CROWDSTRIKE_BATCH_SIZE): 13 brings bad luck. Give another number."
            ])
        #expect(
            Sample.problems { try Sample.dropIn(["CROWDSTRIKE_BATCH_SIZE": "2001"]) }
                == [
                    "crowdstrike.batch_size (CROWDSTRIKE_BATCH_SIZE): “2001” is out of range. Give a whole number, from 1 to 2000."
                ])
    }

    // covers: config:secret-files
    @Test func `a secret file is read again`() throws {
        let folder = try Folder(["secret": "first\n"])
        let settings = try Sample.dropIn([
            "CROWDSTRIKE_CLIENT_SECRET": nil, "CROWDSTRIKE_CLIENT_SECRET_FILE": folder.path("secret"),
        ]).flows[0].settings
        let source = settings.source(of: Sample.secret)
        #expect(source.initial.reveal() == "first" && source.canChange)
        try folder.write("secret", "second\r\n")
        #expect(try source.read().reveal() == "second")
        try folder.write("secret", "")
        #expect { try source.read() } throws: { "\($0)".contains("is empty") }
        #expect(try !Sample.dropIn().flows[0].settings.source(of: Sample.secret).canChange)
    }

    @Test func `a variable beside its file wins and says so`() throws {
        let folder = try Folder(["secret": "from file"])
        let configuration = try Sample.dropIn(["CROWDSTRIKE_CLIENT_SECRET_FILE": folder.path("secret")])
        #expect(configuration.flows[0].settings[Sample.secret].reveal() == "s3cret")
        #expect(configuration.warnings.map(\.what) == ["CROWDSTRIKE_CLIENT_SECRET is set too and wins."])
        let other = try Sample.dropIn([
            "CROWDSTRIKE_CLIENT_SECRET": "", "CROWDSTRIKE_CLIENT_SECRET_FILE": folder.path("secret"),
        ])
        #expect(other.flows[0].settings[Sample.secret].reveal() == "from file" && other.warnings.isEmpty)
    }

    @Test(arguments: [("folder", "is a folder"), ("binary", "is no UTF-8 text"), ("empty", "is empty")])
    func `a secret file that holds no secret is an error`(_ name: String, _ words: String) throws {
        let folder = try Folder(["folder/x": "", "empty": "\n"])
        try folder.writeBytes("binary", [0xFF, 0xFE])
        let problems = Sample.problems {
            try Sample.dropIn(["OPENCTI_TOKEN": nil, "OPENCTI_TOKEN_FILE": folder.path(name)])
        }
        #expect(problems.count == 1 && problems[0].contains(words) && problems[0].contains("OPENCTI_TOKEN_FILE"))
    }

    // covers: better:secrets
    @Test func `no message and no listing holds a secret`() throws {
        let folder = try Folder([
            "config.yml":
                "opencti: {token: hunter2a, url: 'https://me:hunter2b@x'}\ncrowdstrike: {client_secret: [hunter2c]}\n",
            "batch": "hunter2d",
        ])
        let files = DropInFiles(config: folder.path("config.yml"))
        let problems = Sample.problems {
            try Sample.dropIn(
                [
                    "OPENCTI_URL": nil, "OPENCTI_TOKEN": nil, "CROWDSTRIKE_CLIENT_SECRET": nil,
                    "CROWDSTRIKE_BATCH_SIZE_FILE": folder.path("batch"), "CROWDSTRIKE_CLIENT_SECRT": "hunter2e",
                ], files: files)
        }
        #expect(problems.count == 4)
        #expect(!problems.joined().contains("hunter2"), "\(problems)")
        let settings = try Sample.dropIn(["OPENCTI_TOKEN": "hunter2"]).flows[0].settings
        let listing = settings.entries.map { "\($0.setting.key)=\($0.text)" }
        #expect(listing.contains("opencti.token=[redacted]"))
        var dumped = ""
        dump(settings, to: &dumped)
        #expect(!dumped.contains("hunter2") && !"\(settings)".contains("hunter2"))
    }

    @Test func `a reload knows what has changed, secrets too`() throws {
        let before = try Sample.dropIn().flows[0].settings
        let after = try Sample.dropIn(["OPENCTI_TOKEN": "other", "CROWDSTRIKE_BATCH_SIZE": "5"]).flows[0].settings
        #expect(after.changedKeys(since: before) == ["opencti.token", "crowdstrike.batch_size"])
        #expect(before.changedKeys(since: before).isEmpty)
    }

    // covers: bad:settings
    @Test(arguments: ["config.yml: no", "opencti:\n\turl: x\n", "- a\n", "a: 1\na: 2\n"])
    func `a config.yml that is broken is an error`(_ text: String) throws {
        let folder = try Folder(["config.yml": text])
        let problems = Sample.problems { try Sample.dropIn([:], files: DropInFiles(config: folder.path("config.yml"))) }
        #expect(!problems.isEmpty)
        if text.hasPrefix("config") { #expect(problems.allSatisfy { $0.hasPrefix("warning") }) }
    }

    @Test func `a config.yml that was named but is missing is an error`() {
        let problems = Sample.problems { try Sample.dropIn([:], files: DropInFiles(config: "/nowhere/config.yml")) }
        #expect(problems.count == 1 && problems[0].contains("/nowhere/config.yml"))
    }

    // covers: config:dropin-names
    @Test func `a connector is found by its aliases`() {
        #expect(Sample.catalogue.connector(named: "CrowdStrike-Endpoint-Security")?.name == "opencti-crowdstrike")
        #expect(Sample.catalogue.connector(named: "nothing") == nil)
    }
}
