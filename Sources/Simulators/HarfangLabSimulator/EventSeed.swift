// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// Invents security events and threats that hang together: rules exist for them, hosts repeat, and equal seeds give
/// equal events.
struct EventSeed: Sendable {
    let seed: UInt64
    let now: Instant

    private static let hosts = ["WKS-FIN-012", "web-eu-03", "SRV-FILES-01", "WKS-HR-007", "build-02"]
    private static let statuses = ["new", "investigating", "false_positive", "closed"]
    private static let levels = ["low", "medium", "high", "critical", "informational"]
    private static let source = "5eed0000-0000-4000-8000-00000000000"

    func fill(
        _ events: inout EventTable, _ tables: inout [RuleCollection: RuleTable], alerts: Int, threats: Int
    ) {
        addRules(to: &tables)
        let first = events.alerts.count
        // The last of them a minute ago, the others before it, two seconds apart.
        let start = now.milliseconds - 60_000 - Int64(alerts) * 2000
        var random = SeededRandom(seed: seed &+ UInt64(first))
        for number in first..<(first + alerts) {
            let time = Instant(milliseconds: start + Int64(number - first) * 2000)
            let threat = threats > 0 && number % 3 == 0 ? "\(1 + (number / 3) % threats)" : nil
            events.add(alert: alert(number, at: time, threat, &random))
        }
        for number in 1...max(threats, 1) where threats > 0 {
            let moment = JSONValue.string(Instant(milliseconds: start + Int64(number) * 2000).description)
            let host = Self.hosts[number % Self.hosts.count]
            events.threats.append([
                "id": .int(number), "slug": .string("quiet-otter-\(number)"),
                "level": .string(Self.levels[number % Self.levels.count]), "status": "new", "creation_date": moment,
                "first_seen": moment, "last_seen": moment, "last_update": moment,
                "top_agents": [["agent_id": .string(id(number, 9)), "agent_hostname": .string(host)]],
                "top_impacted_users": [["user_name": .string("CORP\\user\(number)")]], "top_rules": [],
            ])
            if number % 2 == 0 {
                events.notes["\(number)"] = [
                    "title": .string("quiet-otter-\(number)"), "content": .string("Looked at by shift \(number % 3)."),
                    "creation_date": moment, "last_update": moment,
                ]
            }
        }
    }

    private func addRules(to tables: inout [RuleCollection: RuleTable]) {
        let moment = now.description
        for (place, collection) in RuleCollection.allCases.enumerated() {
            let list = Self.source + "\(place + 1)"
            guard var table = tables[collection], !table.hasSource(list) else { continue }
            tables[collection] = nil
            _ = try? table.addSource(["id": .string(list), "name": "detections"])
            for number in 0..<20 {
                let rule: JSONValue =
                    switch collection {
                    case .ioc: ["source_id": .string(list), "type": "hash", "value": .string(hash(number, 64))]
                    case .sigma:
                        [
                            "source_id": .string(list), "name": .string("Rule \(number)"),
                            "content": .string(
                                "title: Rule \(number)\nlogsource:\n    product: windows\ndetection:\n    s:\n"
                                    + "        Image: r\(number).exe\n    condition: s\n"),
                        ]
                    case .yara:
                        [
                            "source_id": .string(list), "name": .string("file_\(number).yar"),
                            "content": .string("rule R_\(number) { condition: true }"),
                            "rule_technique_tags": ["attack.t1059.001"],
                        ]
                    }
                _ = try? table.insert(rule, now: moment, foldsHashes: true, isSeed: true)
            }
            tables[collection] = table
        }
    }

    private func alert(
        _ number: Int, at time: Instant, _ threat: String?, _ random: inout SeededRandom
    ) -> JSONObject {
        let rule = number % 20
        let type = ["sigma", "ioc", "yara"][number % 3]
        let host = Self.hosts[Int.random(in: 0..<Self.hosts.count, using: &random)]
        let name = type == "sigma" ? "Rule \(rule)" : type == "yara" ? "Yara: file_\(rule).yar" : "Ioc hash"
        let sha256 = type == "ioc" ? hash(rule, 64) : hash(number + 1000, 64)
        let text = type == "ioc" ? "hash=\(sha256)" : "Seen by rule \(rule), event \(number)"
        return [
            "id": .string(id(number, 1)), "alert_unique_id": .string(id(number, 2)), "alert_type": .string(type),
            "alert_subtype": "process", "alert_time": .string(time.description),
            "@event_create_date": .string(time.description),
            "last_update": .string(time.advanced(by: .seconds(30)).description),
            "status": .string(Self.statuses[Int.random(in: 0..<4, using: &random)]),
            "level": .string(Self.levels[number % 4]), "maturity": "stable", "msg": .string(text),
            "rule_name": .string(name), "log_type": "alert", "threat_key": threat.map { .string($0) } ?? .null,
            "agent": [
                "agentid": .string(id(number % 5, 9)), "hostname": .string(host), "ostype": "windows",
                "osproducttype": "Windows 11 Pro", "domainname": "CORP",
            ],
            "process": [
                "process_name": .string("proc\(number % 50).exe"), "current_directory": "C:\\ProgramData\\Temp",
                "username": .string("CORP\\user\(number % 17)"), "usersid": "S-1-5-21-1",
                "hashes": [
                    "sha256": .string(sha256), "sha1": .string(hash(number, 40)), "md5": .string(hash(number, 32)),
                ],
            ],
        ]
    }

    private func id(_ number: Int, _ salt: UInt64) -> String {
        Digest128(high: seed << 32 | salt << 16 | 0x4000, low: 0x8000_0000_0000_0000 | UInt64(number)).uuidDescription
    }

    private func hash(_ number: Int, _ digits: Int) -> String {
        var random = SeededRandom(seed: UInt64(number) &* 31 &+ UInt64(digits))
        return (0..<digits).map { _ in String(Int.random(in: 0..<16, using: &random), radix: 16) }.joined()
    }
}
