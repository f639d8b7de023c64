// SPDX-License-Identifier: Apache-2.0

/// What names an IOC at a target: its type and its canonical value.
struct IOCKey: Sendable, Hashable, Comparable {
    enum Kind: String, Sendable, CaseIterable {
        case domain, ipv4, ipv6, sha256, md5
    }
    let kind: Kind
    let value: String

    init(_ kind: Kind, _ value: String) {
        self.kind = kind
        self.value = value
    }

    static func < (left: IOCKey, right: IOCKey) -> Bool {
        left.kind == right.kind ? left.value < right.value : left.kind.rawValue < right.kind.rawValue
    }
}
