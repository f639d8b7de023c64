// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// What the service refuses (Falcon API, 4.1, and `strict_body_schema` of the contract).
struct IOCRules: Sendable {
    /// Falcon for Mobile is licensed: `android` and `ios` are allowed.
    var allowsMobile = false
    /// Whether an expiration in the past is refused; what the service does is not known.
    var refusesPastExpiration = false

    /// A row's fields that a create gives, or the reason against them.
    func check(create draft: IOCDraft, at now: Int64) throws(Refusal) -> (type: IOCType, value: String) {
        guard let typeName = draft.type.value, !typeName.isEmpty else { throw Refusal("type is required") }
        guard let type = IOCType(typeName) else { throw Refusal("invalid type: '\(typeName)'") }
        guard let value = draft.value.value, !value.isEmpty else { throw Refusal("value is required") }
        guard Self.isValid(value, as: type) else { throw Refusal("invalid value for type '\(typeName)': '\(value)'") }
        guard let isGlobal = draft.isGlobal.value else { throw Refusal("applied_globally is required") }
        guard isGlobal || draft.hostGroupCount > 0 else {
            throw Refusal("host_groups is required when applied_globally is false")
        }
        guard let platforms = draft.platforms.value, !platforms.isEmpty else {
            throw Refusal("at least one platform is required")
        }
        let action = draft.action.value ?? .noAction
        try check(action, draft.severity.value ?? .unset, platforms, for: type)
        if action == .allow, draft.severity.value != nil {
            throw Refusal("severity must not be given for action 'allow'")
        }
        try check(draft, at: now, type)
        return (type, value)
    }

    /// Applies an update to a copy of a row, or says what is against it.
    func check(update draft: IOCDraft, of row: IOCRow, groups: Int, at now: Int64) throws(Refusal) -> IOCRow {
        var row = row
        switch draft.action {
        case .value(let action): row.action = action
        case .null: throw Refusal("invalid action: ''")
        case .absent: break
        }
        switch draft.severity {
        case .value(let severity): row.severity = severity
        case .null: row.severity = .unset
        case .absent: if row.action == .allow { row.severity = .unset }
        }
        if case .value(let action) = draft.mobileAction { row.mobileAction = action }
        if case .value(let isGlobal) = draft.isGlobal { row.isGlobal = isGlobal }
        if case .value(let platforms) = draft.platforms {
            guard !platforms.isEmpty else { throw Refusal("at least one platform is required") }
            row.platforms = platforms
        }
        if !row.isGlobal, draft.hostGroups.isAbsent ? groups == 0 : draft.hostGroupCount == 0 {
            throw Refusal("host_groups is required when applied_globally is false")
        }
        try check(row.action, row.severity, row.platforms, for: row.type)
        try check(draft, at: now, row.type)
        switch draft.expiration {
        case .value(let moment): row.expiration = moment
        case .null: row.expiration = .max
        case .absent: break
        }
        return row
    }

    private func check(
        _ action: IOCAction, _ severity: IOCSeverity, _ platforms: IOCPlatforms, for type: IOCType
    ) throws(Refusal) {
        if action.isForHashesOnly, !type.isHash {
            throw Refusal("action '\(action.name)' is not allowed for type '\(type.name)'")
        }
        if action.needsSeverity, severity == .unset {
            throw Refusal("severity is required for action '\(action.name)'")
        }
        if !allowsMobile, !platforms.isDisjoint(with: .mobile) {
            throw Refusal("platforms android and ios need a Falcon for Mobile licence")
        }
    }

    private func check(_ draft: IOCDraft, at now: Int64, _ type: IOCType) throws(Refusal) {
        if let filename = draft.filename.value, !filename.isEmpty, !type.isHash {
            throw Refusal("metadata.filename is not allowed for type '\(type.name)'")
        }
        if refusesPastExpiration, let moment = draft.expiration.value, moment <= now {
            throw Refusal("expiration is in the past")
        }
    }

    static func isValid(_ value: String, as type: IOCType) -> Bool {
        let count = value.utf8.count
        switch type {
        case .md5: return count == 32 && value.isHex
        case .sha256: return count == 64 && value.isHex
        case .domain:
            guard (1...200).contains(count) else { return false }
            return value.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
        case .ipv4:
            var address = in_addr()
            return inet_pton(AF_INET, value, &address) == 1
        case .ipv6:
            var address = in6_addr()
            return inet_pton(AF_INET6, value, &address) == 1
        }
    }
}
