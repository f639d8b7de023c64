// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import OpenCTI
import Testing
import Vectors

@Suite("Bundles for the queue") struct BundleTests {
    /// Made by the splitter of pycti 7.260817.0 itself.
    // covers: bus:split
    @Test func `are split as the platform's own library does`() throws {
        let cases = try #require(try JSONValue(parsing: Vectors.data("opencti-bundles.json")).array)
        #expect(cases.count > 60)
        for vector in cases {
            let name = vector["testDescription"]?.string ?? ""
            let result = BundleSplitter.split(
                vector["objects"]?.array ?? [], bundleID: "bundle--11111111-1111-4111-8111-111111111111",
                cleansUp: vector["cleansUp"]?.bool ?? false)
            #expect(Int64(result.bundles.count) == vector["expectations"]?.int, "\(name)")
            #expect(
                result.incompatible.compactMap { $0["id"]?.string }
                    == vector["incompatible"]?.array?.compactMap(\.string), "\(name)")
            #expect(JSONValue.array(result.bundles) == vector["bundles"], "\(name)")
        }
    }

    // covers: bus:message
    @Test func `travel in the original's message`() throws {
        let envelope = BundleEnvelope(applicantID: "user", workID: "work_1", draftID: nil, updates: true)
        let message = try JSONValue(parsing: envelope.message(["type": "bundle", "name": "é"], sequence: 3))
        #expect(message["bundle_type"] == "QUEUE_BUNDLE")
        #expect(message["action_sequence"] == 3)
        #expect(message["update"] == true)
        #expect(message["draft_id"] == .null)
        #expect(message["no_split"] == false)
        #expect(message["work_id"] == "work_1")
        let content = try #require(message["content"]?.string.flatMap { Base64.decode($0) })
        #expect(String(decoding: content, as: UTF8.self) == #"{"type":"bundle","name":"é"}"#)
        let without = try JSONValue(parsing: BundleEnvelope().message([:], sequence: 1))
        #expect(without["work_id"] == nil && without["applicant_id"] == .null)
    }

    // covers: bus:organizations
    @Test func `are shared with whom the entity is shared with, in either form`() {
        let octi = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"
        let object: JSONObject = [
            "extensions": .object(JSONObject([(key: octi, value: ["granted_refs": ["a"]] as JSONValue)]))
        ]
        let extended = OrganizationSharing.sharing(object, with: ["a", "b"])
        #expect(extended["extensions"]?[octi]?["granted_refs"] == ["a", "b"])
        #expect(OrganizationSharing.sharing([:], with: ["b"])["x_opencti_granted_refs"] == ["b"])
        #expect(OrganizationSharing.sharing([:], with: []).isEmpty)
    }
}
