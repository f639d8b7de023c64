// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// A field of a request: left out, null, or given.
enum Given<Value: Sendable>: Sendable {
    case absent
    case null
    case value(Value)

    var value: Value? { if case .value(let value) = self { value } else { nil } }
    var isAbsent: Bool { if case .absent = self { true } else { false } }
}

/// Why one item is refused.
struct Refusal: Error, Sendable {
    let message: String
    init(_ message: String) { self.message = message }
}

/// One item of a create or update request, its types checked, its rules not yet.
struct IOCDraft: Sendable {
    var id: String?
    var type: Given<String> = .absent
    var value: Given<String> = .absent
    var action: Given<IOCAction> = .absent
    var mobileAction: Given<IOCAction> = .absent
    var severity: Given<IOCSeverity> = .absent
    var source: Given<String> = .absent
    var description: Given<String> = .absent
    var expiration: Given<Int64> = .absent
    var isGlobal: Given<Bool> = .absent
    var platforms: Given<IOCPlatforms> = .absent
    /// A JSON array of text.
    var tags: Given<[UInt8]> = .absent
    /// A JSON array of text.
    var hostGroups: Given<[UInt8]> = .absent
    var hostGroupCount = 0
    var filename: Given<String> = .absent
    /// Bookkeeping that only seeded IOCs bring.
    var bookkeeping = Bookkeeping()

    struct Bookkeeping: Sendable {
        var createdBy: String?
        var modifiedBy: String?
        var createdOn: Int64?
        var modifiedOn: Int64?
        var isDeleted = false
    }

    init() {}

    /// - Parameter isSeed: whether ids and bookkeeping are taken over, as a test loads them.
    init(_ item: JSONElement, isSeed: Bool = false) throws(Refusal) {
        guard item.kind == .object else { throw Refusal("each indicator must be an object") }
        var failure: Refusal?
        item.forEachMember { name, element in
            guard failure == nil else { return }
            do throws(Refusal) { try take(name, element, isSeed) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private mutating func take(_ name: UnsafeBufferPointer<UInt8>, _ element: JSONElement, _ isSeed: Bool)
        throws(Refusal)
    {
        switch String(decoding: name, as: UTF8.self) {
        case "id": id = element.string
        case "type": type = try Self.text("type", element)
        case "value": value = try Self.text("value", element)
        case "action": action = try Self.choice("action", element) { IOCAction($0) }
        case "mobile_action":
            mobileAction = try Self.choice("mobile_action", element) { $0 == "prevent_no_ui" ? nil : IOCAction($0) }
        case "severity": severity = try Self.choice("severity", element) { IOCSeverity($0) }
        case "source":
            source = try Self.text("source", element)
            if (source.value?.unicodeScalars.count ?? 0) > 256 { throw Refusal("source is longer than 256 characters") }
        case "description": description = try Self.text("description", element)
        case "expiration": expiration = try Self.time("expiration", element)
        case "applied_globally":
            guard element.isNull || element.bool != nil else { throw Refusal("applied_globally must be a boolean") }
            isGlobal = element.bool.map { .value($0) } ?? .null
        case "platforms": platforms = try Self.platforms(element)
        case "tags": (tags, _) = try Self.list("tags", element) { !$0.isEmpty }
        case "host_groups":
            (hostGroups, hostGroupCount) = try Self.list("host_groups", element) { $0.utf8.count == 32 && $0.isHex }
        case "metadata":
            guard element.isNull || element.kind == .object else { throw Refusal("metadata must be an object") }
            if let name = element["filename"] { filename = try Self.text("metadata.filename", name) }
        case "created_by" where isSeed: bookkeeping.createdBy = element.string
        case "modified_by" where isSeed: bookkeeping.modifiedBy = element.string
        case "created_on" where isSeed: bookkeeping.createdOn = try Self.time("created_on", element).value
        case "modified_on" where isSeed: bookkeeping.modifiedOn = try Self.time("modified_on", element).value
        case "deleted" where isSeed: bookkeeping.isDeleted = element.bool ?? false
        default: break  // The service ignores what it does not know.
        }
    }

    private static func text(_ name: String, _ element: JSONElement) throws(Refusal) -> Given<String> {
        if element.isNull { return .null }
        guard let text = element.string else { throw Refusal("\(name) must be a string") }
        return .value(text)
    }

    private static func choice<Value>(
        _ name: String, _ element: JSONElement, _ read: (String) -> Value?
    ) throws(Refusal) -> Given<Value> {
        guard let text = try text(name, element).value, !text.isEmpty else { return .null }
        guard let value = read(text) else { throw Refusal("invalid \(name): '\(text)'") }
        return .value(value)
    }

    private static func time(_ name: String, _ element: JSONElement) throws(Refusal) -> Given<Int64> {
        guard let text = try text(name, element).value, !text.isEmpty else { return .null }
        // RFC 3339 wants the time zone; a date alone is taken too (Falcon API, 4.1).
        let hasZone = text.utf8.count == 10 || text.hasSuffix("Z") || text.dropFirst(19).contains { "+-".contains($0) }
        guard hasZone, let moment = Instant(parsing: text) else { throw Refusal("invalid \(name): '\(text)'") }
        return .value(moment.milliseconds)
    }

    private static func platforms(_ element: JSONElement) throws(Refusal) -> Given<IOCPlatforms> {
        if element.isNull { return .null }
        guard element.kind == .array else { throw Refusal("platforms must be a list") }
        var platforms: IOCPlatforms = []
        var unknown: String?
        element.forEachElement { item in
            if let name = item.string, let platform = IOCPlatforms(name) {
                platforms.formUnion(platform)
            } else {
                unknown = item.string ?? item.value.text
            }
        }
        if let unknown { throw Refusal("invalid platform: '\(unknown)'") }
        return .value(platforms)
    }

    private static func list(
        _ name: String, _ element: JSONElement, _ isValid: (String) -> Bool
    ) throws(Refusal) -> (Given<[UInt8]>, Int) {
        if element.isNull { return (.null, 0) }
        guard element.kind == .array else { throw Refusal("\(name) must be a list") }
        var writer = JSONWriter()
        var count = 0
        var isBroken = false
        writer.beginArray()
        element.forEachElement { item in
            guard let text = item.string, isValid(text) else {
                isBroken = true
                return
            }
            writer.string(text)
            count += 1
        }
        writer.endArray()
        if isBroken { throw Refusal("\(name) holds an invalid entry") }
        return (.value(count == 0 ? [] : writer.bytes), count)
    }
}

extension String {
    var isHex: Bool { utf8.allSatisfy { Hex.nibble($0) != nil } }
}
