// SPDX-License-Identifier: Apache-2.0

import JSON
import OCSF
import Testing

@Suite("OCSF inventory events") struct InventoryEventTests {
    private let device = Device(uid: "d", hostname: "h", os: OperatingSystem(name: "Ubuntu 24.04", kind: .linux))

    private func written(_ event: InventoryEvent, _ form: InventoryEvent.Form = .sekoia) throws -> JSONValue {
        try JSONValue(parsing: event.text(form))
    }

    // covers: ocsf:classes
    @Test func `a device is of class 5001 and a user of 5003`() throws {
        let first = try written(InventoryEvent(.device(device), time: .zero))
        #expect(first["class_uid"] == 5001)
        #expect(first["type_uid"] == 500_102)
        #expect(first["type_name"] == "Device Inventory Info: Collect")
        let second = try written(InventoryEvent(.user(User(uid: "u", name: "n")), time: .zero))
        #expect(second["class_uid"] == 5003)
        #expect(second["type_uid"] == 500_302)
        #expect(second["type_name"] == "User Inventory")
    }

    @Test func `what is absent is left out`() throws {
        let event = try written(InventoryEvent(.device(device), time: .zero))
        #expect(event["enrichments"] == nil)
        #expect(event["device"]?.object?.keys.sorted() == ["hostname", "os", "type", "type_id", "uid"])
    }

    // covers: ocsf:strict
    @Test func `the strict form has the schema's captions and what it requires`() throws {
        var device = device
        device.interfaces = [NetworkInterface(name: "connection", ip: "192.0.2.1")]
        let event = try written(InventoryEvent(.device(device), time: .zero), .strict)
        #expect(event["metadata"]?["product"]?["vendor_name"] == "CrowdStrike")
        #expect(event["device"]?["os"]?["type"] == "Linux")
        #expect(event["device"]?["network_interfaces"]?[0]?["type_id"] == 0)
        #expect(event["device"]?["network_interfaces"]?[0]?["hostname"] == "h")
        let user = try written(InventoryEvent(.user(User(uid: "u", name: "n")), time: .zero), .strict)
        #expect(user["type_name"] == "User Inventory Info: Collect")
        #expect(user["user"]?["type_id"] == 0)
    }

    // covers: ocsf:validation
    @Test func `names what the schema requires and an event lacks`() {
        var broken = Device(uid: "", hostname: "", os: OperatingSystem(name: "", kind: .unknown))
        broken.organization = Organization(uid: "c", name: "")
        broken.groups = [Device.Group(uid: "g", name: "")]
        let event = InventoryEvent(
            .device(broken), time: .zero, enrichments: [Enrichment(name: "", value: "v", data: [:])])
        #expect(
            event.problems == [
                "device.uid: is empty", "device.hostname: is empty", "device.os.name: is empty",
                "device.org.name: is empty", "device.groups[0]: uid or name is empty",
                "enrichments[0]: name or value is empty",
            ])
        #expect(InventoryEvent(.device(device), time: .zero).problems.isEmpty)
        #expect(InventoryEvent(.user(User(uid: "", name: "n")), time: .zero).problems == ["user.uid: is empty"])
    }
}
