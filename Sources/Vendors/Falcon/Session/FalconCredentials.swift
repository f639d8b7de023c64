// SPDX-License-Identifier: Apache-2.0

public import Base

/// An API client of a Falcon tenant.
public struct FalconCredentials: Sendable {
    /// 32 hexadecimal digits. Also the `created_by` of everything this client creates.
    public let clientID: String
    /// Asked for each token, so that a secret file read again after a refusal takes effect.
    public let clientSecret: @Sendable () -> Secret
    /// The child tenant that tokens are for, 32 lower-case hexadecimal digits; `nil` for the client's own tenant.
    public let memberCID: String?

    /// - Parameter memberCID: with or without its checksum suffix (`-XX`), any case.
    /// - Throws: ``FalconError/configuration(_:)`` for an empty id or secret, a placeholder, or a CID of another form.
    public init(
        clientID: String, clientSecret: @escaping @Sendable () -> Secret, memberCID: String? = nil
    ) throws(FalconError) {
        guard !Self.isPlaceholder(clientID) else {
            throw .configuration("The Falcon client id is not set. Give it as `crowdstrike.client_id`.")
        }
        guard !Self.isPlaceholder(clientSecret().reveal()) else {
            throw .configuration("The Falcon client secret is not set. Give it as `crowdstrike.client_secret`.")
        }
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.memberCID = try memberCID.flatMap { text throws(FalconError) in try Self.cid(text) }
    }

    public init(clientID: String, clientSecret: Secret, memberCID: String? = nil) throws(FalconError) {
        try self.init(clientID: clientID, clientSecret: { clientSecret }, memberCID: memberCID)
    }

    /// Whether a text is a customer id: 32 hexadecimal digits, with or without the checksum suffix.
    public static func isCID(_ text: String) -> Bool { (try? cid(text)) != nil }

    private static func isPlaceholder(_ text: String) -> Bool { text.isEmpty || text.lowercased() == "changeme" }

    private static func cid(_ text: String) throws(FalconError) -> String? {
        if text.isEmpty { return nil }
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts[0].utf8.count == 32, parts[0].allSatisfy({ $0.isASCII && $0.isHexDigit }),
            parts.count == 1 || parts[1].utf8.count == 2
        else {
            throw .configuration("The member CID must be 32 hexadecimal digits, with or without its suffix “-XX”.")
        }
        return parts[0].lowercased()
    }
}
