// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import Testing

@Suite("Falcon query language") struct FQLTests {
    @Test func `writes clauses as the vendor's samples do`() throws {
        let filter =
            try FQL.exact(.type, "sha256") && FQL.any(.value, ["a", "b"]) && FQL.exact(.createdBy, "c")
            && .flag(.deleted, false)
        #expect(filter.text == "type:'sha256'+value:['a','b']+created_by:'c'+deleted:false")
        #expect(filter.propertyCount == 4)
    }

    @Test func `groups alternatives within conjunctions`() throws {
        let filter = try (FQL.exact(.type, "md5") || FQL.exact(.type, "domain")) && FQL.flag(.expired, true)
        #expect(filter.text == "(type:'md5',type:'domain')+expired:true")
        let nested = try FQL.flag(.expired, true) && FQL.exact(.type, "md5") || FQL.exact(.type, "domain")
        #expect(nested.text == "expired:true+type:'md5',type:'domain'")
    }

    // covers: falcon:fql, bug:4
    @Test(arguments: ["", "a'", "a\"", "a\\", "a\n", "a\u{7F}", "x'+deleted:true+value:'"])
    func `refuses values that could change the filter`(value: String) {
        #expect(throws: FQL.Refusal.self) { try FQL.exact(.value, value) }
        #expect(throws: FQL.Refusal.self) { try FQL.any(.value, ["ok", value]) }
    }

    // covers: falcon:fql
    @Test func `escapes free text`() throws {
        #expect(try FQL.text(.source, #"it's C:\x"#, .textMatch).text == #"source:~'it\'s C:\\x'"#)
        #expect(throws: FQL.Refusal.self) { try FQL.text(.source, "") }
        #expect(throws: FQL.Refusal.self) { try FQL.text(.source, "a\u{0}b") }
    }

    @Test func `writes dates, numbers and comparisons`() {
        let instant = Instant(milliseconds: 1_767_225_600_123)
        #expect(FQL.date(.expiration, .less, instant).text == "expiration:<'2026-01-01T00:00:00Z'")
        #expect(FQL.number(.init("severity_number"), .greaterOrEqual, 70).text == "severity_number:>=70")
    }

    @Test func `knows when everything it matches has a named creator`() throws {
        let mine = try FQL.exact(.createdBy, "c")
        let all = FQL.flag(.expired, true)
        #expect(mine.isBoundToCreators)
        #expect((mine && all).isBoundToCreators)
        #expect((all && (mine || mine)).isBoundToCreators)
        #expect(!(mine || all).isBoundToCreators)
        #expect(!(all && (mine || all)).isBoundToCreators)
        #expect(try !FQL.text(.createdBy, "c", .notEqual).isBoundToCreators)
    }

    @Test func `counts properties and is refused beyond twenty`() async throws {
        var filter = FQL.flag(.deleted, false)
        for _ in 0..<20 { filter = filter && .flag(.expired, true) }
        let tenant = try Tenant()
        await #expect(throws: FalconError.self) { _ = try await tenant.client.searchIOCs(filter) }
        #expect(tenant.transport.requests.isEmpty)
    }
}
