// SPDX-License-Identifier: Apache-2.0

public import JSON

/// A person who may sign in to the console. Source: Falcon API surface, 12; Sekoia.io module, 3.5.
public struct ConsoleUser: Sendable, Hashable {
    public var uuid: String?
    /// What they sign in with, a mail address.
    public var login: String?
    public var firstName: String?
    public var lastName: String?
    public var status: String?
    public var hasFactors: Bool
    public var createdAt: String?
    public var lastLogin: String?

    public init(_ element: JSONElement) {
        uuid = element["uuid"]?.string
        login = element["uid"]?.string
        firstName = element["first_name"]?.string
        lastName = element["last_name"]?.string
        status = element["status"]?.string
        hasFactors = element["factors"]?[0] != nil
        createdAt = element["created_at"]?.string
        lastLogin = element["last_login_at"]?.string
    }
}

/// A user of a directory, as Identity Protection knows them. Source: Sekoia.io module, 3.4.
public struct IdentityUser: Sendable, Hashable {
    public struct Account: Sendable, Hashable {
        public var dataSource: String?
        public var domain: String?
        public var samAccountName: String?
        public var objectSID: String?
        /// The member is there, whatever it holds: so it is a descriptor of Active Directory.
        public var hasObjectSID: Bool
        public var objectGUID: String?
        public var isEnabled: Bool?

        init(_ element: JSONElement) {
            dataSource = element["dataSource"]?.string
            domain = element["domain"]?.string
            samAccountName = element["samAccountName"]?.string
            objectSID = element["objectSid"]?.string
            hasObjectSID = element["objectSid"] != nil
            objectGUID = element["objectGuid"]?.string
            isEnabled = element["enabled"]?.bool
        }
    }

    public var entityID: String?
    public var primaryName: String?
    /// The member is there, if only as null.
    public var hasPrimaryName: Bool
    public var secondaryName: String?
    public var creationTime: String?
    /// 0 to 1.
    public var riskScore: Double?
    public var riskSeverity: String?
    public var accounts: [Account] = []
    public var emailAddresses: [String] = []
    public var roles: [String] = []

    public init(_ element: JSONElement) {
        entityID = element["entityId"]?.string
        primaryName = element["primaryDisplayName"]?.string
        hasPrimaryName = element["primaryDisplayName"] != nil
        secondaryName = element["secondaryDisplayName"]?.string
        creationTime = element["creationTime"]?.string
        riskScore = element["riskScore"]?.double
        riskSeverity = element["riskScoreSeverity"]?.string
        element["accounts"]?.forEachElement { if $0.kind == .object { accounts.append(Account($0)) } }
        element["emailAddresses"]?.forEachElement { if let text = $0.string { emailAddresses.append(text) } }
        element["roles"]?.forEachElement { if let type = $0["type"]?.string { roles.append(type) } }
    }
}
