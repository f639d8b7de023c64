// SPDX-License-Identifier: Apache-2.0

import STIX
import Testing

@Suite("Observables of a pattern") struct ObservableTests {
    // covers: value:invalid, pattern:negated
    @Test(arguments: [
        ("[domain-name:value != 'good.example']", "domain-name:value", 1, "operator"),
        ("[domain-name:value NOT = 'good.example']", "domain-name:value", 1, "negated"),
        ("[domain-name:value NOT IN ('good.example')]", "domain-name:value", 1, "negated"),
        ("[domain-name:value MATCHES '^evil']", "domain-name:value", 1, "operator"),
        ("[EXISTS file:name]", "file:name", 1, "operator"),
        ("[network-traffic:dst_ref.value = '203.0.113.7']", "network-traffic:dst_ref.value", 1, "path"),
        ("[file:hashes.FOO = 'x']", "file:hashes.FOO", 1, "path"),
        ("[mutex:name IN ('x', 'y')]", "mutex:name", 1, "path"),
        ("[ipv4-addr:value = 5]", "ipv4-addr:value", 1, "not_text"),
        ("[ipv4-addr:value IN ('203.0.113.1', true)]", "ipv4-addr:value", 36, "not_text"),
        ("[ipv4-addr:value = '198.51.100.7/24']", "ipv4-addr:value", 1, "address_range"),
        ("[ipv4-addr:value = '198.51.100.256']", "ipv4-addr:value", 1, "invalid_value"),
        ("[domain-name:value = 'localhost']", "domain-name:value", 1, "invalid_value"),
        ("[domain-name:value IN ('a.example', 'x')]", "domain-name:value", 36, "invalid_value"),
        ("[file:hashes.'SHA-256' = 'f00']", "file:hashes.'SHA-256'", 1, "invalid_value"),
        ("[email-addr:value = 'a b@c.example']", "email-addr:value", 1, "invalid_value"),
        ("[file:name = ' ']", "file:name", 1, "invalid_value"),
    ])
    func `what is left out has a place and a reason`(
        _ pattern: String, _ path: String, _ offset: Int, _ label: String
    ) throws {
        let skipped = try PatternParser.observables(in: pattern).skipped
        #expect(skipped.map(\.path) == [path])
        #expect(skipped.map(\.offset) == [offset])
        #expect(skipped.map(\.reason.label) == [label])
        #expect(skipped.first?.description.hasPrefix("\(path) at byte \(offset): ") == true)
    }

    @Test func `a range is named in its canonical form`() throws {
        let skipped = try PatternParser.observables(in: "[ipv6-addr:value = '2001:DB8::1/33']").skipped
        #expect(skipped.map(\.reason) == [.addressRange("2001:db8::/33")])
    }

    @Test func `a later spelling adds the file name to the first`() throws {
        let hash = "7a465344a58a6c67d5a733a815ef4cb7"
        let found = try PatternParser.observables(
            in: "[file:hashes.MD5 = '\(hash)'] OR [file:hashes.MD5 = '\(hash.uppercased())' AND file:name = 'a.exe']")
        #expect(
            found.observables == [
                Observable(type: .fileHash(.md5), value: hash, fileName: "a.exe"),
                Observable(type: .fileName, value: "a.exe"),
            ])
    }

    @Test func `names that differ only in their Unicode form are two`() throws {
        let found = try PatternParser.observables(in: "[file:name IN ('\u{E9}', 'e\u{301}')]")
        #expect(found.observables.count == 2)
    }

    @Test func `bytes that are no UTF-8 do no harm`() throws {
        let bytes = Array("[file:name = '".utf8) + [0xFF, 0xC3] + Array("']".utf8)
        let found = try bytes.withUnsafeBufferPointer { buffer in try PatternParser.observables(in: buffer) }
        #expect(found.observables.map(\.value) == ["\u{FFFD}\u{FFFD}"])
    }

    // covers: field:type-sha256, field:type-md5, bug:3
    @Test(arguments: [
        ("MD5", HashAlgorithm.md5), ("md5", .md5), ("SHA-256", .sha256), ("sha256", .sha256), ("SHA-1", .sha1),
        ("SHA1", .sha1), ("SHA3-256", .sha3Bits256), ("SSDEEP", .ssdeep), ("RIPEMD160", .ripemd160),
    ])
    func `hash names are read tolerantly`(_ name: String, _ algorithm: HashAlgorithm) {
        #expect(HashAlgorithm(tolerant: name) == algorithm)
    }

    @Test(arguments: ["", "SHA", "SHA-2", "MD5 ", "SHA_256", "SHA-256-512-and-more", "мд5"])
    func `other names are no algorithm`(_ name: String) {
        #expect(HashAlgorithm(tolerant: name) == nil)
    }
}

@Suite("STIX pattern text") struct PatternTextTests {
    // OpenCTI protocol, 4.4.
    @Test(arguments: [
        ("[ipv4-addr:value='203.0.113.7']", "[ipv4-addr:value = '203.0.113.7']"),
        ("  [ ipv4-addr:value  =  '203.0.113.7' ] ", "[ipv4-addr:value = '203.0.113.7']"),
        ("[a:b NOT IN ('x', 'y')]", "[a:b NOT  IN ('x','y')]"), ("[a:b NOT = 1]", "[a:b NOT  = 1]"),
        ("[a:b == 1 AND a:c <> 2]", "[a:b==1 AND a:c<>2]"), ("[a:b>=1 OR a:c<2]", "[a:b >= 1 OR a:c < 2]"),
        ("[a:b=1]AND[c:d!=2]", "[a:b = 1] AND [c:d != 2]"),
        ("([a:b=1]) WITHIN 5 SECONDS", "([a:b = 1]) WITHIN 5 SECONDS"),
        ("[a:b=1] REPEATS 5 TIMES WITHIN 1800 SECONDS", "[a:b = 1] REPEATS 5 TIMES  WITHIN 1800 SECONDS"),
        ("[NOT EXISTS a:b]", "[ NOT  EXISTS a:b]"), ("[a:b=1 /* c */] // d", "[a:b = 1]"),
        ("[a:b='x = y']", "[a:b = 'x = y']"), ("[a:b = true]", "[a:b = true]"), ("[EQ:b = 1]", "[ EQ :b = 1]"),
    ])
    func `is spaced as the platform spaces it on creation`(_ pattern: String, _ spaced: String) throws {
        #expect(try PatternText.spacedByPlatform(pattern) == spaced)
    }

    @Test(arguments: ["", "plain", "it's", "C:\\Windows\\x", "\\'", "''", "é\n\u{0}", "e\u{301}'"])
    func `quoting is undone by reading`(_ value: String) throws {
        let found = try Pattern(parsing: "[a:b = \(PatternText.quoted(value))]").root
        guard case .observation(.comparison(let comparison), _) = found else {
            Issue.record("no single comparison")
            return
        }
        #expect(comparison.literals == [.string(value)])
    }
}
