// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import NetAddress

/// Addresses are read exactly where the C library reads them; whatever is read is written in a form that reads back.
@Sendable func fuzzNetAddress(_ text: UnsafeRawBufferPointer) {
    let bytes = text.bindMemory(to: UInt8.self)
    let address = IPAddress(parsing: bytes)
    if !bytes.contains(0) {
        check(
            (address != nil) == systemReads(bytes),
            "the C library disagrees on \(String(decoding: bytes, as: UTF8.self))")
    }
    if let address {
        check(IPAddress(parsing: address.description) == address, "\(address) does not read back")
        check(address.unmapped.specialUse == address.specialUse, "\(address) is judged by its spelling")
    }
    if let range = IPRange(parsing: bytes) {
        check(IPRange(parsing: range.description) == range, "\(range) does not read back")
        check(range.contains(range.network) && range.contains(range), "\(range) lacks its own start")
    }
    if let name = try? DomainName(parsing: bytes) {
        check((try? DomainName(parsing: name.ascii)) == name, "\(name) does not read back")
        check((3...DomainName.maxBytes).contains(name.ascii.utf8.count), "\(name) has an odd length")
        _ = PublicSuffixes.isPublicSuffix(name)
    }
}

private func systemReads(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    let text = bytes.map { CChar(bitPattern: $0) } + [0]
    return withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { output in
        inet_pton(AF_INET, text, output.baseAddress) == 1 || inet_pton(AF_INET6, text, output.baseAddress) == 1
    }
}
