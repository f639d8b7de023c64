// SPDX-License-Identifier: Apache-2.0

public import Base
import CIDN2

/// A fully qualified host name in its canonical ASCII form, so that every spelling of a name gives one key.
///
/// Reading undoes the defanged dot `[.]`, lower-cases, drops one trailing dot and turns Unicode labels into punycode
/// (UTS #46, non-transitional, without the STD3 rules so that `_` survives). What is left must be two or more labels of
/// 1–63 characters `a–z 0–9 _ -` that neither begin nor end with a hyphen, the last one not a number: single-label names
/// and IP addresses are no domain names. Names that arrive in ASCII are not checked against IDNA tables: what resolves
/// may stand.
///
/// Source: OpenCTI → Falcon, 7 “Values”.
public struct DomainName: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Lower-case ASCII without trailing dot.
    public let ascii: String

    /// What DNS carries at most, written as text (RFC 1035, 2.3.4).
    public static let maxBytes = 253

    /// - Parameter maxBytes: the longest canonical form accepted, for targets that take less than DNS.
    public init(parsing text: some StringProtocol, maxBytes: Int = maxBytes) throws(DomainNameError) {
        let result =
            text.utf8.withContiguousStorageIfAvailable { Self.canonical($0, maxBytes: maxBytes) }
            ?? Array(text.utf8).withUnsafeBufferPointer { Self.canonical($0, maxBytes: maxBytes) }
        ascii = try result.get()
    }

    /// The same over UTF-8 bytes.
    public init(parsing bytes: UnsafeBufferPointer<UInt8>, maxBytes: Int = maxBytes) throws(DomainNameError) {
        ascii = try Self.canonical(bytes, maxBytes: maxBytes).get()
    }

    public var description: String { ascii }

    public static func < (left: DomainName, right: DomainName) -> Bool { left.ascii < right.ascii }

    private static func canonical(
        _ bytes: UnsafeBufferPointer<UInt8>, maxBytes: Int
    ) -> Result<String, DomainNameError> {
        // Four bytes a character: nothing longer can become a valid name.
        guard bytes.count <= 4 * Self.maxBytes else { return .failure(.tooLong(limit: maxBytes)) }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: bytes.count + 1) { name in
            var count = 0
            var isASCII = true
            var index = 0
            while index < bytes.count {
                let byte = bytes[index]
                if byte == UInt8(ascii: "["), index + 2 < bytes.count, bytes[index + 1] == UInt8(ascii: "."),
                    bytes[index + 2] == UInt8(ascii: "]")
                {
                    name[count] = UInt8(ascii: ".")
                    index += 2
                } else {
                    name[count] = byte &- 65 < 26 ? byte | 0x20 : byte
                    if byte >= 0x80 { isASCII = false }
                }
                count += 1
                index += 1
            }
            if isASCII {
                return checked(UnsafeBufferPointer(rebasing: name[..<count]), maxBytes: maxBytes)
            }
            // The C function stops at a NUL, which no name may contain.
            guard !name[..<count].contains(0) else { return .failure(.invalidCharacter("\0")) }
            name[count] = 0
            return name.withMemoryRebound(to: CChar.self) { name in
                guard let start = name.baseAddress else { return .failure(.empty) }
                var output: UnsafeMutablePointer<CChar>?
                let flags = Int32(IDN2_NONTRANSITIONAL.rawValue | IDN2_NFC_INPUT.rawValue)
                let status = idn2_to_ascii_8z(start, &output, flags)
                defer { idn2_free(output) }
                guard status == IDN2_OK.rawValue, let output else {
                    return .failure(.notIDNA(String(cString: idn2_strerror(status))))
                }
                return String(cString: output).withUTF8Bytes { checked($0, maxBytes: maxBytes) }
            }
        }
    }

    private static func checked(
        _ name: UnsafeBufferPointer<UInt8>, maxBytes: Int
    ) -> Result<String, DomainNameError> {
        let name = name.last == UInt8(ascii: ".") ? UnsafeBufferPointer(rebasing: name.dropLast()) : name
        if name.isEmpty { return .failure(.empty) }
        var labelStart = 0
        var labels = 0
        for end in 0...name.count {
            if end < name.count {
                let byte = name[end]
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
                    UInt8(ascii: "-"):
                    continue
                case UInt8(ascii: "."): break
                default: return .failure(.invalidCharacter(Character(Unicode.Scalar(byte))))
                }
            }
            let length = end - labelStart
            if length == 0 { return .failure(.emptyLabel) }
            if length > 63 { return .failure(.labelTooLong) }
            if name[labelStart] == UInt8(ascii: "-") || name[end - 1] == UInt8(ascii: "-") {
                return .failure(.hyphenAtEdge)
            }
            labels += 1
            if end < name.count { labelStart = end + 1 }
        }
        if name[labelStart...].allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) { return .failure(.numericTopLabel) }
        if labels < 2 { return .failure(.singleLabel) }
        if name.count > maxBytes { return .failure(.tooLong(limit: maxBytes)) }
        return .success(String(decoding: name, as: UTF8.self))
    }
}

extension String {
    fileprivate func withUTF8Bytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        var copy = self
        return copy.withUTF8(body)
    }
}

/// Why a text is no domain name.
public enum DomainNameError: ActionableError, Hashable {
    case empty
    case emptyLabel
    case singleLabel
    case numericTopLabel
    case hyphenAtEdge
    case labelTooLong
    case tooLong(limit: Int)
    case invalidCharacter(Character)
    /// Unicode that UTS #46 refuses, with libidn2's reason.
    case notIDNA(String)

    public var code: ErrorCode { "domain.invalid" }
    public var isRetryable: Bool { false }
    public var description: String {
        switch self {
        case .empty: "The domain name is empty."
        case .emptyLabel: "The domain name has an empty label: two dots in a row, or one at the start."
        case .singleLabel: "The name has a single label, so it is no fully qualified domain name."
        case .numericTopLabel: "The last label is a number, so this is an address or no domain name."
        case .hyphenAtEdge: "A label of the domain name begins or ends with a hyphen."
        case .labelTooLong: "A label of the domain name is longer than 63 characters."
        case .tooLong(let limit): "The domain name is longer than \(limit) characters."
        case .invalidCharacter(let character):
            "The domain name contains \(String(reflecting: String(character))), which no domain name may."
        case .notIDNA(let reason): "The domain name can't be written in ASCII (IDNA): \(reason)."
        }
    }
}
