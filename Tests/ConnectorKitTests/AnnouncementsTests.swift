// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConnectorKit

@Suite("Announcements of bundles") struct AnnouncementsTests {
    private struct Lost: Error {}

    // covers: bus:announce-once
    @Test func `another try of a bundle is not announced again, another bundle is`() async throws {
        let announcements = Announcements()
        var calls = 0
        func announce(_ bundle: String, _ work: String, fails: Bool = false) async throws -> Bool {
            try await announcements.announce(bundle, to: work) {
                calls += 1
                if fails { throw Lost() }
                return true
            }
        }
        await #expect(throws: Lost.self) { try await announce("a", "w", fails: true) }
        #expect(try await announce("a", "w") && calls == 2)
        // The queue was away.
        #expect(try await announce("a", "w") && calls == 2)
        // The work was deleted meanwhile: the next one knows nothing of it.
        #expect(try await announce("a", "v") && calls == 3)
        #expect(try await announce("b", "v") && calls == 4)
        announcements.sent("a")
        #expect(try await announce("a", "v") && calls == 5)
    }

    // covers: bus:announce-once
    @Test func `a work that is gone takes nothing`() async throws {
        #expect(try await !Announcements().announce("a", to: "w") { false })
    }
}
