// SPDX-License-Identifier: Apache-2.0

import NetAddress
import Storage
import Testing

@testable import Engine

@Suite("Guards") struct GuardTests {
    private func veto(_ address: String) throws -> String? {
        GuardPolicy.standard.veto(.address(try #require(IPAddress(parsing: address))))?.code
    }

    // covers: guard:addresses
    @Test(arguments: [
        ("127.0.0.1", "guard.loopback"), ("127.255.255.254", "guard.loopback"), ("::1", "guard.loopback"),
        ("10.0.0.0", "guard.private"), ("10.255.255.255", "guard.private"), ("172.16.0.1", "guard.private"),
        ("172.31.255.255", "guard.private"), ("192.168.1.1", "guard.private"), ("fd00::1", "guard.private"),
        ("fc00::1", "guard.private"), ("169.254.1.1", "guard.link_local"), ("fe80::1", "guard.link_local"),
        ("febf::1", "guard.link_local"), ("224.0.0.1", "guard.multicast"), ("239.255.255.255", "guard.multicast"),
        ("ff02::1", "guard.multicast"), ("0.0.0.0", "guard.unspecified"), ("::", "guard.unspecified"),
        ("::ffff:127.0.0.1", "guard.loopback"), ("::ffff:10.1.2.3", "guard.private"),
    ])
    func `hold back addresses that are nobody's out there`(address: String, code: String) throws {
        #expect(try veto(address) == code)
    }

    // covers: guard:resolvers
    @Test(arguments: [
        "8.8.8.8", "1.1.1.1", "9.9.9.9", "208.67.222.222", "2606:4700:4700::1111", "2620:fe::fe", "4.2.2.2",
    ])
    func `hold back the resolvers that whole companies use`(address: String) throws {
        #expect(try veto(address) == "guard.public_resolver")
    }

    // covers: guard:documentation
    @Test(arguments: [
        "126.255.255.255", "128.0.0.1", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
        "192.169.0.0", "169.253.255.255", "169.255.0.0", "223.255.255.255", "1.1.1.4", "8.8.8.9", "9.9.9.8",
        "192.0.2.1", "198.51.100.7", "203.0.113.9", "2001:db8::1", "fec0::1", "::2", "fbff::1", "2620:fe::ff",
    ])
    func `let near misses and documentation ranges pass`(address: String) throws {
        #expect(try veto(address) == nil)
    }

    // covers: guard:suffixes
    @Test func `hold back what everybody's names end in`() {
        for suffix in ["com", "co.uk", "github.io", "de"] {
            #expect(GuardPolicy.standard.veto(.domain(suffix))?.code == "guard.public_suffix", "\(suffix)")
        }
        for name in ["evil.com", "evil.co.uk", "evil.github.io", "example.com", "evil.example", "a.test"] {
            #expect(GuardPolicy.standard.veto(.domain(name)) == nil, "\(name)")
        }
    }

    // covers: guard:empty-file
    @Test func `hold back the hashes of no bytes at all`() {
        for hash in [
            "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] { #expect(GuardPolicy.standard.veto(.hash(hash))?.code == "guard.empty_file") }
        #expect(GuardPolicy.standard.veto(.hash("d41d8cd98f00b204e9800998ecf8427f")) == nil)
        #expect(GuardPolicy.standard.veto(.other) == nil)
    }

    // covers: guard:off
    @Test func `let everything pass when they are off`() throws {
        let loopback = GuardSubject.address(try #require(IPAddress(parsing: "127.0.0.1")))
        for subject in [loopback, .domain("com"), .hash("d41d8cd98f00b204e9800998ecf8427e")] {
            #expect(GuardPolicy.off.veto(subject) == nil && GuardPolicy.standard.veto(subject) != nil)
        }
    }

    @Test func `stand between decision and target`() {
        var bench = CoreBench(guards: .standard)
        bench.read(.wants(1, from: 1, "ip:127.0.0.1", "domain:evil.example"))
        bench.settle()
        #expect(bench.sent.described == [["create domain:evil.example"]])
        bench.deliverAll()
        #expect(bench.core.accounting.effects[.vetoed] == 1 && bench.core.accounting.items[.vetoed] == 1)
        #expect(bench.history.contains { $0.outcome == "vetoed" && $0.reason.hasPrefix("guard.loopback: ") })
        #expect(bench.rows[key("ip:127.0.0.1")] == nil)
        // A removal is never held back.
        bench.stand("ip:127.0.0.2", owners: [2])
        bench.read(.drops(2, from: 2, "ip:127.0.0.2"))
        bench.settle()
        #expect(bench.sent.described == [["delete ip:127.0.0.2"]])
    }

    @Test func `new rules take back what was decided and not yet sent`() {
        var bench = CoreBench { $0.linger = .seconds(60) }
        bench.read(.wants(1, from: 1, "ip:127.0.0.1"))
        bench.core.replace(guards: .standard, at: bench.now)
        bench.pass(.seconds(120))
        #expect(bench.sent.isEmpty && bench.core.accounting.effects[.vetoed] == 1)
    }

    @Test func `apply to a repetition as to the first try`() {
        var bench = CoreBench()
        bench.read(.wants(1, from: 1, "ip:10.0.0.1"))
        bench.settle()
        bench.core.replace(guards: .standard, at: bench.now)
        bench.deliver { _ in .retry(after: .seconds(1), code: "t", reason: "t") }
        bench.pass(.seconds(5))
        #expect(bench.sent.isEmpty && bench.core.accounting.effects[.vetoed] == 1)
    }
}

@Suite("The ceiling of deletes") struct DeleteCeilingTests {
    private func bench(
        _ count: Int, _ ceiling: DeleteCeiling, isSoft: Bool = false, _ adjust: (inout FlowLimits) -> Void = { _ in }
    ) -> CoreBench {
        var bench = CoreBench(TextModel(isSoft: isSoft), ceiling: ceiling, entryCount: count, adjust)
        for number in 0..<UInt64(count) { bench.stand("domain:d\(number)", id: "\(number)", owners: [number]) }
        return bench
    }

    private func drop(_ range: Range<UInt64>, _ bench: inout CoreBench) {
        for number in range { bench.read(.drops(1000 + number, from: number, "domain:d\(number)")) }
        bench.settle()
    }

    // covers: guard:delete-ceiling
    @Test(arguments: [false, true]) func `stops the flow only beyond both count and share`(isSoft: Bool) {
        var bench = bench(20, DeleteCeiling(count: 3, share: 0.5), isSoft: isSoft)
        drop(0..<10, &bench)
        #expect(!bench.core.isAwaitingApproval && bench.sent.map(\.operations.count) == [10])
        bench.deliverAll()
        #expect(bench.core.wantsRead)
        drop(10..<11, &bench)
        #expect(bench.core.isAwaitingApproval && bench.sent.isEmpty && !bench.core.wantsRead)
        #expect(bench.ceilings.map(\.removals) == [10])
        // Nothing at all goes out, and waiting does not help.
        bench.read(.wants(2000, from: 99, "domain:new"))
        bench.pass(.seconds(30))
        #expect(bench.sent.isEmpty && bench.core.nextTick() == nil)
    }

    @Test func `lets a small number pass whatever its share`() {
        var bench = bench(4, DeleteCeiling(count: 4, share: 0.1))
        drop(0..<4, &bench)
        #expect(!bench.core.isAwaitingApproval && bench.sent.map(\.operations.count) == [4])
    }

    @Test func `stops in the middle of a batch, before it is exceeded`() {
        var bench = bench(10, DeleteCeiling(count: 2, share: 0.2))
        drop(0..<5, &bench)
        #expect(bench.sent.map(\.operations.count) == [2] && bench.core.isAwaitingApproval)
    }

    @Test func `approval lets the flow go on and counts from nothing`() {
        var bench = bench(10, DeleteCeiling(count: 2, share: 0.2))
        drop(0..<5, &bench)
        bench.deliver()
        bench.approve()
        bench.settle()
        #expect(bench.sent.map(\.operations.count) == [2] && bench.core.isAwaitingApproval)
        bench.deliver()
        bench.approve()
        bench.deliverAll()
        #expect(!bench.core.isAwaitingApproval && bench.core.entryCount == 5)
        #expect(bench.core.accounting.effects[.delivered] == 5)
    }

    @Test func `counts a sliding hour`() {
        var bench = bench(10, DeleteCeiling(count: 2, share: 0.2))
        drop(0..<2, &bench)
        bench.deliverAll()
        bench.pass(.seconds(3700))
        drop(2..<4, &bench)
        #expect(bench.sent.map(\.operations.count) == [2] && !bench.core.isAwaitingApproval)
    }

    @Test func `counts a removal once, however often it has to be sent`() {
        var bench = bench(10, DeleteCeiling(count: 2, share: 0.2))
        drop(0..<2, &bench)
        for _ in 0..<5 {
            bench.deliver { _ in .unavailable(after: .seconds(1), code: "t", reason: "t") }
            bench.settle()
        }
        #expect(!bench.core.isAwaitingApproval)
        bench.deliverAll()
        #expect(bench.core.accounting.effects[.delivered] == 2)
    }

    @Test func `does not count what is not there`() {
        var bench = CoreBench(ceiling: DeleteCeiling(count: 0, share: 0), entryCount: 0)
        bench.read(.drops(1, from: 1, "domain:a"))
        bench.settle()
        #expect(!bench.core.isAwaitingApproval && bench.core.accounting.effects[.unchanged] == 1)
        // Created and dropped before it was sent: looked up at the target, nothing of ours is taken away.
        bench.read(.wants(2, from: 1, "domain:a"), .drops(3, from: 1, "domain:a"))
        bench.settle()
        #expect(bench.sent.described == [["delete domain:a"]] && !bench.core.isAwaitingApproval)
    }

    // covers: guard:blind-removals
    @Test func `counts what was taken away by value, without an entry of ours`() {
        var bench = CoreBench(ceiling: DeleteCeiling(count: 2, share: 0.2), entryCount: 0)
        for number in 0..<4 as Range<UInt64> {
            // Folded with a create that may have been sent before a crash: looked up at the target.
            let key = "domain:d\(number)"
            bench.read(.wants(10 * number + 1, from: number, key), .drops(10 * number + 2, from: number, key))
            bench.settle()
            if number < 3 { bench.deliverAll() }
        }
        #expect(bench.core.isAwaitingApproval && bench.sent.isEmpty)
    }
}
