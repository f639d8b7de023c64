// SPDX-License-Identifier: Apache-2.0

internal import NetAddress

/// A canonical address, range or name reads back as itself.
@Sendable func fuzzAddress(_ bytes: UnsafeRawBufferPointer) {
    let text = bytes.bindMemory(to: UInt8.self)
    if let address = IPAddress(parsing: text) {
        check(IPAddress(parsing: address.description) == address, "\(address) reads back differently")
        check(IPRange(address, prefixLength: 0).contains(address), "\(address) is not in the whole space")
    }
    if let range = IPRange(parsing: text) {
        check(IPRange(parsing: range.description) == range, "\(range) reads back differently")
        check(range.contains(range.network), "\(range) lacks its own network")
    }
    if let name = try? DomainName(parsing: text) {
        check(name.ascii.utf8.count <= DomainName.maxBytes, "\(name) is too long")
        check((try? DomainName(parsing: name.ascii)) == name, "\(name) reads back differently")
        if let registrable = PublicSuffixes.registrableDomain(of: name) {
            check(name.ascii == registrable || name.ascii.hasSuffix("." + registrable), "\(registrable) of \(name)")
        }
    }
}
