// SPDX-License-Identifier: Apache-2.0

import JSON

/// OCSF's object `user`.
public struct User: Sendable, Hashable {
    public enum Kind: Int, Sendable {
        case unknown = 0
        case user
        case admin
        case system
        case other = 99

        public var caption: String {
            switch self {
            case .unknown: "Unknown"
            case .user: "User"
            case .admin: "Admin"
            case .system: "System"
            case .other: "Other"
            }
        }
    }

    public enum RiskLevel: Int, Sendable, CaseIterable {
        case info = 0
        case low
        case medium
        case high
        case critical

        public var caption: String {
            switch self {
            case .info: "Info"
            case .low: "Low"
            case .medium: "Medium"
            case .high: "High"
            case .critical: "Critical"
            }
        }
    }

    public var uid: String
    public var name: String
    public var kind: Kind?
    public var fullName: String?
    public var email: String?
    public var domain: String?
    public var account: Account?
    /// 0 to 100.
    public var riskScore: Int?
    public var riskLevel: RiskLevel?
    public var hasMFA: Bool?

    public init(uid: String, name: String) {
        self.uid = uid
        self.name = name
    }

    var problems: [String] {
        var problems: [String] = []
        if uid.isEmpty { problems.append("user.uid: is empty") }
        if let account, account.uid.isEmpty { problems.append("user.account.uid: is empty") }
        return problems
    }

    func write(_ form: InventoryEvent.Form, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("has_mfa", hasMFA)
        writer.member("name", name)
        writer.member("uid", uid)
        if let account {
            writer.key("account")
            writer.beginObject()
            writer.member("name", account.name)
            writer.member("type_id", account.kind.rawValue)
            writer.member("type", account.kind.caption)
            writer.member("uid", account.uid)
            writer.endObject()
        }
        writer.member("full_name", fullName)
        writer.member("email_addr", email)
        writer.member("domain", domain)
        if let riskLevel {
            writer.member("risk_level", riskLevel.caption)
            writer.member("risk_level_id", riskLevel.rawValue)
        }
        if let riskScore { writer.member("risk_score", riskScore) }
        if let kind = kind ?? (form == .strict ? .unknown : nil) {
            writer.member("type_id", kind.rawValue)
            writer.member("type", kind.caption)
        }
        writer.endObject()
    }
}

/// OCSF's object `account`.
public struct Account: Sendable, Hashable {
    public enum Kind: Int, Sendable, CaseIterable {
        case unknown = 0
        case ldap = 1
        case windows = 2
        case gcp = 5
        case azureAD = 6
        case macOS = 7
        case apple = 8
        case linux = 9
        case aws = 10
        case gcpProject = 11
        case ociCompartment = 12
        case azureSubscription = 13
        case salesforce = 14
        case googleWorkspace = 15
        case serviceNow = 16
        case m365Tenant = 17
        case email = 18
        case other = 99

        public var caption: String {
            switch self {
            case .unknown: "Unknown"
            case .ldap: "LDAP Account"
            case .windows: "Windows Account"
            case .gcp: "GCP Account"
            case .azureAD: "Azure AD Account"
            case .macOS: "Mac OS Account"
            case .apple: "Apple Account"
            case .linux: "Linux Account"
            case .aws: "AWS Account"
            case .gcpProject: "GCP Project"
            case .ociCompartment: "OCI Compartment"
            case .azureSubscription: "Azure Subscription"
            case .salesforce: "Salesforce Account"
            case .googleWorkspace: "Google Workspace"
            case .serviceNow: "Servicenow Instance"
            case .m365Tenant: "M365 Tenant"
            case .email: "Email Account"
            case .other: "Other"
            }
        }
    }

    public var name: String
    public var uid: String
    public var kind: Kind

    public init(name: String, uid: String, kind: Kind) {
        self.name = name
        self.uid = uid
        self.kind = kind
    }
}
