// SPDX-License-Identifier: Apache-2.0

import JSON

/// Something that Falcon is told or asked to do about a sample.
enum Effect: Sendable, Hashable {
    /// One comment and perhaps a status, for alerts that get the same. `kind` is part of the keys.
    case alertUpdate(ids: [String], comment: String, status: String?, kind: String)
    case createIndicators([TriageIndicator], description: String)
    /// `release` or `unrelease`
    case quarantineUpdate(ids: [String], action: String, comment: String)
    case contain([String], note: String)
    case createCase(TriageCase, key: EffectKey)

    /// One key for each thing that it does.
    var keys: [EffectKey] {
        switch self {
        case .alertUpdate(let ids, _, _, let kind): ids.map { EffectKey("\(kind):\($0)") }
        case .createIndicators(let indicators, _): indicators.map(\.key)
        case .quarantineUpdate(let ids, _, _): ids.map { EffectKey("quarantine:\($0)") }
        case .contain(let ids, _): ids.map { EffectKey("contain:\($0)") }
        case .createCase(_, let key): [key]
        }
    }

    /// The part whose keys pass; `nil` when none does.
    func part(_ passes: (EffectKey) -> Bool) -> Effect? {
        func chosen<Element>(_ elements: [Element]) -> [Element]? {
            let kept = zip(elements, keys).filter { passes($0.1) }.map(\.0)
            return kept.isEmpty ? nil : kept
        }
        return switch self {
        case .alertUpdate(let ids, let comment, let status, let kind):
            chosen(ids).map { .alertUpdate(ids: $0, comment: comment, status: status, kind: kind) }
        case .createIndicators(let indicators, let text):
            chosen(indicators).map { .createIndicators($0, description: text) }
        case .quarantineUpdate(let ids, let action, let comment):
            chosen(ids).map { .quarantineUpdate(ids: $0, action: action, comment: comment) }
        case .contain(let ids, let note): chosen(ids).map { .contain($0, note: note) }
        case .createCase(_, let key): passes(key) ? self : nil
        }
    }
}

/// A case about a sample, of either API.
struct TriageCase: Sendable, Hashable {
    let api: TriagePolicy.CaseAPI
    /// `title` or `name`: by it a case is found again.
    let title: String
    /// The JSON body of the call.
    let request: JSONValue
}
