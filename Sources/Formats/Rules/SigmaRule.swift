// SPDX-License-Identifier: Apache-2.0

import Base
import Settings

/// A Sigma rule as far as a console must be able to read it: one YAML document with the fields that every rule has.
///
/// Source: `SigmaHQ/sigma-specification: specification/sigma-rules-specification.md` (title, logsource and detection with
/// a condition are mandatory); HarfangLab ↔ OpenCTI, 1.4 (`invalid_sigma_content`).
public struct SigmaRule: Sendable, Hashable {
    public let title: String
    /// The rule's own id; the console refuses a second rule with the same one.
    public let id: String?

    /// - Throws: the first complaint, with its line.
    public init(reading source: String) throws(RuleProblem) {
        let document = YAMLReader.read(Array(source.utf8), file: "rule", limits: YAMLLimits())
        if let problem = document.problems.first(where: { $0.severity == .error }) {
            throw RuleProblem(.syntax, language: "Sigma", line: problem.location?.line, problem.what.withoutFullStop)
        }
        guard let root = document.root, !root.isNull else {
            throw RuleProblem(.empty, language: "Sigma", "it holds no rule")
        }
        guard root.members != nil else {
            throw RuleProblem(.syntax, language: "Sigma", line: root.location.line, "it is no mapping of fields")
        }
        func missing(_ field: String, _ line: Int?) -> RuleProblem {
            RuleProblem(.missingField, language: "Sigma", line: line, "“\(field)” is missing or empty")
        }
        guard let title = root["title"]?.text, !title.isEmpty else { throw missing("title", nil) }
        guard let logsource = root["logsource"], logsource.members?.isEmpty == false else {
            throw missing("logsource", root["logsource"]?.location.line)
        }
        guard let detection = root["detection"], let parts = detection.members, !parts.isEmpty else {
            throw missing("detection", root["detection"]?.location.line)
        }
        guard let condition = detection["condition"], !condition.isNull else {
            throw missing("detection.condition", detection.location.line)
        }
        guard parts.contains(where: { $0.key != "condition" && $0.key != "timeframe" && !$0.value.isNull }) else {
            throw missing("a selection below detection", detection.location.line)
        }
        self.title = title
        id = root["id"]?.text
    }
}

extension YAMLNode {
    fileprivate var text: String? { if case .scalar(let text, isNull: false) = content { text } else { nil } }
}

extension String {
    fileprivate var withoutFullStop: String { hasSuffix(".") ? String(dropLast()) : self }
}
