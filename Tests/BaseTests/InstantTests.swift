// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@Suite("Instants") struct InstantTests {
    @Test(arguments: [
        ("1970-01-01", "1970-01-01T00:00:00.000Z"), ("2024-02-29T23:59:59.999Z", "2024-02-29T23:59:59.999Z"),
        ("2027-04-29T12:33:20.098765+02:00", "2027-04-29T10:33:20.098Z"),
        ("2025-01-02 03:04", "2025-01-02T03:04:00.000Z"),
        ("2025-01-02t03:04:05z", "2025-01-02T03:04:05.000Z"), ("2025-01-02T03:04:05-0130", "2025-01-02T04:34:05.000Z"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z"), ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
    ])
    func `reads and writes`(_ text: String, _ expected: String) {
        #expect(Instant(parsing: text)?.description == expected)
    }

    @Test(arguments: [
        "", "2025", "2025-13-01", "2025-02-29", "2025-01-02T", "2025-01-02T25:00:00Z", "2025-01-02T03:04:05.Z",
        "2025-01-02T03:04:05ZZ", "x",
    ])
    func `refuses`(_ text: String) { #expect(Instant(parsing: text) == nil) }

    @Test func `every day of 800 years survives the round trip`() {
        for day in stride(from: Int64(-146_097), to: 146_097, by: 1) {
            let instant = Instant(milliseconds: day * 86_400_000 + 1)
            #expect(Instant(parsing: instant.description) == instant)
        }
    }
}
