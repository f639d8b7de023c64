// SPDX-License-Identifier: Apache-2.0

import CMicroHTTPD

#if canImport(Glibc)
    import Glibc
#endif

/// A bound TCP socket. Made here and not by libmicrohttpd, whose errors say nothing.
enum ListeningSocket {
    static func open(address: String, port: UInt16) throws(WebServerError) -> (descriptor: Int32, port: UInt16) {
        var storage = sockaddr_storage()
        guard let length = fill(&storage, address: address, port: port) else { throw .invalidAddress(address) }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(Int32(storage.ss_family), type, 0)
        guard descriptor >= 0 else { throw .cannotListen(address: address, port: port, errno: errno) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        let bound = withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard bound == 0, listen(descriptor, 511) == 0 else {
            let failure = errno
            close(descriptor)
            switch failure {
            case EADDRINUSE: throw .addressInUse(address: address, port: port)
            case EACCES, EPERM: throw .notPermitted(address: address, port: port)
            default: throw .cannotListen(address: address, port: port, errno: failure)
            }
        }
        return (descriptor, actualPort(of: descriptor))
    }

    /// A numeric form of the address, without the port.
    static func describe(_ address: UnsafePointer<sockaddr>) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = Int32(address.pointee.sa_family)
        let raw = UnsafeRawPointer(address)
        let source =
            switch family {
            case AF_INET: raw + (MemoryLayout<sockaddr_in>.offset(of: \.sin_addr) ?? 0)
            case AF_INET6: raw + (MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr) ?? 0)
            default: raw
            }
        guard family == AF_INET || family == AF_INET6,
            inet_ntop(family, source, &text, socklen_t(text.count)) != nil
        else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func fill(_ storage: inout sockaddr_storage, address: String, port: UInt16) -> socklen_t? {
        let literal = address == "localhost" ? "127.0.0.1" : address
        var ipv4 = sockaddr_in()
        if inet_pton(AF_INET, literal, &ipv4.sin_addr) == 1 {
            ipv4.sin_family = sa_family_t(AF_INET)
            ipv4.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: ipv4, as: sockaddr_in.self) }
            return socklen_t(MemoryLayout<sockaddr_in>.size)
        }
        var ipv6 = sockaddr_in6()
        if inet_pton(AF_INET6, literal, &ipv6.sin6_addr) == 1 {
            ipv6.sin6_family = sa_family_t(AF_INET6)
            ipv6.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: ipv6, as: sockaddr_in6.self) }
            return socklen_t(MemoryLayout<sockaddr_in6>.size)
        }
        return nil
    }

    private static func actualPort(of descriptor: Int32) -> UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        withUnsafeMutablePointer(to: &storage) { pointer in
            _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        return withUnsafeBytes(of: &storage) { bytes in
            // The port stands at the same place in both families.
            UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
        }
    }
}
