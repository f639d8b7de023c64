// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import sallyport

@Suite("Reference") struct ReferenceTests {
    @Test func `names every command, setting and metric`() throws {
        let pages = Dictionary(uniqueKeysWithValues: ReferencePage.all.map { ($0.name, $0.text) })
        let commands = try #require(pages["command-line.md"])
        for command in Command.sallyport.subcommands { #expect(commands.contains("## sallyport \(command.name)\n")) }
        let metrics = try #require(pages["metrics.md"])
        for name in ["sallyport_items_total", "processed_messages_created", "sallyport_http_call_seconds"] {
            #expect(metrics.contains("| `\(name)` |"), "\(name)")
        }
        #expect(pages["settings-opencti-crowdstrike.md"] != nil && pages["opencti-crowdstrike.env"] != nil)
    }

    @Test func `every code has one meaning`() {
        let codes = CodeReference.areas.flatMap(\.codes)
        #expect(Set(codes.map(\.code)).count == codes.count)
        for code in codes {
            #expect(code.meaning.hasSuffix(".") || code.meaning.hasSuffix("…"), "\(code.code)")
            #expect(code.remedy.isEmpty || code.remedy.hasSuffix("."), "\(code.code)")
        }
        #expect(CodeReference.entry(for: "falcon.scope")?.meaning.contains("scope") == true)
        #expect(CodeReference.entry(for: "no.such") == nil)
    }

    /// Codes are literals: those of errors stand in a property `code`, others are handed over as `code:` or to a report.
    @Test func `every code in the sources is listed, and every listed one is in the sources`() throws {
        let sources = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources").standardized
        let files = try #require(
            FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)?.compactMap { $0 as? URL })
        var found: Set<String> = []
        var texts = ""
        for file in files where file.pathExtension == "swift" && !file.path.contains("/Simulators/") {
            guard !file.lastPathComponent.hasPrefix("CodeReference") else { continue }
            let text = try String(contentsOf: file, encoding: .utf8)
            texts += text
            for match in text.matches(of: /code: "([a-z_.]+)"|"(guard\.[a-z_]+)"|bury\(&item, "([a-z_.]+)"/) {
                found.formUnion([match.1, match.2, match.3].compactMap { $0.map(String.init) })
            }
            for property in text.matches(of: /var code: ErrorCode \{/) {
                var depth = 1
                let body = text[property.range.upperBound...].prefix { character in
                    depth += character == "{" ? 1 : character == "}" ? -1 : 0
                    return depth > 0
                }
                found.formUnion(body.matches(of: /"([a-z_.]+)"/).map { String($0.1) })
            }
        }
        let listed = Set(CodeReference.areas.flatMap(\.codes).map(\.code))
        #expect(found.count > 80)
        #expect(found.subtracting(listed).sorted() == [], "add them to CodeReference")
        let unused = listed.filter { code in
            // `pattern.negated` is put together of two words.
            let word = code.hasPrefix("pattern.") ? String(code.dropFirst("pattern.".count)) : code
            return !texts.contains("\"\(word)\"")
        }
        #expect(unused.sorted() == [], "they are gone from the sources")
    }
}
