// SPDX-License-Identifier: Apache-2.0

import Base
import Rules
import Testing

@Suite("YARA rules") struct YARARulesTests {
    private func problem(_ source: String) -> RuleProblem? {
        do throws(RuleProblem) {
            _ = try YARARules(compiling: source)
            return nil
        } catch { return error }
    }

    // covers: rules:yara-compiled
    @Test func `compile, and tell their names`() throws {
        let source =
            "import \"pe\"\nrule A { strings: $a = \"x\" condition: $a and pe.is_pe }\nprivate rule B { condition: A }"
        #expect(try YARARules(compiling: source).names == ["A", "B"])
    }

    // covers: rules:yara-line
    @Test(arguments: [
        ("rule A {\n  condition:\n    tru\n}", 3, "undefined identifier"),
        ("rule A {\n  condition:\n    true and\n}", 4, "syntax"), ("rule A { condition: $a }", 1, "undefined"),
        ("rule A { condition: true }\n\nrule A { condition: true }", 3, "duplicated"),
        ("rule A {\n strings:\n  $r = /a(/\n condition: $r }", 3, "regular expression"),
    ])
    func `are refused with the line and the compiler's words`(_ source: String, _ line: Int, _ words: String) throws {
        let problem = try #require(self.problem(source))
        #expect(problem.kind == .syntax)
        #expect(problem.line.map { abs($0 - line) <= 1 } ?? false, "\(problem)")
        #expect(problem.message.contains(words), "\(problem)")
    }

    // covers: rules:yara-include
    @Test func `may not include`() {
        #expect(problem("include \"/etc/passwd\"\nrule A { condition: true }")?.kind == .include)
    }

    // covers: rules:yara-bounds, rules:empty
    @Test func `are bounded and not empty`() {
        #expect(problem("")?.kind == .empty)
        #expect(problem("// nothing\n")?.kind == .empty)
        #expect(problem("rule A { condition: true }" + String(repeating: " ", count: 1 << 20))?.kind == .tooLarge)
        #expect(problem("rule A { condition: true }\u{0}")?.kind == .syntax)
    }
}

@Suite("Sigma rules") struct SigmaRuleTests {
    private static let good = """
        title: Encoded PowerShell
        id: 6b6f2b1c-0f39-4a1b-8f0e-6d0b0a9c1d11
        logsource:
            product: windows
        detection:
            selection:
                Image|endswith: '\\powershell.exe'
            condition: selection
        """

    private func problem(_ source: String) -> RuleProblem? {
        do throws(RuleProblem) {
            _ = try SigmaRule(reading: source)
            return nil
        } catch { return error }
    }

    // covers: rules:sigma-read
    @Test func `give title and id`() throws {
        let rule = try SigmaRule(reading: Self.good)
        #expect(rule.title == "Encoded PowerShell")
        #expect(rule.id == "6b6f2b1c-0f39-4a1b-8f0e-6d0b0a9c1d11")
    }

    // covers: rules:sigma-fields
    @Test(arguments: ["title", "logsource", "detection"])
    func `need their fields`(_ field: String) {
        let source = Self.good.replacing(field + ":", with: "other_\(field):")
        #expect(problem(source)?.kind == .missingField)
        #expect(problem(source)?.message.contains(field) == true)
    }

    // covers: rules:sigma-condition
    @Test func `need a condition and a selection`() {
        #expect(problem(Self.good.replacing("    condition: selection", with: ""))?.kind == .missingField)
        #expect(
            problem("title: x\nlogsource:\n    product: a\ndetection:\n    condition: s\n")?.kind == .missingField)
    }

    // covers: rules:sigma-yaml, rules:empty
    @Test(arguments: [("", RuleProblem.Kind.empty), ("- a\n- b", .syntax), ("title: 'x\n", .syntax)])
    func `are YAML`(_ source: String, _ kind: RuleProblem.Kind) { #expect(problem(source)?.kind == kind) }
}
