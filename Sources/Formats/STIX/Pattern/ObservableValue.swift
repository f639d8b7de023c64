// SPDX-License-Identifier: Apache-2.0

import NetAddress

/// Brings the value of a comparison into its one canonical spelling.
///
/// Source: OpenCTI → Falcon, 7 “Values”: blanks around are cut, the defanged dot `[.]` is undone, then each kind has its
/// own rules.
enum ObservableValue {
    /// The longest domain name that becomes an observable: what the shortest-spoken target (Falcon's IOC API) takes.
    static let maxDomainBytes = 200

    enum Outcome {
        case success(Observable)
        case failure(SkippedComparison.Reason)
    }

    /// - Parameter value: decoded, not yet trimmed.
    static func observable(_ property: ObservableProperty, _ value: UnsafeBufferPointer<UInt8>) -> Outcome {
        let value = trimmed(value)
        if value.isEmpty { return .failure(.invalidValue("The value is empty.")) }
        switch property {
        case .domainName: return domain(value, as: .domainName)
        case .hostname: return domain(value, as: .hostname)
        case .address: return address(value)
        case .fileHash(let algorithm): return hash(value, algorithm)
        case .fileName: return .success(Observable(type: .fileName, value: String(decoding: value, as: UTF8.self)))
        case .url: return .success(Observable(type: .url, value: url(refanged(value))))
        case .emailAddress: return email(refanged(value))
        }
    }

    private static func domain(_ value: UnsafeBufferPointer<UInt8>, as type: ObservableType) -> Outcome {
        do throws(DomainNameError) {
            let name = try DomainName(parsing: value, maxBytes: maxDomainBytes)
            return .success(Observable(type: type, value: name.ascii))
        } catch {
            return .failure(.invalidValue(error.description))
        }
    }

    // The family decides, not the object type that the pattern names.
    private static func address(_ value: UnsafeBufferPointer<UInt8>) -> Outcome {
        if let address = IPAddress(parsing: value) { return .success(observable(address)) }
        guard
            let range = IPRange(parsing: value)
                ?? refanged(value).withUnsafeBufferPointer({ IPRange(parsing: $0) })
        else { return .failure(.invalidValue("The value is no IP address.")) }
        guard let address = range.singleAddress else { return .failure(.addressRange(range.description)) }
        return .success(observable(address))
    }

    private static func observable(_ address: IPAddress) -> Observable {
        Observable(type: address.isV4 ? .ipv4Address : .ipv6Address, value: address.description)
    }

    private static func hash(_ value: UnsafeBufferPointer<UInt8>, _ algorithm: HashAlgorithm) -> Outcome {
        guard algorithm.accepts(value) else {
            return .failure(.invalidValue("The value is no \(algorithm.rawValue) hash."))
        }
        // Fuzzy hashes are base64 or versioned: their case carries meaning.
        let isHex = algorithm != .ssdeep && algorithm != .tlsh
        let text = String(unsafeUninitializedCapacity: value.count) { output in
            for (index, byte) in value.enumerated() { output[index] = isHex ? lowercased(byte) : byte }
            return value.count
        }
        return .success(Observable(type: .fileHash(algorithm), value: text))
    }

    // `hxxp` becomes `http`; scheme and host lower-case (RFC 3986, 6.2.2.1); all else stays as it is.
    private static func url(_ value: [UInt8]) -> String {
        var bytes = value
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), bytes[colon...].starts(with: "://".utf8) else {
            return String(decoding: bytes, as: UTF8.self)
        }
        for index in 0..<colon { bytes[index] = lowercased(bytes[index]) }
        if bytes.starts(with: "hxxp".utf8) {
            bytes[1] = UInt8(ascii: "t")
            bytes[2] = UInt8(ascii: "t")
        }
        let authority = colon + 3
        let end = bytes[authority...].firstIndex { "/?#".utf8.contains($0) } ?? bytes.count
        let host = bytes[authority..<end].lastIndex(of: UInt8(ascii: "@")).map { $0 + 1 } ?? authority
        for index in host..<end { bytes[index] = lowercased(bytes[index]) }
        return String(decoding: bytes, as: UTF8.self)
    }

    // Lower case throughout, as the platform stores addresses.
    private static func email(_ value: [UInt8]) -> Outcome {
        let invalid = Outcome.failure(.invalidValue("The value is no email address."))
        guard let separator = value.lastIndex(of: UInt8(ascii: "@")), separator > 0,
            !value[..<separator].contains(where: { $0 <= 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "@") })
        else { return invalid }
        let domain = value[(separator + 1)...].withContiguousStorageIfAvailable { bytes in
            Result { () throws(DomainNameError) in try DomainName(parsing: bytes) }
        }
        switch domain {
        case .success(let name):
            let local = String(decoding: value[..<separator].map(lowercased), as: UTF8.self)
            return .success(Observable(type: .emailAddress, value: local + "@" + name.ascii))
        case .failure(let error): return .failure(.invalidValue(error.description))
        case nil: return invalid
        }
    }

    private static func refanged(_ value: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(value.count)
        var index = 0
        while index < value.count {
            if value[index] == UInt8(ascii: "["), index + 2 < value.count, value[index + 2] == UInt8(ascii: "]"),
                value[index + 1] == UInt8(ascii: ".") || value[index + 1] == UInt8(ascii: ":")
            {
                index += 1
                bytes.append(value[index])
                index += 2
            } else {
                bytes.append(value[index])
                index += 1
            }
        }
        return bytes
    }

    private static func trimmed(_ value: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        var (start, end) = (0, value.count)
        while start < end, isBlank(value[start]) { start += 1 }
        while end > start, isBlank(value[end - 1]) { end -= 1 }
        return UnsafeBufferPointer(rebasing: value[start..<end])
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    private static func lowercased(_ byte: UInt8) -> UInt8 { byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte }
}

/// The properties that a sensor can look for.
enum ObservableProperty {
    case domainName
    case hostname
    case address
    case url
    case emailAddress
    case fileName
    case fileHash(HashAlgorithm)

    /// `nil` for any other path. Object types and property names compare exactly, hash algorithms tolerantly.
    init?(_ path: RawPath, in bytes: UnsafeBufferPointer<UInt8>) {
        guard path.rest.isEmpty, case .key(let key) = path.first else { return nil }
        if let second = path.second {
            guard case .key(let name) = second, !name.hasEscapes, bytes.equals(path.type, "file"),
                bytes.equals(key, "hashes"), let algorithm = HashAlgorithm(tolerant: bytes.content(name))
            else { return nil }
            self = .fileHash(algorithm)
        } else if bytes.equals(key, "value") {
            switch path.type.end - path.type.start {
            case 3 where bytes.equals(path.type, "url"): self = .url
            case 8 where bytes.equals(path.type, "hostname"): self = .hostname
            case 9 where bytes.equals(path.type, "ipv4-addr") || bytes.equals(path.type, "ipv6-addr"): self = .address
            case 10 where bytes.equals(path.type, "email-addr"): self = .emailAddress
            case 11 where bytes.equals(path.type, "domain-name"): self = .domainName
            default: return nil
            }
        } else if bytes.equals(key, "name"), bytes.equals(path.type, "file") {
            self = .fileName
        } else {
            return nil
        }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The bytes of an identifier, or those between the quotes of a string.
    func content(_ token: PatternToken) -> UnsafeBufferPointer<UInt8> {
        let isQuoted = token.kind == .string
        return UnsafeBufferPointer(
            rebasing: self[(token.start + (isQuoted ? 1 : 0))..<(token.end - (isQuoted ? 1 : 0))])
    }

    func equals(_ token: PatternToken, _ text: StaticString) -> Bool {
        guard !token.hasEscapes else { return false }
        let content = content(token)
        return content.count == text.utf8CodeUnitCount
            && content.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
