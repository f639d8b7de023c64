// SPDX-License-Identifier: Apache-2.0

public import JSON

/// What an inventory needs of a host. Texts are as the service has them: a field may be empty, which differs from missing;
/// null counts as missing. Source: Sekoia.io module, 3.2.
public struct FalconDevice: Sendable, Hashable {
    public var deviceID: String?
    public var cid: String?
    public var hostname: String?
    public var productType: String?
    public var platformName: String?
    public var osVersion: String?
    public var externalIP: String?
    public var localIP: String?
    public var macAddress: String?
    public var connectionIP: String?
    public var connectionMACAddress: String?
    public var defaultGatewayIP: String?
    public var serialNumber: String?
    public var machineDomain: String?
    public var firstSeen: String?
    public var lastSeen: String?
    public var modified: String?
    public var agentLocalTime: String?
    public var productName: String?
    public var manufacturer: String?
    public var biosManufacturer: String?
    public var zoneGroup: String?
    public var serviceProvider: String?
    public var status: String?
    public var reducedFunctionalityMode: String?
    public var filesystemContainmentStatus: String?
    public var groups: [String] = []
    public var hasFirewallPolicy = false

    public init() {}

    public init(_ element: JSONElement) {
        func text(_ key: StaticString) -> String? { element[key]?.string }
        deviceID = text("device_id")
        cid = text("cid")
        hostname = text("hostname")
        productType = text("product_type_desc")
        platformName = text("platform_name")
        osVersion = text("os_version")
        externalIP = text("external_ip")
        localIP = text("local_ip")
        macAddress = text("mac_address")
        connectionIP = text("connection_ip")
        connectionMACAddress = text("connection_mac_address")
        defaultGatewayIP = text("default_gateway_ip")
        serialNumber = text("serial_number")
        machineDomain = text("machine_domain")
        firstSeen = text("first_seen")
        lastSeen = text("last_seen")
        modified = text("modified_timestamp")
        agentLocalTime = text("agent_local_time")
        productName = text("system_product_name")
        manufacturer = text("system_manufacturer")
        biosManufacturer = text("bios_manufacturer")
        zoneGroup = text("zone_group")
        serviceProvider = text("service_provider")
        status = text("status")
        reducedFunctionalityMode = text("reduced_functionality_mode")
        filesystemContainmentStatus = text("filesystem_containment_status")
        element["groups"]?.forEachElement { if let id = $0.string, !id.isEmpty { groups.append(id) } }
        hasFirewallPolicy = element["device_policies"]?["firewall"]?["applied"]?.bool ?? false
    }
}
