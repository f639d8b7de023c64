// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import JSON
import STIX

/// The indicator types that Falcon takes.
enum IOCType: UInt8, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    case domain = 1
    case ipv4 = 2
    case ipv6 = 3
    case md5 = 4
    case sha256 = 5

    init?(_ type: ObservableType) {
        switch type {
        case .domainName, .hostname: self = .domain
        case .ipv4Address: self = .ipv4
        case .ipv6Address: self = .ipv6
        case .fileHash(.md5): self = .md5
        case .fileHash(.sha256): self = .sha256
        default: return nil
        }
    }

    init?(named name: String) {
        guard let type = Self.allCases.first(where: { $0.description == name }) else { return nil }
        self = type
    }

    var description: String {
        switch self {
        case .domain: "domain"
        case .ipv4: "ipv4"
        case .ipv6: "ipv6"
        case .md5: "md5"
        case .sha256: "sha256"
        }
    }

    var isHash: Bool { self == .md5 || self == .sha256 }
}

enum IOCAction: UInt8, Sendable, Hashable, CaseIterable, Comparable, CustomStringConvertible {
    // In order of strictness: across flows the strictest stands.
    case allow = 1
    case noAction = 2
    case detect = 3
    case prevent = 4

    init?(named name: String) {
        guard let action = Self.allCases.first(where: { $0.description == name }) else { return nil }
        self = action
    }

    var description: String {
        switch self {
        case .allow: "allow"
        case .noAction: "no_action"
        case .detect: "detect"
        case .prevent: "prevent"
        }
    }

    static func < (left: IOCAction, right: IOCAction) -> Bool { left.rawValue < right.rawValue }
}

enum IOCSeverity: UInt8, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    case informational = 1
    case low = 2
    case medium = 3
    case high = 4
    case critical = 5

    var description: String {
        switch self {
        case .informational: "informational"
        case .low: "low"
        case .medium: "medium"
        case .high: "high"
        case .critical: "critical"
        }
    }
}

/// Falcon's platforms, in the order in which they are sent.
struct IOCPlatforms: OptionSet, Sendable, Hashable {
    let rawValue: UInt8
    static let windows = IOCPlatforms(rawValue: 1)
    static let mac = IOCPlatforms(rawValue: 2)
    static let linux = IOCPlatforms(rawValue: 4)
    static let android = IOCPlatforms(rawValue: 8)
    static let ios = IOCPlatforms(rawValue: 16)
    static let mobile: IOCPlatforms = [.android, .ios]
    /// Without a word from OpenCTI; never the mobile ones.
    static let standard: IOCPlatforms = [.windows, .mac, .linux]

    static let named: [(IOCPlatforms, StaticString)] = [
        (.windows, "windows"), (.mac, "mac"), (.linux, "linux"), (.android, "android"), (.ios, "ios"),
    ]

    var names: [String] { Self.named.filter { contains($0.0) }.map { $0.1.description } }
}

/// What a custom indicator shall say. The ledger keeps it in a compact form (``encoded``) as a contribution.
struct IOCContent: Sendable, Hashable {
    var type: IOCType
    var value: String
    var action: IOCAction
    /// Not sent with `allow`.
    var severity: IOCSeverity
    /// Empty: whatever it has stays (removals without a platform).
    var platforms: IOCPlatforms
    var description: String
    var expiration: Expiration
    var tags: [String]
    /// Hashes only.
    var fileName: String
    /// Soft delete: tagged `TO_DELETE`, the action kept or disarmed.
    var isMarked = false

    enum Expiration: Sendable, Hashable {
        case none
        case at(Instant)
        /// The one it has stays: a soft delete must not send one that lies in the past.
        case asItIs
    }

    static let deletedTag = "TO_DELETE"
    static let source = "OpenCTI IOC"
    static let comment = "IOC imported from OpenCTI"

    /// Tags in the one order in which contents are compared: Falcon keeps them as a set. Empty ones are refused there.
    static func ordered(_ tags: [String]) -> [String] {
        tags.count > 1 ? Set(tags).subtracting([""]).sorted() : tags.filter { !$0.isEmpty }
    }

    // MARK: The ledger's form

    // version 1 · type · action · severity · platforms · flags · [expiration, 8 bytes] · value · description · file name ·
    // tags, each text led by its length as two bytes.
    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24 + value.utf8.count + description.utf8.count)
        var flags: UInt8 = isMarked ? 1 : 0
        if case .at = expiration { flags |= 2 }
        if case .asItIs = expiration { flags |= 4 }
        bytes.append(contentsOf: [
            1, type.rawValue, action.rawValue, severity.rawValue, platforms.rawValue, flags,
        ])
        if case .at(let instant) = expiration {
            withUnsafeBytes(of: instant.milliseconds.bigEndian) { bytes.append(contentsOf: $0) }
        }
        Self.append(value, to: &bytes)
        Self.append(description, to: &bytes)
        Self.append(fileName, to: &bytes)
        for tag in tags { Self.append(tag, to: &bytes) }
        return bytes
    }

    /// `nil` for bytes that this version did not write.
    init?(encoded bytes: [UInt8]) {
        guard bytes.count >= 6, bytes[0] == 1, let type = IOCType(rawValue: bytes[1]),
            let action = IOCAction(rawValue: bytes[2]), let severity = IOCSeverity(rawValue: bytes[3])
        else { return nil }
        self.type = type
        self.action = action
        self.severity = severity
        platforms = IOCPlatforms(rawValue: bytes[4])
        let flags = bytes[5]
        isMarked = flags & 1 != 0
        var offset = 6
        expiration = flags & 4 != 0 ? .asItIs : .none
        if flags & 2 != 0 {
            guard bytes.count >= offset + 8 else { return nil }
            let milliseconds = bytes.withUnsafeBytes {
                Int64(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: Int64.self))
            }
            expiration = .at(Instant(milliseconds: milliseconds))
            offset += 8
        }
        func next() -> String? {
            guard offset + 2 <= bytes.count else { return nil }
            let length = Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
            guard offset + 2 + length <= bytes.count else { return nil }
            defer { offset += 2 + length }
            return String(decoding: bytes[(offset + 2)..<(offset + 2 + length)], as: UTF8.self)
        }
        guard let value = next(), let description = next(), let fileName = next() else { return nil }
        self.value = value
        self.description = description
        self.fileName = fileName
        tags = []
        while offset < bytes.count {
            guard let tag = next() else { return nil }
            tags.append(tag)
        }
    }

    init(
        type: IOCType, value: String, action: IOCAction, severity: IOCSeverity, platforms: IOCPlatforms,
        description: String, expiration: Expiration, tags: [String], fileName: String
    ) {
        self.type = type
        self.value = value
        self.action = action
        self.severity = severity
        self.platforms = platforms
        self.description = description
        self.expiration = expiration
        self.tags = tags
        self.fileName = fileName
    }

    /// Beyond 65,535 bytes a text is cut at a character's end; Falcon takes far less.
    private static func append(_ text: String, to bytes: inout [UInt8]) {
        var text = Substring(text)
        while text.utf8.count > 0xFFFF { text = text.prefix(text.count / 2) }
        let length = text.utf8.count
        bytes.append(UInt8(length >> 8))
        bytes.append(UInt8(length & 0xFF))
        bytes.append(contentsOf: text.utf8)
    }

    // MARK: Falcon's form

    /// One element of `indicators` of a `POST`. What is not set is left out: a key with null is refused.
    func writeCreate(to writer: inout JSONWriter) {
        writer.beginObject()
        writeAction(to: &writer)
        writer.key("type")
        writer.string(type.description)
        writer.key("value")
        writer.string(value)
        writeCommon(to: &writer)
        if !description.isEmpty {
            writer.key("description")
            writer.string(description)
        }
        if case .at(let instant) = expiration {
            writer.key("expiration")
            writer.string(instant.description)
        }
        if !tags.isEmpty { writeTags(to: &writer) }
        writer.endObject()
    }

    /// One element of `indicators` of a `PATCH`. Omitted fields keep their value, so what is gone is cleared explicitly.
    func writeUpdate(id: String, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("id")
        writer.string(id)
        writeAction(to: &writer)
        writeCommon(to: &writer)
        writer.key("description")
        writer.string(description)
        switch expiration {
        case .at(let instant):
            writer.key("expiration")
            writer.string(instant.description)
        case .none:
            writer.key("expiration")
            writer.null()
        case .asItIs: break
        }
        writeTags(to: &writer)
        writer.endObject()
    }

    private func writeAction(to writer: inout JSONWriter) {
        writer.key("action")
        writer.string(action.description)
        writer.key("mobile_action")
        writer.string(action.description)
    }

    private func writeCommon(to writer: inout JSONWriter) {
        if action != .allow {
            writer.key("severity")
            writer.string(severity.description)
        }
        writer.key("applied_globally")
        writer.bool(true)
        writer.key("source")
        writer.string(Self.source)
        if !platforms.isEmpty {
            writer.key("platforms")
            writer.beginArray()
            for (platform, name) in IOCPlatforms.named where platforms.contains(platform) {
                writer.string(name.description)
            }
            writer.endArray()
        }
        if !fileName.isEmpty, type.isHash {
            writer.key("metadata")
            writer.beginObject()
            writer.key("filename")
            writer.string(fileName)
            writer.endObject()
        }
    }

    private func writeTags(to writer: inout JSONWriter) {
        writer.key("tags")
        writer.beginArray()
        for tag in tags { writer.string(tag) }
        writer.endArray()
    }
}
