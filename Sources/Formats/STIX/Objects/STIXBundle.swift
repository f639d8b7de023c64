// SPDX-License-Identifier: Apache-2.0

import Base
public import JSON

/// Objects that travel together. Each id is there once: a later object of the same id is left out, and the order of
/// arrival stays.
public struct STIXBundle: Sendable, Hashable {
    /// `bundle--<UUID>`
    public let id: String
    public private(set) var objects: [STIXObject] = []
    private var ids: Set<String> = []

    public init(id: String) { self.id = id }

    /// A bundle with a random id (UUIDv4), as bundles have no identity of their own.
    public init(random: inout some RandomNumberGenerator) {
        let high: UInt64 = random.next()
        let low: UInt64 = random.next()
        let uuid = Digest128(high: high & ~0xF000 | 0x4000, low: low & ~(0b11 << 62) | 0b10 << 62)
        self.init(id: "bundle--" + uuid.uuidDescription)
    }

    public func contains(id: String) -> Bool { ids.contains(id) }

    /// - Returns: whether the object is new.
    @discardableResult
    public mutating func append(_ object: STIXObject) -> Bool {
        guard ids.insert(object.id).inserted else { return false }
        objects.append(object)
        return true
    }

    public mutating func append(contentsOf objects: some Sequence<STIXObject>) {
        for object in objects { append(object) }
    }

    public var json: JSONValue {
        [
            "type": "bundle", "id": .string(id), "spec_version": "2.1", "objects": .array(objects.map(\.json)),
        ]
    }

    public static func == (left: STIXBundle, right: STIXBundle) -> Bool {
        left.id == right.id && left.objects == right.objects
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(id)
        hasher.combine(objects.count)
    }
}
