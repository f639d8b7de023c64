// SPDX-License-Identifier: Apache-2.0

import Falcon
import JSON
import OCSF

/// A host as OCSF's “Device Inventory Info”. Source: Sekoia.io module, 3.2.
struct DeviceMapping: Sendable {
    /// Domain controllers count as servers; the original has no word for them.
    var domainControllersAreServers = false

    /// - Parameters:
    ///   - groups: what is known of the host's groups, by id.
    ///   - now: for a host that bears no date, and for one that is gone: none of its dates says when it went.
    ///   - isManaged: false for a host that has left Falcon's lists.
    /// - Returns: `nil` for a host without id or name, which an inventory cannot hold.
    func event(
        _ device: FalconDevice, groups: [String: HostGroup], now: Timestamp, isManaged: Bool = true
    ) -> InventoryEvent? {
        guard let uid = device.deviceID, !uid.isEmpty, let hostname = device.hostname, !hostname.isEmpty else {
            return nil
        }
        var mapped = Device(uid: uid, hostname: hostname, os: Self.os(device))
        mapped.name = hostname
        mapped.kind = kind(device.productType)
        mapped.description = device.productType
        mapped.ip = device.externalIP
        mapped.subnet = device.defaultGatewayIP
        mapped.alternateUID = device.serialNumber
        mapped.domain = Self.filled(device.machineDomain)
        mapped.firstSeen = Self.timestamp(device.firstSeen)
        mapped.created = mapped.firstSeen
        mapped.lastSeen = Self.timestamp(device.lastSeen)
        // Compat: the sensor's clock is no boot time, but where the original puts it.
        mapped.boot = Self.timestamp(device.agentLocalTime)
        mapped.model = device.productName
        mapped.vendor = device.manufacturer
        mapped.hypervisor = device.biosManufacturer
        mapped.region = device.zoneGroup
        mapped.location = Self.location(device.zoneGroup)
        if let cid = Self.filled(device.cid) {
            mapped.organization = Organization(uid: cid, name: Self.filled(device.serviceProvider) ?? "CrowdStrike")
        }
        mapped.groups = device.groups.map { Self.group($0, groups[$0]) }
        mapped.interfaces = Self.interfaces(device)
        mapped.isManaged = isManaged
        mapped.isCompliant = Self.isCompliant(device)
        let firewall = device.hasFirewallPolicy ? "Enabled" : "Disabled"
        return InventoryEvent(
            .device(mapped), time: isManaged ? time(mapped, device, now) : now,
            enrichments: [
                Enrichment(name: "compliance", value: "hygiene", data: ["Firewall_status": .string(firewall)])
            ])
    }

    /// Of the changes the latest that is a date; the first moment of 1970 is none.
    private func time(_ mapped: Device, _ device: FalconDevice, _ now: Timestamp) -> Timestamp {
        [Self.timestamp(device.modified), mapped.firstSeen].lazy.compactMap { $0 }.first { $0 != .zero } ?? now
    }

    private func kind(_ product: String?) -> Device.Kind {
        let text = (product ?? "").lowercased()
        // Compat: the first that occurs, so “Virtual Workstation” is a desktop.
        let words: [(String, Device.Kind)] = [
            ("server", .server), ("workstation", .desktop), ("desktop", .desktop), ("laptop", .laptop),
            ("mobile", .mobile), ("tablet", .tablet), ("phone", .mobile), ("virtual", .virtual),
        ]
        if let found = words.first(where: { text.contains($0.0) }) { return found.1 }
        return domainControllersAreServers && text.contains("domain controller") ? .server : .unknown
    }

    private static func os(_ device: FalconDevice) -> OperatingSystem {
        let platform = device.platformName ?? ""
        let text = platform.lowercased()
        let words: [(word: String, kind: OperatingSystem.Kind, name: String)] = [
            ("windows", .windows, "Windows"), ("linux", .linux, "Linux"), ("mac", .macOS, "macOS"),
            ("ios", .iOS, "iOS"), ("android", .android, "Android"),
        ]
        let found = words.first { text.contains($0.word) }
        let name = found?.name ?? (platform.isEmpty ? "Unknown" : platform)
        return OperatingSystem(name: filled(device.osVersion) ?? name, kind: found?.kind ?? .unknown)
    }

    /// Compat: the first two letters of a cloud's zone, whatever they stand for.
    private static func location(_ zone: String?) -> Device.Location? {
        guard let zone = filled(zone) else { return nil }
        let head = zone.unicodeScalars.prefix(2)
        return Device.Location(country: head.count == 2 ? String(String.UnicodeScalarView(head)).uppercased() : nil)
    }

    private static func group(_ id: String, _ group: HostGroup?) -> Device.Group {
        // What nobody could tell more about is named by its id.
        guard let group else { return Device.Group(uid: id, name: id) }
        return Device.Group(uid: id, name: filled(group.name) ?? "Unknown", description: filled(group.description))
    }

    private static func interfaces(_ device: FalconDevice) -> [NetworkInterface] {
        var interfaces: [NetworkInterface] = []
        if filled(device.localIP) != nil || filled(device.macAddress) != nil {
            interfaces.append(
                NetworkInterface(
                    name: "primary", hostname: device.hostname, ip: device.localIP, mac: mac(device.macAddress)))
        }
        if let ip = filled(device.connectionIP), ip != device.localIP {
            interfaces.append(NetworkInterface(name: "connection", ip: ip, mac: mac(device.connectionMACAddress)))
        }
        return interfaces
    }

    private static func mac(_ text: String?) -> String? {
        filled(text).map {
            $0.split(separator: "-", omittingEmptySubsequences: false).joined(separator: ":").uppercased()
        }
    }

    private static func isCompliant(_ device: FalconDevice) -> Bool? {
        let words = [
            (device.status, "normal"), (device.reducedFunctionalityMode, "no"),
            (device.filesystemContainmentStatus, "normal"),
        ]
        if words.allSatisfy({ $0.0 == $0.1 }) { return true }
        return words.contains { filled($0.0) != nil } ? false : nil
    }

    private static func timestamp(_ text: String?) -> Timestamp? { text.flatMap { Timestamp(parsing: $0) } }

    private static func filled(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }
}
