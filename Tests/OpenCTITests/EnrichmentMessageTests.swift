// SPDX-License-Identifier: Apache-2.0

import Base
import Hashing
import JSON
import OpenCTI
import Testing

private let work = "work_6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11_2025-01-02T03:04:05.000Z"

private func message(_ text: String) throws(EnrichmentMessageError) -> EnrichmentMessage {
    try EnrichmentMessage(parsing: Array(text.utf8))
}

@Suite("Enrichment messages") struct EnrichmentMessageTests {
    // covers: bus:message-6-8
    @Test func `of 6.8 and later carry the entity as text`() throws {
        let read = try message(
            #"{"internal":{"work_id":"\#(work)","applicant_id":null,"draft_id":"d1","trigger":"create","mode":"auto"},"#
                + #""event":{"event_type":"INTERNAL_ENRICHMENT","entity_id":"ipv4-addr--1","entity_type":"IPv4-Addr","#
                + #""stix_entity":"{\"id\":\"ipv4-addr--1\",\"type\":\"ipv4-addr\"}","stix_objects":null,"#
                + #""validation_mode":"draft","force_validation":true},"configuration":{"a":1}}"#)
        #expect(read.entityID == "ipv4-addr--1" && read.entityType == "IPv4-Addr")
        #expect(read.entity?["type"] == "ipv4-addr")
        #expect(read.objects == nil && read.playbook == nil)
        #expect(read.workID == work && read.draftID == "d1" && read.trigger == "create")
        #expect(read.validation == .draft && read.forcesValidation)
        #expect(read.configuration?["a"] == 1)
        #expect(read.asked == Instant(parsing: "2025-01-02T03:04:05Z"))
    }

    // covers: bus:message-5
    @Test func `of 5 and 6.0 to 6.7 only name the entity`() throws {
        let read = try message(#"{"internal":{"work_id":"w","applicant_id":"u"},"event":{"entity_id":"x"}}"#)
        #expect(read.entity == nil && read.entityType == nil && read.applicantID == "u")
        #expect(read.asked == nil)
    }

    // covers: bus:message-playbook
    @Test func `of a playbook carry a bundle and the step`() throws {
        let read = try message(
            #"{"internal":{"work_id":null,"playbook":{"event_id":"e","execution_id":"x","playbook_id":"p","#
                + #""data_instance_id":"i","step_id":"s","previous_step_id":"q"},"applicant_id":"u"},"#
                + #""event":{"entity_id":"a--1","bundle":{"type":"bundle","objects":[{"id":"b--1"},{"id":"a--1"}]}}}"#)
        #expect(read.playbook?.executionID == "x" && read.playbook?.eventID == "e")
        #expect(read.entity?["id"] == "a--1" && read.objects?.count == 2)
        #expect(read.workID == nil)
    }

    // covers: bus:malformed
    @Test(arguments: [
        "", "{", "[]", "7", #"{"event":{}}"#, #"{"internal":{}}"#, #"{"event":{"entity_id":""}}"#,
        #"{"event":{"entity_id":"a","stix_entity":"{"}}"#,
        #"{"internal":{"playbook":{}},"event":{"entity_id":"a","bundle":{"objects":[]}}}"#,
        #"{"internal":{"playbook":{}},"event":{"entity_id":"a"}}"#,
    ])
    func `that make no sense are refused with a reason`(text: String) {
        #expect(throws: EnrichmentMessageError.self) { try message(text) }
    }

    @Test func `name their work even when they are no JSON`() {
        #expect(EnrichmentMessage.workID(in: Array(#"{"internal":{"work_id": "\#(work)","app"#.utf8)) == work)
        #expect(EnrichmentMessage.workID(in: Array(#"{"work_id":null}"#.utf8)) == nil)
        #expect(EnrichmentMessage.workID(in: Array(#"{"work_id":"work_1"#.utf8)) == nil)
        #expect(EnrichmentMessage.workID(in: []) == nil)
    }
}

@Suite("Tokens of callbacks") struct CallbackTokenTests {
    private static func part(_ json: JSONValue) -> String { urlSafe(json.bytes) }
    private static func urlSafe(_ bytes: [UInt8]) -> String {
        Base64.encode(bytes).replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    private let key = SigningKey()
    private let now = Instant(milliseconds: 1_700_000_000_000)
    private var keySet: String {
        #"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","alg":"EdDSA","x":"\#(Self.urlSafe(key.publicBytes))"}]}"#
    }

    private func token(
        _ header: JSONValue = ["alg": "EdDSA", "kid": "k1"],
        _ claims: JSONValue = ["iss": "opencti", "sub": "connector", "exp": 1_700_000_060], by signer: SigningKey? = nil
    ) -> String {
        let text = Self.part(header) + "." + Self.part(claims)
        return "Bearer " + text + "." + Self.urlSafe((signer ?? key).signature(over: Array(text.utf8)))
    }

    // covers: bus:callback-token
    @Test func `that the platform signed are accepted until they expire`() {
        let check = CallbackToken(keySet: keySet) { Secret("ours") }
        #expect(check.isSigned)
        #expect(check.accepts(token(), at: now))
        #expect(!check.accepts(token(), at: now.advanced(by: .seconds(61))))
        #expect(!check.accepts(token(by: SigningKey()), at: now))
        #expect(!check.accepts(token(["alg": "EdDSA", "kid": "other"]), at: now))
        #expect(!check.accepts(token(["alg": "none", "kid": "k1"]), at: now))
        #expect(!check.accepts(token(["alg": "HS256", "kid": "k1"]), at: now))
        #expect(!check.accepts(token(["alg": "EdDSA", "kid": "k1"], ["iss": "x", "sub": "connector"]), at: now))
        #expect(!check.accepts(token(["alg": "EdDSA", "kid": "k1"], ["iss": "opencti", "sub": "x"]), at: now))
        // Our own token opens nothing where the platform signs.
        #expect(!check.accepts("Bearer ours", at: now))
        #expect(!check.accepts(token() + "x", at: now))
        #expect(!check.accepts(String(token().dropLast(2)), at: now))
    }

    @Test func `of platforms that sign nothing are our own`() {
        let check = CallbackToken(keySet: nil) { Secret("ours") }
        #expect(check.accepts("Bearer ours", at: now) && check.accepts("bearer ours", at: now))
        for wrong in [nil, "", "ours", "Bearer", "Bearer our", "Bearer ours2", "Basic ours", "Bearer ours x"] {
            #expect(!check.accepts(wrong, at: now), "\(wrong ?? "nil")")
        }
        #expect(!CallbackToken(keySet: nil) { Secret("") }.accepts("Bearer ", at: now))
    }

    /// RFC 7515, A.2 (RS256) and A.3 (ES256).
    @Test func `are checked by RSA and elliptic keys too`() throws {
        let n =
            "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
        let e = try #require(Base64.decode("AQAB"))
        let modulus = try #require(Base64.decode(n))
        let rsa = try #require(PublicKey(rsaModulus: modulus, exponent: e))
        let text =
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        let signature = try #require(
            Base64.decode(
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
            ))
        #expect(rsa.verifies(signature, over: Array(text.utf8), by: .rs256))
        #expect(!rsa.verifies(signature, over: Array(text.utf8), by: .rs512))
        #expect(!rsa.verifies(signature, over: Array((text + "x").utf8), by: .rs256))
        #expect(!rsa.verifies(signature, over: Array(text.utf8), by: .es256))
        let x = try #require(Base64.decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"))
        let y = try #require(Base64.decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"))
        let ec = try #require(PublicKey(curve: "P-256", x: x, y: y))
        let signed =
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        let proof = try #require(
            Base64.decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"))
        #expect(ec.verifies(proof, over: Array(signed.utf8), by: .es256))
        #expect(!ec.verifies(Array(proof.reversed()), over: Array(signed.utf8), by: .es256))
        #expect(PublicKey(curve: "P-256", x: x, y: x) == nil)
        #expect(PublicKey(rsaModulus: [1, 2, 3], exponent: e) == nil)
    }
}
