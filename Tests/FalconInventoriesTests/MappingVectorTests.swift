// SPDX-License-Identifier: Apache-2.0

import Falcon
import Foundation
import JSON
import OCSF
import Testing
import Vectors

@testable import FalconInventories

@Suite("Inventory vectors") struct MappingVectorTests {
    private let expected: JSONValue
    private let inputs: (devices: JSONValue, users: JSONValue)
    private let groups: [String: HostGroup]

    init() throws {
        expected = try JSONValue(parsing: Array(Vectors.data("ocsf-expected.json")))
        inputs = (
            try JSONValue(parsing: Array(Vectors.data("falcon-devices.json"))),
            try JSONValue(parsing: Array(Vectors.data("falcon-users.json")))
        )
        groups = Dictionary(
            uniqueKeysWithValues: (inputs.devices["host_groups"]?.array ?? []).map { group in
                let id = group["id"]?.string ?? ""
                return (id, HostGroup(id: id, name: group["name"]?.string, description: group["description"]?.string))
            })
    }

    private func read<Row>(_ value: JSONValue, _ row: (JSONElement) -> Row) throws -> Row {
        try JSONParser().withDocument(value.bytes) { row($0) }
    }

    private func compare(_ list: String, _ input: JSONValue?, _ map: (JSONValue) throws -> InventoryEvent?) throws {
        let cases = try #require(expected[list]?.array)
        let inputs = try #require(input?.array)
        #expect(cases.count == inputs.count)
        for (number, (wanted, input)) in zip(cases, inputs).enumerated() {
            let event = try map(input)
            if let event { #expect(event.problems.isEmpty, "\(list)[\(number)]") }
            let written = try event.map { try JSONValue(parsing: $0.text()) } ?? ["skipped": true]
            #expect(Self.byValue(written) == Self.byValue(try #require(wanted["expected"])), "\(list)[\(number)]")
        }
    }

    /// Numbers as the table means them: `1.0` is `1`.
    private static func byValue(_ value: JSONValue) -> JSONValue {
        switch value {
        case .number(let number): .double(number.double)
        case .array(let elements): .array(elements.map(byValue))
        case .object(let object): .object(JSONObject(object.map { (key: $0.key, value: byValue($0.value)) }))
        default: value
        }
    }

    // covers: inv:map-devices, inv:quirk-1, inv:quirk-2, inv:quirk-16
    @Test func `devices become what is expected`() throws {
        try compare("devices", inputs.devices["devices"]) { input in
            try read(input) { DeviceMapping().event(FalconDevice($0), groups: groups, now: .zero) }
        }
    }

    // covers: inv:map-users, inv:quirk-15
    @Test func `directory users become what is expected`() throws {
        try compare("users", inputs.users["entities"]) { input in
            try read(input) { UserMapping.event(IdentityUser($0)) }
        }
    }

    // covers: inv:map-console-users
    @Test func `console users become what is expected`() throws {
        try compare("console_users", inputs.users["console_users"]) { input in
            try read(input) { UserMapping.event(ConsoleUser($0)) }
        }
    }
}
