// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import TestKit
import Testing
import Vectors

@testable import ConnectorKit
@testable import Engine
@testable import FalconIndicators

/// A case of `opencti-crowdstrike-vectors.json`.
struct StreamVector: Sendable, CustomTestStringConvertible {
    let json: JSONValue
    var id: String { json["id"]?.string ?? "" }
    var testDescription: String { "\(id) \(json["title"]?.string ?? "")" }

    static let all: [StreamVector] = {
        let file = try? JSONValue(parsing: Array(Vectors.data("opencti-crowdstrike-vectors.json")))
        return file?["vectors"]?.array?.map { StreamVector(json: $0) } ?? []
    }()

    var translation: IndicatorTranslator.Policy {
        var policy = IndicatorTranslator.Policy()
        func action(_ name: String) -> IOCAction { json["config"]?[name]?.string.flatMap(IOCAction.init) ?? .detect }
        policy.actionOnIP = action("action_on_ip")
        policy.actionOnDomain = action("action_on_domain")
        policy.actionOnHash = action("action_on_hash")
        policy.isMobileActive = json["config"]?["falcon_for_mobile_active"]?.bool ?? false
        return policy
    }

    var contents: IOCModel.Policy {
        IOCModel.Policy(
            isPermanent: json["config"]?["permanent_delete"]?.bool ?? false,
            disarms: json["config"]?["soft_delete_action"]?.string == "no_action")
    }

    var owns: [String] { json["config"]?["owned_client_ids"]?.array?.compactMap(\.string) ?? [] }

    var frames: [String] {
        (json["events"]?.array ?? []).map { event in
            FakePlatform.frame(
                event["id"]?.string, event["event"]?.string ?? "", event["raw"]?.string ?? event["data"]?.text ?? "")
        }
    }

    func tenant() -> FakeTenant {
        let start = Instant(milliseconds: 1_767_225_600_000)
        return FakeTenant(json["falcon_existing"]?.array ?? [], time: TestTime(jumping: true, start: start))
    }

    /// The scripted answers stand in front of the tenant once its listing was read.
    func script(_ tenant: FakeTenant) {
        for entry in json["falcon_script"]?.array ?? [] {
            let answer: ScriptedTransport.Answer =
                entry["exception"]?.string.map { .failure(.connectionLost(url: "falcon", reason: $0)) }
                ?? .status(Int(entry["status"]?.int ?? 200), entry["body"]?.text ?? "")
            tenant.script(
                entry["method"]?.string ?? "", answer, at: entry["path"]?.string ?? "",
                forEver: entry["times"]?.string == "*")
        }
    }

    var acceptable: [[JSONValue]] {
        [json["expected"]?["effects"]?.array ?? []]
            + (json["expected"]?["accept_also"]?.array?.compactMap(\.array) ?? [])
    }
}

/// How two states of a tenant differ, compared with what a vector wants. The rules are the vectors' own (`about.compare`).
private struct TenantChange {
    let created: [JSONObject]
    let changed: [JSONObject]
    let deleted: [String]
    let after: [String: JSONObject]

    init(from before: [String: JSONObject], to after: [String: JSONObject]) {
        self.after = after
        created = after.filter { before[$0.key] == nil }.map(\.value)
        changed = after.filter { before[$0.key] != nil && before[$0.key] != $0.value }.map(\.value)
        deleted = before.keys.filter { after[$0] == nil }.sorted()
    }

    /// Everything in which the change is not the wanted one.
    func problems(with effects: [JSONValue]) -> [String] {
        var problems: [String] = []
        var unexpected = created
        var touched = Set(changed.compactMap { $0["id"]?.string })
        var gone = Set(deleted)
        for effect in effects {
            let wanted = effect["indicator"]?.object ?? [:]
            switch effect["op"]?.string {
            case "none": break
            case "create":
                let index = unexpected.firstIndex { $0["type"] == wanted["type"] && $0["value"] == wanted["value"] }
                guard let index else {
                    problems.append("\(wanted["value"]?.string ?? "") was not created")
                    continue
                }
                let made = unexpected.remove(at: index)
                problems += Self.differences(made, wanted)
                for name in ["description", "expiration", "tags", "severity"] where wanted[name] == nil {
                    if !Self.isUnset(made[name]) { problems.append("\(name) is set to \(made[name]?.text ?? "")") }
                }
            case "update":
                let id = effect["id"]?.string ?? ""
                touched.remove(id)
                guard let now = after[id] else {
                    problems.append("\(id) is gone")
                    continue
                }
                problems += Self.differences(now, wanted)
            case "delete":
                for id in effect["ids"]?.array?.compactMap(\.string) ?? [] where gone.remove(id) == nil {
                    problems.append("\(id) is still there")
                }
            default: problems.append("unknown effect \(effect.text)")
            }
        }
        problems += unexpected.map { "created besides: \(JSONValue.object($0).text)" }
        problems += touched.map { "changed besides: \($0)" } + gone.map { "deleted besides: \($0)" }
        return problems
    }

    private static func differences(_ found: JSONObject, _ wanted: JSONObject) -> [String] {
        wanted.compactMap { name, value in
            if ["metadata", "comment"].contains(name) { return nil }
            let isSame =
                switch name {
                case _ where value.isNull: isUnset(found[name])
                case "expiration": instant(found[name]) == instant(value)
                case "platforms", "tags": Set(found[name]?.array ?? []) == Set(value.array ?? [])
                default: found[name] == value
                }
            return isSame ? nil : "\(name) is \(found[name]?.text ?? "missing"), not \(value.text)"
        }
    }

    private static func isUnset(_ value: JSONValue?) -> Bool {
        guard let value, !value.isNull else { return true }
        return value.string == "" || value.array == []
    }

    private static func instant(_ value: JSONValue?) -> Int64? {
        value?.string.flatMap { Instant(parsing: $0) }.map { $0.milliseconds / 1000 }
    }
}

@Suite("Vectors of the original, without a server") struct VectorTests {
    @Test func `are all there`() { #expect(StreamVector.all.count == 95) }

    // covers: vectors:expected
    @Test(arguments: StreamVector.all) func `change the tenant as expected`(_ vector: StreamVector) async throws {
        let tenant = vector.tenant()
        var rig = try await Rig(tenant, vector.contents, owns: vector.owns)
        let before = tenant.iocs
        vector.script(tenant)
        let platform = try FakePlatform(time: tenant.time)
        platform.stream(vector.frames)
        let source = platform.source(vector.translation, model: rig.model)
        guard case .items(let items) = try await source.next() else {
            Issue.record("no items")
            return
        }
        #expect(items.count == vector.frames.count)
        rig.feed(items)
        try await rig.settle()
        let change = TenantChange(from: before, to: tenant.iocs)
        let verdicts = vector.acceptable.map { change.problems(with: $0) }
        #expect(verdicts.contains([]), "\(verdicts)")
        #expect(tenant.breaches == [])
        #expect(rig.core.accounting.holds)
    }
}
