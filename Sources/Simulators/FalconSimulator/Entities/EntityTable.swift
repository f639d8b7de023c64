// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// Entities of one kind in the order in which they came, each a JSON object with its id.
struct EntityTable: Sendable {
    /// The member that holds the id.
    let key: String
    private(set) var rows: [JSONObject] = []
    private var index: [String: Int] = [:]

    init(key: String) { self.key = key }

    subscript(id: String) -> JSONObject? {
        get { index[id].map { rows[$0] } }
        set {
            guard let at = index[id] else {
                guard let newValue else { return }
                index[id] = rows.count
                rows.append(newValue)
                return
            }
            guard let newValue else {
                rows.remove(at: at)
                index = Dictionary(
                    rows.enumerated().map { ($0.element[key]?.string ?? "", $0.offset) }, uniquingKeysWith: { $1 })
                return
            }
            rows[at] = newValue
        }
    }

    /// Adds it or replaces the one of that id. False without an id.
    mutating func put(_ object: JSONObject) -> Bool {
        guard let id = object[key]?.string, !id.isEmpty else { return false }
        self[id] = object
        return true
    }
}

/// Hosts: those that tests load, and any number of plain ones that cost nothing until somebody reads them.
struct HostTable: Sendable {
    private(set) var loaded = EntityTable(key: "device_id")
    private(set) var generated = 0
    /// When the newest of the generated was first seen, epoch seconds.
    private var newest: Int64 = 0
    /// What actions have made of generated ones.
    private var changes: [Int: JSONObject] = [:]
    /// Those that `hide_host` has taken out of the lists.
    var hidden: Set<String> = []

    mutating func put(_ object: JSONObject) -> Bool { loaded.put(object) }

    /// Plain hosts, each first seen a minute before the one before it.
    mutating func generate(_ count: Int, now: Int64) {
        generated = count
        newest = now / 1000
        changes = [:]
    }

    subscript(id: String) -> JSONObject? {
        get { loaded[id] ?? number(of: id).map { changes[$0] ?? plain($0) } }
        set {
            if loaded[id] != nil {
                loaded[id] = newValue
            } else if let number = number(of: id) {
                changes[number] = newValue
            }
        }
    }

    /// Every host that is not hidden, the newest first. Generated ones come as numbers: 100,000 texts are quick to make, as many
    /// objects are not.
    enum Reference: Sendable {
        case loaded(String)
        case generated(Int)
    }
    var references: [Reference] {
        func seen(_ host: JSONObject) -> Instant {
            host["first_seen"]?.string.flatMap { Instant(parsing: $0) } ?? Instant(milliseconds: 0)
        }
        let known = loaded.rows.map { (seen($0), $0) }.sorted { $0.0 > $1.0 }.map(\.1)
        let first = known.compactMap { $0["device_id"]?.string }.filter { !hidden.contains($0) }.map(Reference.loaded)
        guard hidden.isEmpty else {
            return first + (0..<generated).filter { !hidden.contains(Self.id(of: $0)) }.map(Reference.generated)
        }
        return first + (0..<generated).map(Reference.generated)
    }

    func id(of reference: Reference) -> String {
        switch reference {
        case .loaded(let id): id
        case .generated(let number): Self.id(of: number)
        }
    }

    func object(_ reference: Reference) -> JSONObject { self[id(of: reference)] ?? [:] }

    private static let prefix = "9e4e4a7ed0000000"

    private static func id(of number: Int) -> String {
        let digits = String(number, radix: 16)
        return prefix + String(repeating: "0", count: 16 - digits.count) + digits
    }

    private func number(of id: String) -> Int? {
        guard id.utf8.count == 32, id.hasPrefix(Self.prefix), let number = Int(id.dropFirst(16), radix: 16),
            number < generated
        else { return nil }
        return number
    }

    private func plain(_ number: Int) -> JSONObject {
        let seen = JSONValue.string(EntityText.timestamp(newest - Int64(number) * 60))
        let address = "10.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)"
        return [
            "device_id": .string(Self.id(of: number)), "cid": "8f3c1d2e4b5a69788796a5b4c3d2e1f0",
            "agent_load_flags": "1", "agent_local_time": seen, "agent_version": "7.31.19504.0",
            "bios_manufacturer": "Dell Inc.", "bios_version": "1.21.0", "external_ip": "203.0.113.24",
            "mac_address": "00-50-56-aa-10-07", "hostname": .string("generated-\(number)"),
            "filesystem_containment_status": "normal", "first_seen": seen, "last_seen": seen,
            "local_ip": .string(address), "machine_domain": "corp.example.org", "major_version": "10",
            "minor_version": "0", "os_version": "Windows 11", "os_build": "22631", "platform_id": "0",
            "platform_name": "Windows", "reduced_functionality_mode": "no",
            "device_policies": [
                "prevention": ["policy_type": "prevention", "applied": true],
                "firewall": ["policy_type": "firewall", "applied": true],
            ],
            "groups": [], "product_type": "1", "product_type_desc": "Workstation",
            "provision_status": "Provisioned", "serial_number": .string("SN\(number)"), "status": "normal",
            "system_manufacturer": "Dell Inc.", "system_product_name": "Latitude 7430",
            "tags": ["SensorGroupingTags/eu"], "modified_timestamp": seen,
            "kernel_version": "10.0.22631.4890", "connection_ip": .string(address),
            "default_gateway_ip": "10.0.0.1", "connection_mac_address": "00-50-56-aa-10-07",
        ]
    }
}

enum EntityText {
    /// Epoch seconds as RFC 3339.
    static func timestamp(_ seconds: Int64) -> String { Instant(milliseconds: seconds * 1000).secondsDescription }
}
