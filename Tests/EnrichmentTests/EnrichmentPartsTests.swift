// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import OpenCTI
import STIX
import Storage
import Testing

@testable import ConnectorKit

@Suite("Parts of enrichment") struct EnrichmentPartsTests {
    private let time = Instant(milliseconds: 1_700_000_000_000)

    private func request(_ entity: JSONObject, markings: [Marking] = []) throws -> EnrichmentRequest {
        EnrichmentRequest(
            entityID: "x", entityType: "IPv4-Addr", entity: try #require(STIXObject(entity)), markings: markings,
            time: time)
    }

    // covers: bus:entity-forms
    @Test func `an attribute is found in either form of the entity`() throws {
        let extended = try request([
            "type": "ipv4-addr", "id": "ipv4-addr--1",
            "extensions": [
                "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba": ["id": "internal", "type": "IPv4-Addr"],
                "extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82": ["score": 80, "description": .null],
            ], "x_opencti_description": "flat",
        ])
        #expect(extended.attribute("score") == 80)
        #expect(extended.attribute("description") == "flat")
        #expect(extended.attribute("type") == "IPv4-Addr" && extended.attribute("id") == "internal")
        let flat = try request(["type": "ipv4-addr", "id": "ipv4-addr--1", "x_opencti_score": 5, "value": "v"])
        #expect(flat.attribute("score") == 5 && flat.attribute("value") == "v")
        #expect(flat.attribute("type") == nil && flat.attribute("id") == nil)
    }

    // covers: bus:tlp
    @Test func `the most restrictive marking counts, and an unknown level is the strictest`() throws {
        func level(_ names: String...) throws -> TLP? {
            try request(
                ["type": "a", "id": "a--1"],
                markings: names.map {
                    Marking(standardID: "m", type: $0.hasPrefix("PAP") ? "PAP" : "TLP", definition: $0)
                }
            ).tlp
        }
        #expect(try level() == nil)
        #expect(try level("PAP:RED") == nil)
        #expect(try level("TLP:RED", "TLP:GREEN") == .red)
        #expect(try level("TLP:GREEN", "TLP:AMBER+STRICT", "TLP:AMBER") == .amberStrict)
        #expect(try level("TLP:WHITE") == .clear)
        #expect(try level("TLP:PINK") == .red)
    }

    // covers: bus:jobs
    @Test func `a job's pause grows to half an hour`() {
        #expect(EnrichmentJobs.pause(after: 1) == .seconds(30))
        #expect(EnrichmentJobs.pause(after: 2) == .seconds(60))
        #expect(EnrichmentJobs.pause(after: 7) == .seconds(1800))
        #expect(EnrichmentJobs.pause(after: 1000) == .seconds(1800))
    }

    // covers: bus:redelivery
    @Test func `a message that comes again is neither done twice nor left with the broker`() async {
        let register = ParcelRegister()
        func parcel(_ number: UInt64, again: Bool) -> EnrichmentParcel {
            EnrichmentParcel(
                origin: .job(
                    Job(
                        runner: "r", id: "\(number)", flow: 1, step: "", due: time, attempts: 0, payload: [],
                        created: time)), body: [], digest: Digest128(high: 0, low: number), mayBeRepeated: again,
                deliveryCount: 0, received: time, holdUntil: .zero)
        }
        #expect(await register.enter(parcel(1, again: false)) == .begin)
        #expect(await register.enter(parcel(1, again: true)) == .inWork)
        _ = await register.leave(parcel(1, again: false), isDone: true)
        #expect(await register.enter(parcel(1, again: true)) == .ended)
        // The same request asked for anew is a new one.
        #expect(await register.enter(parcel(1, again: false)) == .begin)
        _ = await register.leave(parcel(1, again: false), isDone: false)
        #expect(await register.enter(parcel(2, again: true)) == .begin)
    }

    // covers: bus:directory
    @Test func `files are named as the original names them`() {
        let file = BundleFile(
            connector: ConnectorProfile(id: "i", name: "My Feed", kind: .externalImport), validates: false)
        #expect(file.name(at: time, count: 3) == "my_feed-20231114-221320-1700000000.0003.json")
    }

    // covers: bus:s3
    @Test func `a listing of a bucket is read`() {
        let xml =
            "<r><Contents><Key>a&amp;b</Key><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
            + "<Contents><Key>c</Key></Contents><NextContinuationToken>t</NextContinuationToken></r>"
        #expect(BundleBucket.elements("Contents", in: xml).count == 2)
        #expect(BundleBucket.elements("Key", in: xml) == ["a&b", "c"])
        #expect(BundleBucket.elements("NextContinuationToken", in: xml) == ["t"])
        #expect(BundleBucket.elements("Key", in: "<Key>open").isEmpty)
    }
}
