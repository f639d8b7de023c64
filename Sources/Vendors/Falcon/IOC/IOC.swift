// SPDX-License-Identifier: Apache-2.0

public import Base
import JSON

/// What identifies a custom indicator and tells whose it is. Source: Falcon API surface, 4.1.
public struct IOCRow: Sendable, Hashable {
    /// 64 hexadecimal digits.
    public let id: String
    /// `md5`, `sha256`, `domain`, `ipv4`, `ipv6`.
    public let type: String
    public let value: String
    /// An API client's id, or a person's mail address or UUID.
    public let createdBy: String
    /// Deleted indicators can still be found.
    public let isDeleted: Bool
    /// After its end an indicator stays, with action `no_action`.
    public let isExpired: Bool

    init?(_ element: JSONElement) {
        guard let id = element["id"]?.string, !id.isEmpty else { return nil }
        self.id = id
        type = element["type"]?.string ?? ""
        value = element["value"]?.string ?? ""
        createdBy = element["created_by"]?.string ?? ""
        isDeleted = element["deleted"]?.bool ?? false
        isExpired = element["expired"]?.bool ?? false
    }
}

/// A whole custom indicator.
public struct IOC: Sendable, Hashable {
    public let row: IOCRow
    public let action: String
    public let mobileAction: String
    /// Empty when unset.
    public let severity: String
    public let source: String
    public let description: String
    public let platforms: [String]
    public let tags: [String]
    public let hostGroups: [String]
    public let isAppliedGlobally: Bool
    public let expiration: Instant?
    public let fileName: String?
    public let createdOn: Instant?
    public let modifiedOn: Instant?
    public let modifiedBy: String

    init?(_ element: JSONElement) {
        guard let row = IOCRow(element) else { return nil }
        self.row = row
        func text(_ key: StaticString) -> String { element[key]?.string ?? "" }
        func texts(_ key: StaticString) -> [String] {
            var texts: [String] = []
            element[key]?.forEachElement { if let text = $0.string { texts.append(text) } }
            return texts
        }
        func instant(_ key: StaticString) -> Instant? { element[key]?.withUTF8 { Instant(parsing: $0) } ?? nil }
        action = text("action")
        mobileAction = text("mobile_action")
        severity = text("severity")
        source = text("source")
        description = text("description")
        platforms = texts("platforms")
        tags = texts("tags")
        hostGroups = texts("host_groups")
        isAppliedGlobally = element["applied_globally"]?.bool ?? false
        expiration = instant("expiration")
        fileName = element["metadata"]?["filename"]?.string
        createdOn = instant("created_on")
        modifiedOn = instant("modified_on")
        modifiedBy = text("modified_by")
    }
}

/// A page of a search with a cursor.
public struct FalconPage<Row: Sendable>: Sendable {
    public let rows: [Row]
    /// Where the next page begins. The last page, which is empty, still has one: stop when ``rows`` is empty.
    public let after: String?
    /// Counts deleted entries too: never a proof that something exists.
    public let total: Int64?
}

/// What a write answered: partial success is normal.
public struct IOCReply: Sendable {
    /// What was created or changed, to be matched with what was sent by type and value.
    public let rows: [IOCRow]
    /// Refusals of single items and warnings.
    public let errors: [FalconMessage]
    public let traceID: String?
}

/// The body of a create or update, filled object by object while translating.
///
/// `{"comment": …, "indicators": […]}`
public struct IOCBatch: Sendable {
    private var writer: JSONWriter
    public private(set) var count = 0

    /// - Parameters:
    ///   - comment: for the tenant's audit log.
    ///   - capacity: bytes to reserve.
    public init(comment: String, reserving capacity: Int = 64 << 10) {
        writer = JSONWriter(reserving: capacity)
        writer.beginObject()
        writer.key("comment")
        writer.string(comment)
        writer.key("indicators")
        writer.beginArray()
    }

    public var isEmpty: Bool { count == 0 }
    /// Bytes written so far.
    public var byteCount: Int { writer.bytes.count }

    /// One indicator as a rendered JSON object, which goes out as it is.
    public mutating func append(_ object: [UInt8]) {
        writer.raw(object)
        count += 1
    }

    /// The same from bytes that lie elsewhere.
    public mutating func append(_ object: UnsafeRawBufferPointer) {
        writer.raw(object)
        count += 1
    }

    consuming func body() -> [UInt8] {
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }
}
