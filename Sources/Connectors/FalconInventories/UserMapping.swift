// SPDX-License-Identifier: Apache-2.0

import Falcon
import JSON
import OCSF

/// People as OCSF's “User Inventory Info”. Source: Sekoia.io module, 3.4 and 3.5.
enum UserMapping {
    /// A user of a directory.
    static func event(_ user: IdentityUser) -> InventoryEvent {
        let first = user.accounts.first
        let entity = filled(user.entityID)
        let name =
            user.hasPrimaryName ? user.primaryName ?? filled(first?.samAccountName) ?? entity ?? "Unknown" : ""
        var mapped = User(uid: entity ?? "Unknown", name: name)
        mapped.fullName = filled(trimmed(user.secondaryName.map { "\(name) \($0)" } ?? name))
        mapped.email = user.emailAddresses.first
        mapped.domain = first?.domain
        mapped.riskScore = score(user.riskScore)
        mapped.riskLevel = level(user.riskSeverity)
        mapped.kind = user.roles.contains { $0.uppercased().contains("ADMIN") } ? .admin : .user
        var enrichments: [Enrichment] = []
        if let first {
            let kind = kind(first)
            mapped.account = Account(
                name: filled(first.samAccountName) ?? name,
                uid: filled(first.objectSID) ?? filled(first.objectGUID) ?? mapped.uid, kind: kind)
            let data: JSONObject = first.isEnabled.map { ["is_enabled": .bool($0)] } ?? [:]
            enrichments = [Enrichment(name: "account_details", value: kind.caption, data: data)]
        }
        return InventoryEvent(.user(mapped), time: seconds(user.creationTime), enrichments: enrichments)
    }

    /// A user of the console. `nil` without an id.
    static func event(_ user: ConsoleUser) -> InventoryEvent? {
        guard let uuid = filled(user.uuid) else { return nil }
        let (first, last) = (user.firstName ?? "", user.lastName ?? "")
        var mapped = User(uid: uuid, name: first.lowercased() + "." + last.lowercased())
        mapped.fullName = first + " " + last
        mapped.email = filled(user.login) ?? "Unknown"
        mapped.hasMFA = user.hasFactors
        mapped.account = Account(name: mapped.name, uid: uuid, kind: .other)
        var data: JSONObject = ["is_enabled": .bool(user.status == "active")]
        if let login = user.lastLogin { data["last_logon"] = .string(login) }
        // Compat: the blank belongs to the original's name.
        return InventoryEvent(
            .user(mapped), time: seconds(user.createdAt),
            enrichments: [Enrichment(name: "login ", value: "infos", data: data)])
    }

    private static func kind(_ account: IdentityUser.Account) -> Account.Kind {
        let source = (account.dataSource ?? "").uppercased()
        if source.contains("ACTIVE_DIRECTORY") || account.hasObjectSID { return .ldap }
        return source.contains("AZURE") ? .azureAD : .other
    }

    /// Of a hundred, halves away from zero; what is out of bounds is cut to them.
    private static func score(_ risk: Double?) -> Int {
        guard let risk, risk.isFinite else { return 0 }
        return Int(max(0, min(100, (risk * 100).rounded())))
    }

    private static func level(_ severity: String?) -> User.RiskLevel? {
        switch severity?.uppercased() {
        case "CRITICAL": .critical
        case "HIGH": .high
        case "MEDIUM": .medium
        case "LOW": .low
        case "INFO": .info
        default: nil
        }
    }

    private static func seconds(_ text: String?) -> Timestamp {
        text.flatMap { Timestamp(parsing: $0) }?.wholeSeconds ?? .zero
    }

    private static func filled(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }

    private static func trimmed(_ text: String) -> String {
        String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
