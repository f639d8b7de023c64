// SPDX-License-Identifier: Apache-2.0

import JSON

/// OCSF's object `device`.
public struct Device: Sendable, Hashable {
    /// `type_id` with its caption.
    public enum Kind: Int, Sendable, CaseIterable {
        case unknown = 0
        case server
        case desktop
        case laptop
        case tablet
        case mobile
        case virtual
        case iot
        case browser
        case firewall
        case `switch`
        case hub
        case router
        case ids
        case ips
        case loadBalancer
        case other = 99

        public var caption: String {
            switch self {
            case .unknown: "Unknown"
            case .server: "Server"
            case .desktop: "Desktop"
            case .laptop: "Laptop"
            case .tablet: "Tablet"
            case .mobile: "Mobile"
            case .virtual: "Virtual"
            case .iot: "IOT"
            case .browser: "Browser"
            case .firewall: "Firewall"
            case .switch: "Switch"
            case .hub: "Hub"
            case .router: "Router"
            case .ids: "IDS"
            case .ips: "IPS"
            case .loadBalancer: "Load Balancer"
            case .other: "Other"
            }
        }
    }

    public var uid: String
    public var hostname: String
    public var kind = Kind.unknown
    public var os: OperatingSystem
    public var name: String?
    public var description: String?
    public var domain: String?
    public var ip: String?
    public var subnet: String?
    public var alternateUID: String?
    public var model: String?
    public var vendor: String?
    public var hypervisor: String?
    public var region: String?
    public var location: Location?
    public var organization: Organization?
    public var groups: [Group] = []
    public var interfaces: [NetworkInterface] = []
    public var created: Timestamp?
    public var firstSeen: Timestamp?
    public var lastSeen: Timestamp?
    public var boot: Timestamp?
    public var isManaged: Bool?
    public var isCompliant: Bool?

    public init(uid: String, hostname: String, os: OperatingSystem) {
        self.uid = uid
        self.hostname = hostname
        self.os = os
    }

    public struct Location: Sendable, Hashable {
        /// Two letters.
        public var country: String?
        public init(country: String?) { self.country = country }
    }

    public struct Group: Sendable, Hashable {
        public var uid: String
        public var name: String
        public var description: String?
        public init(uid: String, name: String, description: String? = nil) {
            self.uid = uid
            self.name = name
            self.description = description
        }
    }

    var problems: [String] {
        var problems: [String] = []
        if uid.isEmpty { problems.append("device.uid: is empty") }
        if hostname.isEmpty { problems.append("device.hostname: is empty") }
        if os.name.isEmpty { problems.append("device.os.name: is empty") }
        if let organization, organization.name.isEmpty { problems.append("device.org.name: is empty") }
        for (index, group) in groups.enumerated() where group.uid.isEmpty || group.name.isEmpty {
            problems.append("device.groups[\(index)]: uid or name is empty")
        }
        return problems
    }

    func write(_ form: InventoryEvent.Form, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("type_id", kind.rawValue)
        writer.member("type", kind.caption)
        writer.member("uid", uid)
        writer.member("hostname", hostname)
        writer.key("os")
        os.write(form, into: &writer)
        writer.member("boot_time", boot)
        writer.member("created_time", created)
        writer.member("desc", description)
        writer.member("domain", domain)
        writer.member("first_seen_time", firstSeen)
        if !groups.isEmpty {
            writer.key("groups")
            writer.beginArray()
            for group in groups {
                writer.beginObject()
                writer.member("name", group.name)
                writer.member("desc", group.description)
                writer.member("uid", group.uid)
                writer.endObject()
            }
            writer.endArray()
        }
        writer.member("hypervisor", hypervisor)
        writer.member("ip", ip)
        writer.member("is_compliant", isCompliant)
        writer.member("is_managed", isManaged)
        writer.member("last_seen_time", lastSeen)
        if let location {
            writer.key("location")
            writer.beginObject()
            writer.member("country", location.country)
            writer.endObject()
        }
        writer.member("model", model)
        writer.member("name", name)
        if !interfaces.isEmpty {
            writer.key("network_interfaces")
            writer.beginArray()
            for interface in interfaces { interface.write(form, hostname: hostname, into: &writer) }
            writer.endArray()
        }
        if let organization {
            writer.key("org")
            writer.beginObject()
            writer.member("name", organization.name)
            writer.member("uid", organization.uid)
            writer.endObject()
        }
        writer.member("region", region)
        writer.member("subnet", subnet)
        writer.member("uid_alt", alternateUID)
        writer.member("vendor_name", vendor)
        writer.endObject()
    }
}

/// OCSF's object `os`.
public struct OperatingSystem: Sendable, Hashable {
    public enum Kind: Int, Sendable, CaseIterable {
        case unknown = 0
        case other = 99
        case windows = 100
        case windowsMobile = 101
        case linux = 200
        case android = 201
        case macOS = 300
        case iOS = 301
        case iPadOS = 302
        case solaris = 400
        case aix = 401
        case hpux = 402

        /// The schema's.
        public var caption: String {
            switch self {
            case .unknown: "Unknown"
            case .other: "Other"
            case .windows: "Windows"
            case .windowsMobile: "Windows Mobile"
            case .linux: "Linux"
            case .android: "Android"
            case .macOS: "macOS"
            case .iOS: "iOS"
            case .iPadOS: "iPadOS"
            case .solaris: "Solaris"
            case .aix: "AIX"
            case .hpux: "HP-UX"
            }
        }
    }

    public var name: String
    public var kind: Kind

    public init(name: String, kind: Kind) {
        self.name = name
        self.kind = kind
    }

    func write(_ form: InventoryEvent.Form, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", name)
        writer.member("type", form == .strict ? kind.caption : kind.caption.lowercased())
        writer.member("type_id", kind.rawValue)
        writer.endObject()
    }
}

/// OCSF's object `network_interface`.
public struct NetworkInterface: Sendable, Hashable {
    public var name: String
    public var hostname: String?
    public var ip: String?
    /// Upper case with colons.
    public var mac: String?

    public init(name: String, hostname: String? = nil, ip: String? = nil, mac: String? = nil) {
        self.name = name
        self.hostname = hostname
        self.ip = ip
        self.mac = mac
    }

    func write(_ form: InventoryEvent.Form, hostname device: String, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("hostname", hostname ?? (form == .strict ? device : nil))
        writer.member("ip", ip)
        writer.member("mac", mac)
        writer.member("name", name)
        if form == .strict {
            writer.member("type_id", 0)
            writer.member("type", "Unknown")
        }
        writer.endObject()
    }
}
