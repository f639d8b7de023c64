// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@testable import Settings

@Suite("Setting values") struct ValueTests {
    func text<Value: SettingValue>(_ type: Value.Type, _ raw: String) -> String? {
        (try? Value(reading: .text(raw)))?.settingText
    }

    // covers: config:booleans
    @Test(arguments: ["true", "TRUE", "yes", "On", "1", "t", "Y", " true "])
    func `is true`(_ text: String) throws { #expect(try Bool(reading: .text(text))) }

    // covers: config:booleans, key:METRICS_ENABLE (0 is false)
    @Test(arguments: ["false", "False", "NO", "off", "0", "f", "n"])
    func `is false`(_ text: String) throws { #expect(try !Bool(reading: .text(text))) }

    // covers: bad:settings
    @Test(arguments: ["2", "ja", "truee", "01", "none"])
    func `is no boolean`(_ text: String) { #expect(throws: InvalidValue.self) { try Bool(reading: .text(text)) } }

    @Test(arguments: [
        ("30s", "30s"), ("5m", "5m"), ("500ms", "500ms"), ("1h30m", "90m"), ("2d", "2d"), ("1w", "7d"), ("90", "90s"),
        ("1.5", "1500ms"), ("PT1H", "1h"), ("P1D", "1d"), ("P1DT12H", "36h"), ("pt0.5s", "500ms"), ("PT5M30S", "330s"),
        ("00:05:00", "5m"), ("1 02:00:00", "26h"), ("0", "0s"), ("10 ", "10s"),
    ])
    func `reads a duration`(_ raw: String, _ shown: String) { #expect(text(Duration.self, raw) == shown) }

    @Test(arguments: [
        "", "5 m", "m", "1y", "P1Y", "P1M", "P", "PT", "PT1", "1H-", "-5s", "1:2", "00:61:00", "5m3", "1e9", "1.2.3",
        "99999999999999d", "٣s",
    ])
    func `is no duration`(_ raw: String) { #expect(text(Duration.self, raw) == nil) }

    @Test(arguments: [
        ("https://a.example", "https://a.example"), ("HTTPS://A.Example/", "https://a.example"),
        ("http://opencti:8080/cti/", "http://opencti:8080/cti"), ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("https://h_1.example:443//", "https://h_1.example:443"),
    ])
    func `reads a URL`(_ raw: String, _ shown: String) { #expect(text(EndpointURL.self, raw) == shown) }

    @Test(arguments: [
        "a.example", "ftp://a.example", "https://", "https:///x", "https://user:pass@a.example", "https://a.example?x",
        "https://a.example#x", "https://a b.example", "https://a.example:0", "https://a.example:65536",
        "https://a.example:x", "https://[::1", "https://[zz]", "https://[::1]x", "https://ä.example", "https://a%41",
    ])
    func `is no URL`(_ raw: String) { #expect(text(EndpointURL.self, raw) == nil) }

    // covers: better:secrets
    @Test func `a URL knows whether credentials are safe there`() {
        let answers = ["https://a.example", "http://127.0.0.1:1", "http://localhost", "http://[::1]"].map {
            (try? EndpointURL(parsing: $0))?.isSecureOrLoopback
        }
        #expect(answers == [true, true, true, true])
        for text in ["http://a.example", "http://127.0.0.1.evil.example", "http://localhost.evil.example"] {
            #expect((try? EndpointURL(parsing: text))?.isSecureOrLoopback == false)
        }
    }

    @Test(arguments: [
        ("8080", "127.0.0.1:8080"), (":0", "127.0.0.1:0"), ("0.0.0.0:9113", "0.0.0.0:9113"), ("*:1", "0.0.0.0:1"),
        ("[::1]:80", "[::1]:80"), ("localhost:80", "127.0.0.1:80"),
    ])
    func `reads an address to listen at`(_ raw: String, _ shown: String) {
        #expect(text(ListenAddress.self, raw) == shown)
    }

    @Test(arguments: ["", "host.example:80", "1.2.3.4", "1.2.3:80", "80:", "65536", "-1", "::1"])
    func `is no address to listen at`(_ raw: String) { #expect(text(ListenAddress.self, raw) == nil) }

    @Test(arguments: [
        ("512", "512"), ("64KiB", "64KiB"), ("1024 kib", "1MiB"), ("10MB", "10000000"), ("1.5k", "1536"), ("0", "0"),
        ("2G", "2GiB"),
    ])
    func `reads a size`(_ raw: String, _ shown: String) { #expect(text(ByteCount.self, raw) == shown) }

    @Test(arguments: ["", "x", "10 apples", "-1", "1TB", "9999999999999G"])
    func `is no size`(_ raw: String) { #expect(text(ByteCount.self, raw) == nil) }

    @Test func `numbers, dates and paths`() {
        #expect(text(Int.self, " 42 ") == "42" && text(Int.self, "-1") == "-1")
        #expect(["4.2", "0x10", "", "1e3", "٣", "9999999999999999999"].allSatisfy { text(Int.self, $0) == nil })
        #expect(text(Double.self, "0.25") == "0.25" && text(Double.self, "1e3") == "1000")
        #expect(["nan", "inf", "0x1p3", "x"].allSatisfy { text(Double.self, $0) == nil })
        #expect(text(Instant.self, "2026-01-31") == "2026-01-31T00:00:00.000Z")
        #expect(text(Instant.self, "2026-02-30") == nil && text(Instant.self, "yesterday") == nil)
        #expect(text(FilePath.self, "/a/b") == "/a/b" && text(FilePath.self, "~/x")?.hasSuffix("/x") == true)
        #expect(text(String.self, "a\u{0}b") == nil)
        #expect(text(BindAddress.self, "0.0.0.0") == "0.0.0.0" && text(BindAddress.self, "999.0.0.1") == nil)
    }

    @Test func `lists come with commas or from YAML`() throws {
        #expect(try [String](reading: .text(" a, b,,c ")) == ["a", "b", "c"])
        #expect(try [String](reading: .list(["a,b", " c "])) == ["a,b", "c"])
        #expect(try [Int](reading: .text("1,2")) == [1, 2])
        #expect {
            try [Int](reading: .text("1,x"))
        } throws: { ($0 as? InvalidValue)?.what == "holds “x”, which is no whole number" }
        #expect(throws: InvalidValue.self) { try String(reading: .list(["a"])) }
    }

    @Test func `choices forgive case and know synonyms`() throws {
        #expect(try LogSettings.Level(reading: .text("WARN")) == .warning)
        #expect(try Sample.Action(reading: .text("No_Action")) == .noAction)
        #expect {
            try Sample.Action(reading: .text("no-acton"))
        } throws: { ($0 as? InvalidValue)?.remedy == "Did you mean no_action? Allowed: keep or no_action." }
    }

    // covers: key:OPENCTI_SSL_VERIFY
    @Test func `TLS verification is a boolean or a path`() throws {
        #expect(try TLSVerification(reading: .text("FALSE")) == .off)
        #expect(try TLSVerification(reading: .text("1")) == .system)
        #expect(try TLSVerification(reading: .text("/etc/ca.pem")) == .certificates("/etc/ca.pem"))
        #expect(throws: InvalidValue.self) { try TLSVerification(reading: .text("flase")) }
    }

    @Test func `a shown value is short, harmless and without a password`() {
        #expect(shown("a\n\u{1B}[2J\u{202E}") == "“a\\u{a}\\u{1b}[2J\\u{202e}”")
        #expect(shown(String(repeating: "x", count: 100)) == "“\(String(repeating: "x", count: 60))…”")
        #expect(shown("http://me:hunter2@host/") == "“http://[redacted]@host/”")
    }

    @Test(arguments: [
        ("CROWDSTRIKE_CLIENTID", "CROWDSTRIKE_CLIENT_ID"), ("batch-size", "batch_size"), ("btach_size", "batch_size"),
        ("permanent_delte", "permanent_delete"),
    ])
    func `finds the nearest name`(_ typed: String, _ meant: String) {
        let names = ["CROWDSTRIKE_CLIENT_ID", "CROWDSTRIKE_CLIENT_SECRET", "batch_size", "permanent_delete", "url"]
        #expect(nearestName(to: typed, among: names) == meant)
    }

    @Test func `says nothing when no name is near`() {
        #expect(nearestName(to: "colour", among: ["url", "token", "batch_size"]) == nil)
        #expect(nearestName(to: String(repeating: "x", count: 10_000), among: ["url"]) == nil)
    }
}
