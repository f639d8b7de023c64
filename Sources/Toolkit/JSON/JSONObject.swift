// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// The members of an object in their order. Names compare byte for byte, not by Unicode equivalence.
///
/// A name may occur twice, as in the source text; then the last one counts, as in Python. A look-up walks the members: fine for
/// the dozens that messages have; build a dictionary for thousands.
public struct JSONObject: Sendable, Hashable, Sequence, ExpressibleByDictionaryLiteral {
    public typealias Member = (key: String, value: JSONValue)

    private var members: [Member]

    public init() { members = [] }

    public init(_ members: some Sequence<Member>) { self.members = Array(members) }

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        members = elements.map { (key: $0.0, value: $0.1) }
    }

    /// The last member of that name. Setting replaces its value in place or adds it at the end; setting `nil` removes each of
    /// that name.
    public subscript(key: String) -> JSONValue? {
        get { lastIndex(of: key).map { members[$0].value } }
        set {
            guard let newValue else { return members.removeAll { $0.key.isSame(as: key) } }
            if let index = lastIndex(of: key) { members[index].value = newValue } else { append(key, newValue) }
        }
    }

    /// Adds a member at the end, also when the name is there already.
    public mutating func append(_ key: String, _ value: JSONValue) { members.append((key, value)) }

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }
    public var keys: [String] { members.map(\.key) }

    public func makeIterator() -> IndexingIterator<[Member]> { members.makeIterator() }

    private func lastIndex(of key: String) -> Int? { members.lastIndex { $0.key.isSame(as: key) } }

    // MARK: Equality: the order does not matter, and of a repeated name only the last counts

    /// Each name once with its last value, sorted by the bytes of the name.
    var settled: [Member] {
        guard members.count > 1 else { return members }
        let order = members.indices.sorted { left, right in
            let (first, second) = (members[left].key, members[right].key)
            return first.isSame(as: second) ? left < right : first.utf8.lexicographicallyPrecedes(second.utf8)
        }
        var result: [Member] = []
        result.reserveCapacity(order.count)
        for index in order {
            if let last = result.last, last.key.isSame(as: members[index].key) { result.removeLast() }
            result.append(members[index])
        }
        return result
    }

    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        let isSame: (Member, Member) -> Bool = { $0.key.isSame(as: $1.key) && $0.value == $1.value }
        return left.members.elementsEqual(right.members, by: isSame)
            || left.settled.elementsEqual(right.settled, by: isSame)
    }

    public func hash(into hasher: inout Hasher) {
        for member in settled {
            member.key.hashBytes(into: &hasher)
            hasher.combine(member.value)
        }
        hasher.combine(-1)
    }
}

extension String {
    /// Byte for byte: Swift's `==` holds "é" in its two Unicode spellings equal, JSON does not (RFC 8259, 8.3).
    @inline(__always)
    func isSame(as other: String) -> Bool { utf8.count == other.utf8.count && hasBytes(of: other) }

    /// - Parameter other: one of the same length.
    private func hasBytes(of other: String) -> Bool {
        let isSame = utf8.withContiguousStorageIfAvailable { own in
            other.utf8.withContiguousStorageIfAvailable { its -> Bool in
                guard let left = own.baseAddress, let right = its.baseAddress else { return true }
                return memcmp(left, right, own.count) == 0
            }
        }
        return isSame.flatMap { $0 } ?? utf8.elementsEqual(other.utf8)
    }

    func hashBytes(into hasher: inout Hasher) {
        for byte in utf8 { hasher.combine(byte) }
        hasher.combine(UInt8.max)
    }
}
