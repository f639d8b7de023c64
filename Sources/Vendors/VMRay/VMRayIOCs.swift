// SPDX-License-Identifier: Apache-2.0

public import JSON

/// The IOCs of a sample, as far as anything is made of them. A list that is absent counts as empty. Source: VMRay, 1.3.
public struct VMRayIOCs: Sendable, Hashable {
    public struct File: Sendable, Hashable {
        public var verdict: String?
        public var sha256: [String]
        public var classifications: [String]
        public var threatNames: [String]
    }

    public struct Address: Sendable, Hashable {
        public var verdict: String?
        public var address: String
        public var domains: [String]
    }

    public struct Link: Sendable, Hashable {
        public var verdict: String?
        public var url: String
        public var originalURLs: [String]
        public var addresses: [String]
    }

    public struct Domain: Sendable, Hashable {
        public var verdict: String?
        public var name: String
        public var addresses: [String]
    }

    public var files: [File]
    public var addresses: [Address]
    public var links: [Link]
    public var domains: [Domain]

    public init(files: [File] = [], addresses: [Address] = [], links: [Link] = [], domains: [Domain] = []) {
        self.files = files
        self.addresses = addresses
        self.links = links
        self.domains = domains
    }

    /// `{"files": […], "ips": […], "urls": […], "domains": […]}`; entries of another shape count as empty.
    public init(_ json: JSONValue) {
        files = (json["files"]?.array ?? []).map { file in
            File(
                verdict: file["verdict"]?.string,
                sha256: (file["hashes"]?.array ?? []).compactMap { $0["sha256_hash"]?.string },
                classifications: file["classifications"]?.texts ?? [], threatNames: file["threat_names"]?.texts ?? [])
        }
        addresses = (json["ips"]?.array ?? []).map { entry in
            Address(
                verdict: entry["verdict"]?.string, address: entry["ip_address"]?.string ?? "",
                domains: entry["domains"]?.texts ?? [])
        }
        links = (json["urls"]?.array ?? []).map { entry in
            Link(
                verdict: entry["verdict"]?.string, url: entry["url"]?.string ?? "",
                originalURLs: entry["original_urls"]?.texts ?? [], addresses: entry["ip_addresses"]?.texts ?? [])
        }
        domains = (json["domains"]?.array ?? []).map { entry in
            Domain(
                verdict: entry["verdict"]?.string, name: entry["domain"]?.string ?? "",
                addresses: entry["ip_addresses"]?.texts ?? [])
        }
    }

    /// Both, one after the other: the lists of several verdicts.
    public static func + (left: VMRayIOCs, right: VMRayIOCs) -> VMRayIOCs {
        VMRayIOCs(
            files: left.files + right.files, addresses: left.addresses + right.addresses,
            links: left.links + right.links, domains: left.domains + right.domains)
    }
}
