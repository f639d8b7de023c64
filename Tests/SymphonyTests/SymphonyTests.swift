// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import HTTPClient
import HTTPServer
import JSON
import Settings
import Telemetry
import TestKit
import Testing

@testable import ConnectorKit

/// A folder for one test.
private struct Folder: ~Copyable {
    let path: String
    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "sallyport-\(UUID())").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path + "/" + name))
    }
}

@Suite("What Sekoia's platform gives") struct SymphonyParameterTests {
    // covers: symphony:files, symphony:environment, symphony:base64
    @Test func `reads a file before the variable, and JSON as text or base64`() throws {
        let folder = try Folder()
        try folder.write("token", " secret\n")
        let parameters = SymphonyParameters(
            environment: [
                "TOKEN": "other", "URL_CALLBACK": "https://p.example/callback",
                "MODULE_CONFIGURATION": "eyJjbGllbnRfaWQiOiAiYSJ9", "TRIGGER_CONFIGURATION": #"{"intake_key":"k"}"#,
                "ARGUMENTS": "", "METRICS_PORT": "not base64!",
            ], folder: folder.path)
        #expect(parameters.text("token") == "secret" && parameters.hasPlatform)
        #expect(try parameters.moduleConfiguration()["client_id"] == "a")
        #expect(try parameters.connectorConfiguration()["intake_key"] == "k")
        #expect(try parameters.arguments().isEmpty)
        #expect(throws: SymphonyError.self) { _ = try parameters.json("metrics_port") }
        try folder.write("connector_configuration", #"{"intake_key":"new"}"#)
        #expect(try parameters.connectorConfiguration()["intake_key"] == "new")
    }

    // covers: symphony:settings
    @Test func `turns the configurations into settings, ours by name too`() throws {
        let declaration = ConnectorSettings(
            name: "c", title: "C", summary: "", settings: SymphonySettings.falcon + SymphonySettings.platform,
            adapter: SymphonySettings.adapter(for: SymphonySettings.falcon + SymphonySettings.platform))
        let catalogue = SettingsCatalogue(connectors: [declaration])
        let environment = [
            "MODULE_CONFIGURATION":
                #"{"client_id":"ed578da6b8d84d1e9312e833e493773a","client_secret":"s","base_url":"https://api.eu-1.crowdstrike.com"}"#,
            "CONNECTOR_CONFIGURATION": #"{"requests_per_minute":300,"unknown":1}"#,
            "SALLYPORT_SYMPHONY_DIR": "/nowhere",
        ]
        let settings = try catalogue.dropIn(declaration, input: SettingsInput(environment: environment)).flows[0]
            .settings
        #expect(settings[FalconSettings.clientID] == "ed578da6b8d84d1e9312e833e493773a")
        #expect(settings[SymphonySettings.clientSecret]?.reveal() == "s")
        #expect(settings[FalconSettings.requestsPerMinute] == 300)
        #expect(settings[SymphonySettings.livenessPort] == 8000 && settings[SymphonySettings.metricsPort] == 8020)
        #expect(settings[SymphonySettings.dataPath]?.text == "/symphony_data")
        var broken = environment
        broken["MODULE_CONFIGURATION"] = "{"
        #expect(throws: SettingsError.self) {
            _ = try catalogue.dropIn(declaration, input: SettingsInput(environment: broken))
        }
    }
}

/// Each key of the platform by its file, which wins over its variable.
@Suite("The platform's keys") struct SymphonyKeyTests {
    private static let settings = SymphonySettings.falcon + SymphonySettings.platform + SymphonySettings.withoutEffect

    /// The settings of a connector that the platform starts with these files and variables.
    private func settings(_ files: [String: String], _ variables: [String: String] = [:]) throws -> Configuration {
        let folder = try Folder()
        for (name, text) in files { try folder.write(name, text) }
        let declaration = ConnectorSettings(
            name: "c", title: "C", summary: "", settings: Self.settings,
            adapter: SymphonySettings.adapter(for: Self.settings))
        var environment = variables
        environment["SALLYPORT_SYMPHONY_DIR"] = folder.path
        return try SettingsCatalogue(connectors: [declaration]).dropIn(
            declaration, input: SettingsInput(environment: environment))
    }

    private static let module = [
        "module_configuration":
            #"{"client_id":"ed578da6b8d84d1e9312e833e493773a","client_secret":"s","base_url":"https://api.us-2.crowdstrike.com"}"#
    ]

    // covers: symphony:module_configuration, symphony:token, symphony:url_callback, symphony:url_logs,
    // symphony:url_secrets, symphony:connector_configuration_uuid, symphony:liveness_port, symphony:metrics_port
    @Test func `a file wins over its variable and becomes a setting`() throws {
        let files = [
            "token": "tok", "url_callback": "https://p.example/callback", "url_logs": "https://p.example/l",
            "url_secrets": "https://p.example/s", "connector_configuration_uuid": "c-1", "liveness_port": "8001",
            "metrics_port": "8021",
        ]
        let others = files.mapValues { $0 + "0" }
        let settings = try settings(
            files.merging(Self.module) { first, _ in first },
            Dictionary(uniqueKeysWithValues: others.map { ($0.key.uppercased(), $0.value) })
        ).flows[0].settings
        #expect(settings[FalconSettings.clientID] == "ed578da6b8d84d1e9312e833e493773a")
        #expect(settings[SymphonySettings.baseURL] == "https://api.us-2.crowdstrike.com")
        #expect(settings[SymphonySettings.token]?.reveal() == "tok")
        #expect(settings[SymphonySettings.callback] == "https://p.example/callback")
        #expect(settings[SymphonySettings.logs] == "https://p.example/l")
        #expect(settings[SymphonySettings.secrets] == "https://p.example/s")
        #expect(settings[SymphonySettings.configurationID] == "c-1")
        #expect(settings[SymphonySettings.livenessPort] == 8001 && settings[SymphonySettings.metricsPort] == 8021)
    }

    // covers: symphony:base_url
    @Test func `the base URL is the manifest's where the configuration has none`() throws {
        let text = #"{"client_id":"ed578da6b8d84d1e9312e833e493773a","client_secret":"s"}"#
        let settings = try settings(["module_configuration": text]).flows[0].settings
        #expect(settings[SymphonySettings.baseURL] == "https://api.eu-1.crowdstrike.com")
    }

    // covers: symphony:connector_configuration, symphony:trigger_configuration
    @Test func `the connector's configuration comes before the trigger's`() throws {
        let trigger = ["trigger_configuration": #"{"requests_per_minute":200}"#]
        let both = trigger.merging(["connector_configuration": #"{"requests_per_minute":300}"#]) { first, _ in first }
        for (files, expected) in [(trigger, 200), (both, 300)] {
            let settings = try settings(files.merging(Self.module) { first, _ in first }).flows[0].settings
            #expect(settings[FalconSettings.requestsPerMinute] == expected)
        }
    }

    // covers: symphony:sentry_dsn, symphony:environment_name, symphony:community_uuid, symphony:playbook_uuid,
    // symphony:playbook_run_uuid, symphony:node_run_uuid, symphony:trigger_configuration_uuid
    @Test(arguments: [
        "sentry_dsn", "environment", "community_uuid", "playbook_uuid", "playbook_run_uuid", "node_run_uuid",
        "trigger_configuration_uuid",
    ])
    func `what only names the run is taken without a complaint`(_ key: String) throws {
        _ = try settings(Self.module.merging([key: "x"]) { first, _ in first })
        #expect(try settings(Self.module, [key.uppercased(): "x"]).flows.count == 1)
    }

    // covers: symphony:log_level
    @Test(arguments: [("10", "debug"), ("20", "info"), ("30", "warning"), ("40", "error"), ("50", "error")])
    func `the level of the log is the original's number`(_ number: String, _ level: String) throws {
        #expect(try settings(Self.module, ["LOG_LEVEL": number]).process[LogSettings.level].rawValue == level)
        let both = ["LOG_LEVEL": number, "SALLYPORT_LOG_LEVEL": "warning"]
        #expect(try settings(Self.module, both).process[LogSettings.level] == .warning)
    }

    // covers: symphony:url_logs, symphony:url_secrets
    @Test func `logs and secrets have URLs of their own where the platform gives them`() async throws {
        let folder = try Folder()
        for (name, text) in [
            "token": "t", "url_callback": "https://p.example/callback", "url_logs": "https://l.example/x",
            "url_secrets": "https://s.example/y",
        ] { try folder.write(name, text) }
        let transport = ScriptedTransport { _ in .status(200, #"{"node_value":{"client_secret":"s"}}"#) }
        let parameters = SymphonyParameters(environment: [:], folder: folder.path)
        let platform = try #require(SymphonyPlatform(parameters, transport: transport, time: TestTime(jumping: true)))
        #expect(try await platform.secrets()["client_secret"] == "s")
        try await platform.post([])
        #expect(transport.requests.map(\.request.url) == ["https://s.example/y", "https://l.example/x"])
    }

    // covers: symphony:file_backend, symphony:sub_folder, symphony:aws_bucket_name, symphony:aws_access_key_id,
    // symphony:aws_secret_access_key, symphony:aws_session_token, symphony:aws_default_region,
    // symphony:aws_s3_endpoint_url
    @Test func `the data path is a folder unless the backend is S3, whatever else is there`() throws {
        let folder = try Folder()
        let keys = [
            "sub_folder": "m/1", "aws_bucket_name": "b", "aws_access_key_id": "id", "aws_secret_access_key": "key",
            "aws_session_token": "session", "aws_default_region": "eu-west-3",
            "aws_s3_endpoint_url": "https://s3.example",
        ]
        for (name, text) in keys { try folder.write(name, text) }
        let parameters = SymphonyParameters(environment: ["FILE_BACKEND": "local"], folder: folder.path)
        guard case .folder("/symphony_data/m/1") = DataPath(parameters).place else {
            Issue.record("no folder")
            return
        }
        let elsewhere = SymphonyParameters(environment: ["SYMPHONY_DATA_PATH": "/data"], folder: folder.path)
        guard case .folder("/data/m/1") = DataPath(elsewhere).place else {
            Issue.record("an action's files lie where the connectors' do")
            return
        }
        try folder.write("file_backend", "s3")
        guard case .bucket(let bucket) = DataPath(parameters).place else {
            Issue.record("no bucket")
            return
        }
        #expect(bucket.name == "b" && bucket.prefix == "m/1" && bucket.region == "eu-west-3")
        #expect(bucket.endpoint == "https://s3.example" && bucket.accessKey == "id")
        #expect(bucket.secretKey.reveal() == "key" && bucket.sessionToken?.reveal() == "session")
        let request = S3Folder(bucket, transport: ScriptedTransport(), time: TestTime()).signed(
            .get, "cache.json", [], at: Instant(milliseconds: 1_771_059_600_000))
        #expect(request.headers["x-amz-security-token"] == "session")
        #expect(request.headers["Authorization"]?.contains("x-amz-security-token") == true)
    }
}

@Suite("Sekoia's platform") struct SymphonyPlatformTests {
    private let parameters = SymphonyParameters(
        environment: [
            "TOKEN": "tok", "URL_CALLBACK": "https://p.example/api/callback",
            "ARGUMENTS": #"{"ids":["a"],"file_path":"f.json"}"#,
            "MODULE_CONFIGURATION": #"{"client_id":"a","client_secret":"old"}"#,
        ], folder: "/nowhere")

    // covers: symphony:secrets, symphony:logs
    @Test func `fetches secrets and posts lines where the callback's URL says`() async throws {
        let transport = ScriptedTransport()
        transport.answer(.status(500))
        transport.answer(.status(200, #"{"value":{"client_secret":"s"}}"#))
        transport.answer(.status(200))
        let time = TestTime(jumping: true)
        let platform = try #require(SymphonyPlatform(parameters, transport: transport, time: time))
        #expect(try await platform.secrets()["client_secret"] == "s")
        #expect(time.slept == [.seconds(1)])
        try await platform.post([.init(time: Instant(milliseconds: 1_771_059_600_123), level: "info", message: "m")])
        let requests = transport.requests
        #expect(requests[1].request.url == "https://p.example/api/secrets")
        #expect(requests[1].request.headers["Authorization"] == "Bearer tok")
        #expect(requests[2].request.url == "https://p.example/api/logs")
        #expect(
            requests[2].text == #"{"logs":[{"date":"2026-02-14T09:00:00.123000","level":"info","message":"m"}]}"#)
    }

    // covers: symphony:action, symphony:409, symphony:arguments
    @Test func `runs an action between two reports, with the platform's secrets`() async throws {
        let transport = ScriptedTransport()
        transport.answer(.status(200, #"{"module_configuration":{"value":{"client_secret":"new"}}}"#))
        transport.answer(.status(409))
        let action = try SymphonyAction(parameters, transport: transport, time: TestTime(jumping: true))
        let line = SymphonyPlatform.Line(time: Instant(milliseconds: 0), level: "info", message: "hello")
        let logs: @Sendable () -> [SymphonyPlatform.Line] = { [line] }
        let ending = try await action.run(logs: logs) { call in
            #expect(call.module("client_id") == "a" && call.module("client_secret") == "new")
            #expect(call.arguments["ids"]?[0] == "a")
            return .init(results: ["resources": []], error: "one id is unknown")
        }
        #expect(ending.error == "one id is unknown")
        let texts = transport.requests.map(\.text)
        #expect(texts[0] == #"{"status":"running","need_secrets":true}"#)
        #expect(
            texts[1] == #"{"status":"finished","results":{"resources":[]},"error":"one id is unknown","#
                + #""logs":"1970-01-01T00:00:00.000000: info: hello"}"#)
    }

    @Test func `reports a failure without a word of what it worked on`() async throws {
        struct Odd: Error { let secret = "hunter2" }
        let transport = ScriptedTransport { _ in .status(200, "{}") }
        let action = try SymphonyAction(parameters, transport: transport, time: TestTime(jumping: true))
        let ending = try await action.run { _ in throw Odd() }
        #expect(ending.error == "An unexpected error occurred: Odd")
        #expect(!transport.requests.contains { $0.text.contains("hunter2") })
    }

    // covers: symphony:callback-retry
    @Test func `gives a 4xx up at once and tries everything else ten times`() async throws {
        let refused = ScriptedTransport { _ in .status(403) }
        let platform = try #require(SymphonyPlatform(parameters, transport: refused, time: TestTime(jumping: true)))
        await #expect(throws: SymphonyError.self) { try await platform.report(.running) }
        #expect(refused.requests.count == 1)
        let down = ScriptedTransport { _ in .status(502) }
        let other = try #require(SymphonyPlatform(parameters, transport: down, time: TestTime(jumping: true)))
        await #expect(throws: SymphonyError.self) { try await other.report(.running) }
        #expect(down.requests.count == 10)
    }

    // covers: symphony:argument-file
    @Test func `takes an argument from its file in the data path`() async throws {
        let folder = try Folder()
        try folder.write("f.json", "[1,2]")
        let data = LocalFolder(folder.path)
        #expect(try await data.read("f.json").map { String(decoding: $0, as: UTF8.self) } == "[1,2]")
        #expect(try await data.read("missing.json") == nil)
        await #expect(throws: SymphonyError.self) { _ = try await data.read("../etc/passwd") }
    }

    // covers: symphony:data-local
    @Test func `replaces a file whole`() async throws {
        let folder = try Folder()
        let data = LocalFolder(folder.path)
        try await data.write("cache.json", Array("{}".utf8))
        try await data.write("cache.json", Array("{\"a\":1}".utf8))
        #expect(try await data.read("cache.json").map { String(decoding: $0, as: UTF8.self) } == "{\"a\":1}")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["cache.json"])
    }

    // covers: symphony:data-s3
    @Test func `signs requests to a bucket as AWS wants them`() async throws {
        let s3 = SymphonyParameters(
            environment: [
                "FILE_BACKEND": "S3", "AWS_BUCKET_NAME": "bucket", "SUB_FOLDER": "m/1",
                "AWS_DEFAULT_REGION": "eu-west-3",
                "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "SECRET",
                "AWS_S3_ENDPOINT_URL": "https://s3.example:9000",
            ], folder: "/nowhere")
        let transport = ScriptedTransport()
        transport.answer(.status(200, "{\"a\":1}"))
        transport.answer(.status(404))
        transport.answer(.status(200))
        transport.answer(.status(403))
        let time = TestTime(start: Instant(milliseconds: 1_771_059_600_000))
        let data = try openDataFolder(DataPath(s3), transport: transport, time: time)
        #expect(try await data.read("cache.json")?.count == 7)
        #expect(try await data.read("cache.json") == nil)
        try await data.write("cache.json", [1])
        await #expect(throws: SymphonyError.self) { try await data.write("cache.json", [1]) }
        let first = transport.requests[0].request
        #expect(first.url == "https://s3.example:9000/bucket/m/1/cache.json")
        #expect(first.headers["x-amz-date"] == "20260214T090000Z")
        // Computed by an independent implementation of the documented steps.
        let header = try #require(first.headers["Authorization"])
        #expect(
            header.hasPrefix(
                "AWS4-HMAC-SHA256 Credential=AKID/20260214/eu-west-3/s3/aws4_request, "
                    + "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="))
        #expect(header.hasSuffix(Self.signature))
    }

    // covers: symphony:ca_cert, symphony:client_cert, symphony:client_key
    @Test func `a bucket has the authorities and the certificate that the platform gives for it`() throws {
        func bucket(_ more: [String: String]) throws -> S3Bucket {
            var environment = ["FILE_BACKEND": "s3", "AWS_BUCKET_NAME": "b"]
            for (name, value) in more { environment[name] = value }
            guard
                case .bucket(let bucket) = DataPath(
                    SymphonyParameters(environment: environment, folder: "/nowhere")
                ).place
            else { throw SymphonyError.data(name: "", reason: "it is no bucket") }
            return bucket
        }
        #expect(try bucket([:]).tls == nil)
        let both = try #require(
            try bucket(["CA_CERT": "ca", "CLIENT_CERT": "certificate", "CLIENT_KEY": "key"]).tls)
        #expect(both.verifies && both.authorities == [.text(Secret("ca"))] && !both.trustsSystemAuthorities)
        #expect(
            both.clientCertificate
                == .init(certificate: .text(Secret("certificate")), key: .text(Secret("key"))))
        // Compat: a certificate without its key is not shown.
        #expect(try bucket(["CLIENT_CERT": "certificate"]).tls == nil)
        #expect(try #require(try bucket(["CA_CERT": "ca"]).tls).clientCertificate == nil)
    }

    static let signature = "fe9f36341d18075bf6f545654cef3648b0269a00b14bd6cb3b9a4429be5fd5e2"
}

@Suite("The original's listeners and logs") struct SymphonyListenerTests {
    private func get(_ port: Int, _ path: String) async throws -> HTTPResponse {
        try await CurlTransport().send(
            HTTPRequest(.get, "http://127.0.0.1:\(port)\(path)"), by: .after(.seconds(10)))
    }

    // covers: symphony:health, symphony:metrics
    @Test func `serves health and metrics as the original does`() async throws {
        let time = TestTime()
        let metrics = Metrics(time: time)
        metrics.counter("symphony_module_x_total", "X").add()
        let pulse = SymphonyPulse(time: time, threshold: .seconds(86_400))
        let listeners = SymphonyListeners(
            healthPort: 0, metricsPort: 0, address: "127.0.0.1", pulse: pulse, metrics: metrics, log: .silent)
        let health = try #require(listeners.healthPort)
        var answer = try await get(health, "/health")
        #expect(answer.status == 200)
        let json = try JSONValue(parsing: answer.body)
        #expect(json["seconds_without_events_threshold"]?.int == 86_400 && json["error_count"]?.int == 0)
        time.advance(by: .seconds(86_400))
        #expect(try await get(health, "/health").status == 500)
        pulse.pushed()
        #expect(try await get(health, "/health").status == 200)
        answer = try await get(health, "/other")
        #expect(answer.status == 404)
        #expect(
            String(decoding: answer.body, as: UTF8.self) == #"{"status_code":404,"reason":"Endpoint doesn't exist"}"#)
        let exposition = try await get(try #require(listeners.metricsPort), "/anything")
        #expect(String(decoding: exposition.body, as: UTF8.self).contains("symphony_module_x_total 1"))
        await listeners.stop()
    }

    // covers: symphony:log-repeats
    @Test func `drops the same line for a minute and keeps what the platform does not take`() async throws {
        let time = TestTime()
        let logs = SymphonyLogs(time: time)
        for _ in 0..<3 { logs.take(.info, "same", at: time.now) }
        logs.take(.warning, "same", at: time.now)
        logs.take(.debug, "quiet", at: time.now)
        #expect(logs.drain().map(\.level) == ["info", "warning"])
        time.advance(by: .seconds(61))
        logs.take(.info, "same", at: time.now)
        let parameters = SymphonyParameters(
            environment: ["TOKEN": "t", "URL_CALLBACK": "https://p.example/callback"], folder: "/nowhere")
        let transport = ScriptedTransport { _ in .status(503) }
        let jumping = TestTime(jumping: true)
        let platform = try #require(SymphonyPlatform(parameters, transport: transport, time: jumping))
        await logs.flush(to: platform)
        #expect(logs.drain().map(\.message) == ["same"])
    }
}
