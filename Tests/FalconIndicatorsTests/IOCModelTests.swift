// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import JSON
import NetAddress
import Storage
import Testing

@testable import Engine
@testable import FalconIndicators

@Suite("Contributions of indicators") struct IOCModelTests {
    let model = IOCModel(.init())

    private func owner(_ flow: Int64, _ source: Int, at time: Int64, _ content: IOCContent) -> LedgerOwner {
        LedgerOwner(
            flow: flow, source: Digest128(high: 0, low: UInt64(source)), event: Instant(milliseconds: time),
            generation: 1, contribution: content.encoded)
    }

    private func merged(_ owners: [LedgerOwner]) -> IOCContent? { IOCContent(encoded: model.merged(owners)) }
    private let hash = String(repeating: "ab", count: 32)
    private func content(
        _ action: IOCAction, _ tag: String, until expiration: IOCContent.Expiration = .none
    ) -> IOCContent {
        .sample(hash, .sha256) {
            $0.action = action
            $0.expiration = expiration
            $0.tags = [tag]
        }
    }

    // covers: reference:latest, bug:16
    @Test func `of one flow: the latest event's stands`() {
        let old = owner(1, 1, at: 100, content(.prevent, "old"))
        let new = owner(1, 2, at: 200, content(.detect, "new"))
        #expect(merged([old, new])?.tags == ["new"] && merged([new, old])?.tags == ["new"])
        #expect(merged([old])?.tags == ["old"])
        // Of one moment: the same one, whatever the order.
        let twin = owner(1, 3, at: 200, content(.detect, "twin"))
        #expect(merged([new, twin])?.tags == merged([twin, new])?.tags)
    }

    // covers: reference:across-flows
    @Test func `of several flows: the strictest action and the latest end`() {
        let end = Instant(milliseconds: 1_800_000_000_000)
        let later = end.advanced(by: .seconds(60))
        func both(_ left: IOCContent, _ right: IOCContent) -> IOCContent? {
            let one = merged([owner(1, 1, at: 100, left), owner(2, 2, at: 200, right)])
            let other = merged([owner(2, 2, at: 200, right), owner(1, 1, at: 100, left)])
            #expect(one == other)
            return one
        }
        let order: [IOCAction] = [.allow, .noAction, .detect, .prevent]
        for (place, strict) in order.enumerated() {
            for weak in order[...place] {
                #expect(both(content(strict, "a"), content(weak, "b"))?.action == strict)
                #expect(both(content(weak, "a"), content(strict, "b"))?.action == strict)
            }
        }
        #expect(
            both(content(.detect, "a", until: .at(later)), content(.detect, "b", until: .at(end)))?.expiration
                == .at(later))
        #expect(
            both(content(.detect, "a"), content(.detect, "b", until: .at(end)))?.expiration
                == IOCContent.Expiration.none)
        // The rest is the latest event's.
        #expect(both(content(.prevent, "a"), content(.detect, "b"))?.tags == ["b"])
        // Where `allow` has no severity of its own, the stricter one's counts.
        var severe = content(.detect, "a")
        severe.severity = .critical
        #expect(both(severe, content(.allow, "b"))?.severity == .critical)
        // Within each flow the latest stands first.
        let three = [
            owner(1, 1, at: 100, content(.prevent, "x")), owner(1, 2, at: 200, content(.detect, "y")),
            owner(2, 3, at: 150, content(.noAction, "z")),
        ]
        #expect(merged(three)?.action == .detect && merged(three)?.tags == ["y"])
    }

    // covers: removal:left, bug:8
    @Test func `leave with what the event says of the manner`() {
        let stood = IOCContent.sample("old.example") {
            $0.action = .detect
            $0.platforms = [.windows]
            $0.tags = ["a"]
        }
        let template = IOCContent.sample("") {
            $0.severity = .high
            $0.platforms = []
            $0.tags = ["b"]
            $0.description = "d"
            $0.expiration = .asItIs
        }
        let removal = IOCContent(encoded: model.removal(of: stood.encoded, by: template.encoded))
        #expect(removal?.value == "old.example" && removal?.severity == .high && removal?.tags == ["b"])
        #expect(removal?.platforms == [.windows] && removal?.expiration == .asItIs && removal?.description == "d")
        #expect(model.removal(of: stood.encoded, by: []) == stood.encoded)
    }

    // covers: event:delete-soft, bug:14, bug:15, key:CROWDSTRIKE_SOFT_DELETE_ACTION, key:CROWDSTRIKE_PERMANENT_DELETE
    @Test func `leave a mark, once, or nothing`() {
        func mark(_ tags: [String], _ model: IOCModel) -> IOCContent? {
            guard case .marked(let bytes) = model.remainder(of: IOCContent.sample { $0.tags = tags }.encoded) else {
                return nil
            }
            return IOCContent(encoded: bytes)
        }
        let kept = mark(["z", "a"], model)
        #expect(kept?.tags == ["TO_DELETE", "a", "z"] && kept?.isMarked == true && kept?.action == .detect)
        #expect(mark(["TO_DELETE"], model)?.tags == ["TO_DELETE"])
        #expect(mark([], IOCModel(.init(disarms: true)))?.action == .noAction)
        #expect(mark([], IOCModel(.init(isPermanent: true))) == nil)
        #expect(model.remainder(of: [0]) == .nothing)
    }

    @Test func `show the guards what they are about`() {
        func subject(_ value: String, _ type: IOCType) -> GuardSubject {
            model.subject(of: IOCContent.sample(value, type).encoded)
        }
        #expect(subject("a.example", .domain) == .domain("a.example"))
        #expect(subject("192.0.2.1", .ipv4) == IPAddress(parsing: "192.0.2.1").map { .address($0) })
        #expect(subject("2001:db8::1", .ipv6) == IPAddress(parsing: "2001:db8::1").map { .address($0) })
        #expect(subject(hash, .sha256) == .hash(hash))
        #expect(model.subject(of: [1]) == .other)
    }

    @Test func `are kept under the indicator's own id, in any of its forms`() {
        let uuid = "148B6B59-72cd-4c9f-9893-b17e183dbd22"
        #expect(model.source(uuid).uuidDescription == uuid.lowercased())
        #expect(model.source("indicator--\(uuid)") != model.source(uuid))
        #expect(model.key(.domain, "a") != model.key(.md5, "a"))
        // Length-prefixed: two parts can't run into each other.
        #expect(model.key(.domain, "a") == IOCModel(.init()).key(.domain, "a"))
    }
}

@Suite("What the tenant shows") struct ObservedTests {
    /// Everything that this connector could have written comes back with the digest that the ledger has, whatever the
    /// order of tags and however the end is cut: an unchanged indicator needs no write.
    // covers: better:reconcile
    @Test(arguments: IOCContentTests.samples) func `is known again`(_ content: IOCContent) async throws {
        let tenant = FakeTenant()
        let rig = try await Rig(tenant)
        var content = content
        // What is sent is what the translator makes: whole seconds, ordered tags, no severity with `allow`.
        content.tags = IOCContent.ordered(content.tags)
        if content.action == .allow { content.severity = .medium }
        if content.expiration == .asItIs { content.expiration = .none }
        let digest = rig.model.digest(of: content.encoded)
        _ = await rig.sink.deliver(OperationBatch([rig.model.operation(.create, content)]))
        let (id, object) = try #require(tenant.iocs.first)
        var shown = object
        if let tags = shown["tags"]?.array { shown["tags"] = .array(tags.reversed()) }
        if case .at(let end) = content.expiration { shown["expiration"] = .string(end.secondsDescription) }
        if content.action == .allow { shown["severity"] = "" }
        tenant.add(.object(shown))
        let ioc = try #require(try await tenant.client().iocs([id]).first)
        let observed = try #require(rig.model.observed(ioc))
        #expect(observed.key == rig.model.key(content.type, content.value) && observed.remoteID == id)
        #expect(observed.digest == digest)
    }

    @Test(
        arguments: [
            [("action", "prevent_no_ui")], [("mobile_action", "no_action")], [("source", "somebody")],
            [("applied_globally", false)], [("host_groups", ["00"])], [("severity", "")],
            [("platforms", ["windows", "plan9"])],
        ] as [[(String, JSONValue)]])
    func `is uncertain where it says what we never write`(_ fields: [(String, JSONValue)]) async throws {
        let tenant = FakeTenant()
        let id = tenant.add("domain", "a.example", by: FakeTenant.clientID, fields)
        let ioc = try #require(try await tenant.client().iocs([id]).first)
        #expect(IOCModel(.init()).observed(ioc)?.digest == Digest128(high: 0, low: 0))
    }

    @Test func `is left alone where it is of a kind that we never write`() async throws {
        let tenant = FakeTenant()
        let id = tenant.add("sha1", "a")
        let ioc = try #require(try await tenant.client().iocs([id]).first)
        #expect(IOCModel(.init()).observed(ioc) == nil)
    }
}
