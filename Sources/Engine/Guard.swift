// SPDX-License-Identifier: Apache-2.0

import NetAddress

/// The fixed rules that stand between a decision and the target: what must never be blocked, whatever a feed says.
///
/// Documentation ranges and example domains can hurt nobody and pass.
public struct GuardPolicy: Sendable {
    public struct Veto: Sendable, Hashable {
        public let code: String
        public let reason: String
    }

    private let isOn: Bool

    /// All rules in force.
    public static let standard = GuardPolicy(isOn: true)
    /// No rule: for comparisons with the originals (`SALLYPORT_GUARDRAILS=off`), said loudly at start.
    public static let off = GuardPolicy(isOn: false)

    /// Nil lets the subject pass.
    public func veto(_ subject: GuardSubject) -> Veto? {
        guard isOn else { return nil }
        switch subject {
        case .address(let address): return veto(address)
        case .domain(let name): return veto(domain: name)
        case .hash(let hash):
            return Self.emptyFile.contains(hash)
                ? Veto(code: "guard.empty_file", reason: "hash of the empty file") : nil
        case .other: return nil
        }
    }

    private func veto(_ address: IPAddress) -> Veto? {
        if Self.resolvers.contains(address.description) {
            return Veto(code: "guard.public_resolver", reason: "a public DNS resolver")
        }
        for (code, reason, applies) in Self.ranges where applies(address) { return Veto(code: code, reason: reason) }
        return nil
    }

    private func veto(domain: String) -> Veto? {
        PublicSuffixes.isPublicSuffix(domain)
            ? Veto(code: "guard.public_suffix", reason: "a public suffix: it would block everybody below it") : nil
    }

    private static let ranges: [(String, String, @Sendable (IPAddress) -> Bool)] = [
        ("guard.unspecified", "the unspecified address", { $0.isUnspecified }),
        ("guard.loopback", "a loopback address", { $0.isLoopback }),
        ("guard.private", "a private address", { $0.isPrivate }),
        ("guard.link_local", "a link-local address", { $0.isLinkLocal }),
        ("guard.multicast", "a multicast address", { $0.isMulticast }),
    ]

    // MD5, SHA-1 and SHA-256 of no bytes at all.
    private static let emptyFile: Set<String> = [
        "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ]

    // The anycast resolvers that whole companies point at: Google, Cloudflare, Quad9, OpenDNS, AdGuard, Level 3, DNS4EU.
    private static let resolvers: Set<String> = [
        "8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844",
        "1.1.1.1", "1.0.0.1", "1.1.1.2", "1.0.0.2", "1.1.1.3", "1.0.0.3",
        "2606:4700:4700::1111", "2606:4700:4700::1001", "2606:4700:4700::1112", "2606:4700:4700::1002",
        "2606:4700:4700::1113", "2606:4700:4700::1003",
        "9.9.9.9", "149.112.112.112", "9.9.9.10", "149.112.112.10", "9.9.9.11", "149.112.112.11",
        "2620:fe::fe", "2620:fe::9", "2620:fe::10", "2620:fe::fe:10", "2620:fe::11", "2620:fe::fe:11",
        "208.67.222.222", "208.67.220.220", "2620:119:35::35", "2620:119:53::53",
        "94.140.14.14", "94.140.15.15", "2a10:50c0::ad1:ff", "2a10:50c0::ad2:ff",
        "4.2.2.1", "4.2.2.2", "4.2.2.3", "4.2.2.4", "86.54.11.100", "86.54.11.200",
    ]
}
