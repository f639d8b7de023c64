// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import Testing

@Suite("Falcon base URL") struct FalconAddressTests {
    // covers: falcon:clouds, key:CROWDSTRIKE_API_BASE_URL
    @Test(arguments: [
        ("https://api.crowdstrike.com", "https://api.crowdstrike.com"),
        ("https://api.crowdstrike.com/", "https://api.crowdstrike.com"),
        ("https://API.EU-1.CrowdStrike.com:443//", "https://api.eu-1.crowdstrike.com"),
        ("api.us-2.crowdstrike.com", "https://api.us-2.crowdstrike.com"),
        ("US1", "https://api.crowdstrike.com"), ("us-2", "https://api.us-2.crowdstrike.com"),
        ("us3", "https://api.us-3.crowdstrike.com"), (" eu1 ", "https://api.eu-1.crowdstrike.com"),
        ("USGOV1", "https://api.laggar.gcw.crowdstrike.com"), ("gov1", "https://api.laggar.gcw.crowdstrike.com"),
        ("us-gov-2", "https://api.us-gov-2.crowdstrike.mil"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"), ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:9", "http://[::1]:9"), ("https://gateway.example/falcon/", "https://gateway.example/falcon"),
    ])
    func `accepts the usual spellings`(text: String, expected: String) throws {
        #expect(try FalconAddress(text).description == expected)
    }

    // covers: falcon:no-leak, key:CROWDSTRIKE_API_BASE_URL
    @Test(arguments: [
        "", "us-9", "ftp://api.crowdstrike.com", "http://api.crowdstrike.com", "https://", "https://:443",
        "https://user:secret@api.crowdstrike.com", "https://api.crowdstrike.com?x=1", "https://api.crowdstrike.com#x",
        "https://api.crowdstrike.com:0", "https://api.crowdstrike.com:x", "https://a b.example",
        "http://127.0.0.1.example", "http://1270.0.0.1",
    ])
    func `refuses what would leak the secret or reach nobody`(text: String) {
        let error = #expect(throws: FalconError.self) { try FalconAddress(text) }
        #expect(error?.code == "falcon.configuration")
        #expect(error?.description.contains("secret@") == false)
    }

    @Test func `knows the clouds by host`() throws {
        #expect(try FalconAddress("https://api.eu-1.crowdstrike.com").cloud == .eu1)
        #expect(try FalconAddress("http://127.0.0.1:8080").cloud == nil)
    }
}

@Suite("Falcon credentials") struct FalconCredentialsTests {
    @Test(arguments: ["", "ChangeMe", "CHANGEME"]) func `refuse placeholders`(text: String) {
        #expect(throws: FalconError.self) { try FalconCredentials(clientID: text, clientSecret: .init("x")) }
        #expect(throws: FalconError.self) { try FalconCredentials(clientID: "x", clientSecret: .init(text)) }
    }

    // covers: falcon:member-cid, key:CROWDSTRIKE_MEMBER_CID
    @Test func `strip the checksum of a member CID`() throws {
        let cid = "0123456789ABCDEF0123456789abcdef"
        #expect(
            try FalconCredentials(clientID: "x", clientSecret: .init("y"), memberCID: cid + "-A1").memberCID
                == cid.lowercased())
        #expect(try FalconCredentials(clientID: "x", clientSecret: .init("y"), memberCID: "").memberCID == nil)
        for wrong in ["123", cid + "-", cid + "-A", cid + "A1", String(cid.dropLast()) + "g"] {
            #expect(throws: FalconError.self) {
                try FalconCredentials(clientID: "x", clientSecret: .init("y"), memberCID: wrong)
            }
        }
    }
}
