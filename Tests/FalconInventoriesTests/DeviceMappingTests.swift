// SPDX-License-Identifier: Apache-2.0

import Falcon
import JSON
import OCSF
import Testing

@testable import FalconInventories

@Suite("Devices to OCSF") struct DeviceMappingTests {
    private func device(_ change: (inout FalconDevice) -> Void = { _ in }) -> FalconDevice {
        var device = FalconDevice()
        device.deviceID = "d1"
        device.hostname = "host"
        change(&device)
        return device
    }

    private func map(_ device: FalconDevice, _ mapping: DeviceMapping = DeviceMapping()) throws -> (
        Device, InventoryEvent
    ) {
        let event = try #require(mapping.event(device, groups: [:], now: Timestamp(microseconds: 7_000_000)))
        guard case .device(let mapped) = event.subject else { throw Missing() }
        return (mapped, event)
    }
    private struct Missing: Error {}

    // covers: inv:map-type
    @Test(arguments: [
        ("Server", Device.Kind.server), ("Virtual Workstation", .desktop), ("Laptop", .laptop), ("Tablet", .tablet),
        ("iPhone", .mobile), ("Virtual Machine", .virtual), ("Domain Controller", .unknown), ("", .unknown),
    ])
    func `the first word that occurs decides the type`(_ text: String, _ kind: Device.Kind) throws {
        #expect(try map(device { $0.productType = text }).0.kind == kind)
    }

    // covers: inv:map-domain-controller
    @Test func `domain controllers are servers when asked for`() throws {
        var mapping = DeviceMapping()
        mapping.domainControllersAreServers = true
        #expect(try map(device { $0.productType = "Domain Controller" }, mapping).0.kind == .server)
    }

    // covers: inv:map-os
    @Test(arguments: [
        ("Windows" as String?, nil as String?, OperatingSystem.Kind.windows, "Windows"),
        ("Linux", "Debian 12", .linux, "Debian 12"),
        ("Mac", "", .macOS, "macOS"), ("iOS", nil, .iOS, "iOS"), ("Android", nil, .android, "Android"),
        ("ChromeOS", nil, .unknown, "ChromeOS"), (nil, nil, .unknown, "Unknown"),
    ])
    func `the platform decides the system, and names it when nothing better does`(
        _ platform: String?, _ version: String?, _ kind: OperatingSystem.Kind, _ name: String
    ) throws {
        let os = try map(
            device {
                $0.platformName = platform
                $0.osVersion = version
            }
        ).0.os
        #expect(os == OperatingSystem(name: name, kind: kind))
    }

    // covers: inv:map-time
    @Test func `the time is the last change, else the first sight, else now`() throws {
        #expect(try map(device()).1.time.seconds == 7)
        #expect(try map(device { $0.firstSeen = "2026-01-01" }).1.time.seconds == 1_767_225_600)
        let zero = device {
            $0.modified = "1970-01-01T00:00:00Z"
            $0.firstSeen = "2026-01-01"
        }
        #expect(try map(zero).1.time.seconds == 1_767_225_600)
    }

    // covers: inv:map-compliance
    @Test func `a host complies when all three say so, and nothing is said of one that is silent`() throws {
        func compliance(_ words: (String?, String?, String?)) throws -> Bool? {
            try map(
                device {
                    $0.status = words.0
                    $0.reducedFunctionalityMode = words.1
                    $0.filesystemContainmentStatus = words.2
                }
            ).0.isCompliant
        }
        #expect(try compliance(("normal", "no", "normal")) == true)
        #expect(try compliance(("contained", "no", "normal")) == false)
        #expect(try compliance(("normal", nil, nil)) == false)
        #expect(try compliance((nil, "", nil)) == nil)
    }

    // covers: inv:map-interfaces
    @Test func `a second interface is named when its address differs`() throws {
        let interfaces = try map(
            device {
                $0.localIP = ""
                $0.macAddress = "0a-1b"
                $0.connectionIP = "192.0.2.1"
            }
        ).0.interfaces
        #expect(
            interfaces == [
                NetworkInterface(name: "primary", hostname: "host", ip: "", mac: "0A:1B"),
                NetworkInterface(name: "connection", ip: "192.0.2.1"),
            ])
    }

    // covers: inv:map-groups
    @Test func `a group without a name is unknown, one that nobody knows is named by its id`() throws {
        let known = ["g1": HostGroup(id: "g1", name: nil, description: "")]
        let event = try #require(
            DeviceMapping().event(device { $0.groups = ["g1", "g2"] }, groups: known, now: .zero))
        guard case .device(let mapped) = event.subject else { throw Missing() }
        #expect(
            mapped.groups == [Device.Group(uid: "g1", name: "Unknown"), Device.Group(uid: "g2", name: "g2")])
    }

    // covers: inv:map-location
    @Test func `a zone of one letter gives a location without country`() throws {
        #expect(try map(device { $0.zoneGroup = "e" }).0.location == Device.Location(country: nil))
        #expect(try map(device { $0.zoneGroup = "us-east" }).0.location == Device.Location(country: "US"))
        #expect(try map(device { $0.zoneGroup = "" }).0.location == nil)
    }

    // covers: inv:map-skipped
    @Test func `a host without id or name is no device`() {
        #expect(DeviceMapping().event(device { $0.hostname = nil }, groups: [:], now: .zero) == nil)
        #expect(DeviceMapping().event(device { $0.deviceID = "" }, groups: [:], now: .zero) == nil)
    }
}
