// SPDX-License-Identifier: Apache-2.0

import NetAddress
import Testing

@Suite("IP ranges") struct IPRangeTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.0.0.0/8"), ("10.1.2.3/8", "10.0.0.0/8"), ("0.0.0.0/0", "0.0.0.0/0"),
        ("203.0.113.7", "203.0.113.7/32"), ("198.51.100.255/25", "198.51.100.128/25"),
        ("2001:DB8::1/32", "2001:db8::/32"),
        ("::/0", "::/0"), ("2001:db8::1", "2001:db8::1/128"), ("1:2:3:4:5:6:7:8/65", "1:2:3:4::/65"),
        ("ffff::ffff/127", "ffff::fffe/127"), ("ffff:ffff::/64", "ffff:ffff::/64"),
    ])
    func `reads and writes canonically`(_ text: String, _ canonical: String) {
        #expect(IPRange(parsing: text)?.description == canonical)
    }

    @Test(arguments: [
        "", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/-1", "10.0.0/8", "/8", "::/129",
        "::/0000", "10.0.0.0/8/8", "10.0.0.0/8 ", "10.0.0.0/255.0.0.0", "fe80::1%1/64", "10.0.0.0/1٠",
    ])
    func `refuses what is no range`(_ text: String) {
        #expect(IPRange(parsing: text) == nil)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.0", false), ("0.0.0.0/0", "255.1.1.1", true),
        ("0.0.0.0/0", "::1", false), ("::/0", "1.2.3.4", false), ("2001:db8::/33", "2001:db8:7fff::1", true),
        ("2001:db8::/33", "2001:db8:8000::1", false), ("2001:db8::/96", "2001:db8::1:2", true),
        ("2001:db8::/96", "2001:db8::1:0:0", false), ("10.0.0.0/8", "::ffff:10.1.1.1", true),
        ("::ffff:0:0/96", "::ffff:10.1.1.1", true), ("203.0.113.7/32", "203.0.113.7", true),
    ])
    func `contains an address or not`(_ range: String, _ address: String, _ expected: Bool) throws {
        let range = try #require(IPRange(parsing: range))
        #expect(range.contains(try #require(IPAddress(parsing: address))) == expected)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.9.0.0/16", true), ("10.9.0.0/16", "10.0.0.0/8", false), ("10.0.0.0/8", "10.0.0.0/8", true),
        ("10.0.0.0/8", "11.0.0.0/16", false), ("::/0", "10.0.0.0/8", false),
    ])
    func `contains another range or not`(_ outer: String, _ inner: String, _ expected: Bool) throws {
        let outer = try #require(IPRange(parsing: outer))
        #expect(outer.contains(try #require(IPRange(parsing: inner))) == expected)
    }

    // covers: value:ipv4
    @Test func `a full prefix is a single address`() {
        #expect(IPRange(parsing: "203.0.113.7/32")?.singleAddress == IPAddress(parsing: "203.0.113.7"))
        #expect(IPRange(parsing: "2001:db8::1/128")?.singleAddress == IPAddress(parsing: "2001:db8::1"))
        #expect(IPRange(parsing: "203.0.113.6/31")?.singleAddress == nil)
        #expect(IPRange(parsing: "2001:db8::/32")?.singleAddress == nil)
    }
}
