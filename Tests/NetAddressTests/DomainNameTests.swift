// SPDX-License-Identifier: Apache-2.0

import NetAddress
import Testing

@Suite("Domain names") struct DomainNameTests {
    // covers: value:domain
    @Test(arguments: [
        ("evil.example", "evil.example"), ("EVIL.Example", "evil.example"), ("evil.example.", "evil.example"),
        ("m5[.]example", "m5.example"), ("a[.]b[.]example[.]", "a.b.example"),
        ("exämple.example", "xn--exmple-cua.example"),
        ("EXÄMPLE.example", "xn--exmple-cua.example"), ("xn--exmple-cua.example", "xn--exmple-cua.example"),
        ("XN--EXMPLE-CUA.example", "xn--exmple-cua.example"), ("faß.de", "xn--fa-hia.de"),
        ("_dmarc.example.com", "_dmarc.example.com"), ("_dmarc.exämple.example", "_dmarc.xn--exmple-cua.example"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"), ("例え。テスト", "xn--r8jz45g.xn--zckzah"), ("ＥＶＩＬ．example", "evil.example"),
        ("evil.exämple。", "evil.xn--exmple-cua"), ("a--b.example", "a--b.example"), ("1.example", "1.example"),
        ("1.2.3.4.in-addr.arpa", "1.2.3.4.in-addr.arpa"), ("a.b", "a.b"), ("x.0x1", "x.0x1"),
    ])
    func `are brought into one form`(_ text: String, _ canonical: String) throws {
        let name = try DomainName(parsing: text)
        #expect(name.ascii == canonical)
        #expect(try DomainName(parsing: canonical) == name)
        // A substring of a longer text has no storage of its own.
        #expect(try DomainName(parsing: "[\(text)]".dropFirst().dropLast()) == name)
    }

    // covers: value:domain
    @Test(arguments: [
        ("", DomainNameError.empty), (".", .empty), ("localhost", .singleLabel), ("WS-42", .singleLabel),
        ("a..b", .emptyLabel), (".a.b", .emptyLabel), ("a.b..", .emptyLabel), ("-a.b", .hyphenAtEdge),
        ("a-.b", .hyphenAtEdge), ("a.b-", .hyphenAtEdge), ("192.0.2.1", .numericTopLabel), ("a.1", .numericTopLabel),
        ("1", .numericTopLabel), ("it's.example", .invalidCharacter("'")),
        ("http://evil.example/path", .invalidCharacter(":")),
        ("evil.example:80", .invalidCharacter(":")), ("*.example.com", .invalidCharacter("*")),
        ("a b.example", .invalidCharacter(" ")), ("a@b.example", .invalidCharacter("@")),
        ("a\0.example", .invalidCharacter("\0")),
        ("ä\0.example", .invalidCharacter("\0")), ("::1", .invalidCharacter(":")), ("[::1]", .invalidCharacter("[")),
        ("a[.b.example", .invalidCharacter("[")),
    ])
    func `say why a text is none`(_ text: String, _ reason: DomainNameError) {
        #expect(throws: reason) { try DomainName(parsing: text) }
    }

    @Test func `have limits on labels and on the whole`() throws {
        let label = String(repeating: "a", count: 63)
        #expect(try DomainName(parsing: label + ".b").ascii.count == 65)
        #expect(throws: DomainNameError.labelTooLong) { try DomainName(parsing: label + "a.b") }
        let longest = [label, label, label, String(repeating: "b", count: 61)].joined(separator: ".")
        #expect(try DomainName(parsing: longest + ".").ascii.count == 253)
        #expect(throws: DomainNameError.tooLong(limit: 253)) { try DomainName(parsing: longest + "b") }
        #expect(throws: DomainNameError.tooLong(limit: 252)) { try DomainName(parsing: longest, maxBytes: 252) }
        #expect(throws: DomainNameError.tooLong(limit: 253)) {
            try DomainName(parsing: String(repeating: "ä.", count: 10_000))
        }
    }

    @Test func `refuse Unicode that IDNA refuses`() {
        for text in ["\u{FFFD}x.example", "a\u{2028}b.example", "\u{0301}a.example"] {
            #expect(throws: DomainNameError.self) { try DomainName(parsing: text) }
        }
    }
}

@Suite("Public suffixes") struct PublicSuffixTests {
    // covers: guard:suffixes
    @Test(arguments: ["com", "co.uk", "github.io", "xn--p1ai", "foo.ck", "made-up-tld"])
    func `are recognised`(_ name: String) { #expect(PublicSuffixes.isPublicSuffix(name)) }

    @Test(arguments: ["example.com", "example.co.uk", "user.github.io", "www.ck", "a.made-up-tld"])
    func `are told from registered names`(_ name: String) throws {
        #expect(try !PublicSuffixes.isPublicSuffix(DomainName(parsing: name)))
    }

    @Test func `lead to the registrable domain`() throws {
        #expect(try PublicSuffixes.registrableDomain(of: DomainName(parsing: "www.example.co.uk")) == "example.co.uk")
        #expect(try PublicSuffixes.registrableDomain(of: DomainName(parsing: "co.uk")) == nil)
    }
}
