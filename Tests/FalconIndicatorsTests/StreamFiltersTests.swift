// SPDX-License-Identifier: Apache-2.0

import Engine
import JSON
import OpenCTI
import Testing

@testable import ConnectorKit
@testable import FalconIndicators

@Suite("A live stream's filters") struct StreamFiltersTests {
    typealias Filter = FilterGroup.Filter
    static let indicator = Filter(["entity_type"], values: ["Indicator"])
    static let stix = Filter(["pattern_type"], values: ["stix"])
    static let live = Filter(["revoked"], values: ["false"])

    /// Verdicts on entity type, pattern type and revoked.
    private func verdicts(_ group: FilterGroup) -> [CheckLine.Verdict] {
        FalconIndicatorsConnector.filters.judge(group).map(\.verdict)
    }

    // covers: cli:check
    @Test func `are right as the documentation has them`() {
        let right = FilterGroup(filters: [Self.indicator, Self.stix, Self.live])
        #expect(verdicts(right) == [.ok, .ok, .ok])
        let nested = FilterGroup(filters: [Self.indicator], groups: [FilterGroup(filters: [Self.stix, Self.live])])
        #expect(verdicts(nested) == [.ok, .ok, .ok])
        let oldForm = FilterGroup(
            parsing: #"{"entity_type":[{"id":"Indicator"}],"pattern_type":[{"id":"stix"}],"revoked":[{"id":"false"}]}"#)
        #expect(oldForm.map(verdicts) == [.ok, .ok, .ok])
    }

    @Test func `are warned of where they let too much through`() {
        #expect(verdicts(FilterGroup()) == [.warning, .warning, .warning])
        let wide = Filter(["entity_type"], values: ["Indicator", "Malware"])
        #expect(verdicts(FilterGroup(filters: [wide, Self.stix])) == [.warning, .ok, .warning])
        let either = FilterGroup(mode: .or, filters: [Self.indicator, Self.stix])
        #expect(verdicts(either) == [.warning, .warning, .warning])
        let negated = Filter(["revoked"], values: ["true"], op: "not_eq")
        #expect(verdicts(FilterGroup(filters: [Self.indicator, Self.stix, negated])) == [.ok, .ok, .warning])
    }

    @Test func `are a problem where nothing of use comes through`() {
        let malware = Filter(["entity_type"], values: ["Malware"])
        let yara = Filter(["pattern_type"], values: ["yara"])
        let revoked = Filter(["revoked"], values: ["true"])
        #expect(verdicts(FilterGroup(filters: [malware, yara, revoked])) == [.problem, .problem, .problem])
        let never = FilterGroup(filters: [Self.indicator, malware])
        #expect(FalconIndicatorsConnector.filters.judge(never).first?.text.contains("never true") == true)
        for line in FalconIndicatorsConnector.filters.judge(never) where line.verdict == .problem {
            #expect(line.isRemote)
        }
    }

    @Test func `may be unreadable`() {
        #expect(FalconIndicatorsConnector.filters.judge(nil).map(\.verdict) == [.warning])
    }
}
