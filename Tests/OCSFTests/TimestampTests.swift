// SPDX-License-Identifier: Apache-2.0

import OCSF
import Testing

@Suite("OCSF timestamps") struct TimestampTests {
    // covers: ocsf:timestamps
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0.0), ("2025-01-02T03:04:05.678901Z", 1_735_787_045.678901),
        ("2024-07-01T12:00:00.123456789Z", 1_719_835_200.123456), ("2026-02-14", 1_771_027_200.0),
        ("2026-02-14T06:56:00.250+01:00", 1_771_048_560.25), ("2026-02-14T06:56:00", 1_771_052_160.0),
        ("20260214T065600Z", 1_771_052_160.0), ("2026-02-14 06:56:00-0230", 1_771_061_160.0),
        ("2026-02", 1_769_904_000.0), ("2026", 1_767_225_600.0), ("2026-W07-6", 1_771_027_200.0),
        ("2026-045", 1_771_027_200.0), ("2026-02-13T24:00:00Z", 1_771_027_200.0),
        ("1969-12-31T23:59:59.5Z", -0.5), ("2024-02-29T00Z", 1_709_164_800.0),
    ])
    func `reads what isoparse reads`(_ text: String, _ seconds: Double) {
        #expect(Timestamp(parsing: text)?.seconds == seconds)
    }

    @Test(arguments: [
        "", "not a date", "202", "202602", "2026-13-01", "2025-02-29", "2026-02-14T", "2026-02-14T25:00:00Z",
        "2026-02-14T06:60:00Z", "2026-02-14T06:56:00.Z", "2026-02-14T06:56:00Zulu", "2026-02-14T24:00:01Z",
        "2026-W54", "2026-02-14T06:56:00+1", " 2026-02-14", "0000-01-01",
    ])
    func `refuses what isoparse refuses`(_ text: String) { #expect(Timestamp(parsing: text) == nil) }

    @Test func `cuts to whole seconds downwards`() {
        #expect(Timestamp(microseconds: 1_999_999).wholeSeconds == Timestamp(microseconds: 1_000_000))
        #expect(Timestamp(microseconds: -500_000).wholeSeconds == Timestamp(microseconds: -1_000_000))
        #expect(Timestamp(microseconds: 2_000_000).wholeSeconds == Timestamp(microseconds: 2_000_000))
    }
}
