// SPDX-License-Identifier: Apache-2.0

import NetAddress
import Testing

@Suite("IP addresses") struct IPAddressTests {
    @Test(arguments: [
        ("0.0.0.0", "0.0.0.0"), ("203.0.113.7", "203.0.113.7"), ("255.255.255.255", "255.255.255.255"),
        ("100.20.3.0", "100.20.3.0"),
        // RFC 5952, 4: no leading zeros, lower case, the first longest run of zeros, a single zero group stays.
        ("2001:0DB8:0:0:0:0:0:1", "2001:db8::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("fe80::0", "fe80::"),
        ("0:0:0:0:0:0:0:0", "::"), ("A:B:C:D:E:F:1:2", "a:b:c:d:e:f:1:2"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        // The mixed notation: read anywhere, written for IPv4-mapped addresses.
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"), ("::FFFF:C000:0201", "::ffff:192.0.2.1"),
        ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        ("::1.2.3.4", "::102:304"),
    ])
    // covers: value:ipv4, value:ipv6
    func `reads and writes canonically`(_ text: String, _ canonical: String) throws {
        let address = try #require(IPAddress(parsing: text))
        #expect(address.description == canonical)
        #expect(IPAddress(parsing: canonical) == address)
    }

    @Test(arguments: [
        "", ".", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "01.2.3.4", "00.0.0.0", "1.2.3.4 ", " 1.2.3.4",
        "1..2.3",
        ".1.2.3.4", "1.2.3.4.", "0x1.2.3.4", "1.2.3.4/32", "1.2.3.4:80", "16909060", "1.2.3.-4", "1.2.3.٤",
        "1.2.3.999999",
        ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", ":1::2",
        "1::2:", "12345::", "g::1", "fe80::1%eth0", "[::1]", "::1/128", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3",
        "::1.2.3.04",
        "1.2.3.4::", "::1.2.3.4:5", "2001:db8::/32", "1:2:3:4:5:6::1.2.3.4", "::00001",
    ])
    func `refuses what is no address`(_ text: String) {
        #expect(IPAddress(parsing: text) == nil)
    }

    @Test func `a mapped address keeps its family and shows what it reaches`() throws {
        let mapped = try #require(IPAddress(parsing: "::ffff:127.0.0.1"))
        #expect(!mapped.isV4)
        #expect(mapped.unmapped == .v4(0x7F00_0001))
        #expect(mapped.isLoopback)
        let plain = try #require(IPAddress(parsing: "::7f00:1"))
        #expect(plain.unmapped == plain)
    }

    @Test func `order is by family, then by value`() throws {
        let texts = ["1.2.3.4", "1.2.3.5", "200.0.0.0", "::1", "::2", "1::"]
        let addresses = try texts.map { try #require(IPAddress(parsing: $0)) }
        #expect(addresses.reversed().sorted() == addresses)
    }

    @Test(arguments: [
        ("0.0.0.0", SpecialUse.unspecified), ("0.0.0.1", .thisNetwork), ("10.255.255.255", .privateUse),
        ("100.64.0.0", .shared), ("100.127.255.255", .shared), ("127.255.0.1", .loopback), ("169.254.1.1", .linkLocal),
        ("172.16.0.0", .privateUse), ("172.31.255.255", .privateUse), ("192.0.0.8", .protocolAssignment),
        ("192.0.2.200", .documentation), ("192.88.99.1", .tunnel), ("192.168.255.255", .privateUse),
        ("198.18.0.0", .benchmarking), ("198.19.255.255", .benchmarking), ("198.51.100.1", .documentation),
        ("203.0.113.1", .documentation), ("224.0.0.1", .multicast), ("239.255.255.255", .multicast),
        ("240.0.0.1", .reserved), ("255.255.255.255", .broadcast), ("::", .unspecified), ("::1", .loopback),
        ("64:ff9b::808:808", .translation), ("64:ff9b:1:2::", .translation), ("100::1", .discard),
        ("2001::1", .tunnel), ("2001:2::1", .benchmarking), ("2001:db8:ffff::", .documentation),
        ("2001:1ff::1", .protocolAssignment), ("2002:c000:201::", .tunnel), ("3fff:fff::1", .documentation),
        ("fc00::1", .uniqueLocal), ("fdff::1", .uniqueLocal), ("fe80::1", .linkLocal), ("febf::1", .linkLocal),
        ("fec0::1", .siteLocal), ("ff02::1", .multicast), ("::ffff:10.0.0.1", .privateUse),
        ("::ffff:224.0.0.1", .multicast),
    ])
    // covers: guard:addresses
    func `knows the IANA special-purpose blocks`(_ text: String, _ use: SpecialUse) throws {
        #expect(try #require(IPAddress(parsing: text)).specialUse == use)
    }

    // One address on each side of the blocks' borders.
    @Test(arguments: [
        "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
        "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.88.98.0",
        "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.101.0", "203.0.112.0", "203.0.114.0",
        "223.255.255.255", "8.8.8.8", "::2", "64:ff9a::", "64:ff9b:0:1::", "64:ff9b:2::", "100:0:0:1::", "2001:200::",
        "2001:db7::", "2001:db9::", "2003::", "3fff:1000::", "3ffe::", "fbff::", "fe00::", "2606:4700::1111",
        "::ffff:8.8.8.8",
    ])
    func `anything else is global`(_ text: String) throws {
        #expect(try #require(IPAddress(parsing: text)).isGlobal)
    }

    @Test func `the predicates agree with the block`() throws {
        func address(_ text: String) throws -> IPAddress { try #require(IPAddress(parsing: text)) }
        #expect(try address("10.0.0.1").isPrivate && address("fd00::1").isPrivate && address("fd00::1").isUniqueLocal)
        #expect(try !address("10.0.0.1").isUniqueLocal && !address("100.64.0.1").isPrivate)
        #expect(try address("100.64.0.1").isShared && address("fe80::1").isLinkLocal && address("::").isUnspecified)
        #expect(try address("ff02::1").isMulticast && address("203.0.113.1").isDocumentation)
        #expect(try !address("203.0.113.1").isGlobal)
    }
}
