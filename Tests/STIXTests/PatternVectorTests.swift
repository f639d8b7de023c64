// SPDX-License-Identifier: Apache-2.0

import STIX
import Testing
import Vectors

struct PatternVector: Decodable, Sendable, CustomTestStringConvertible {
    struct Found: Decodable, Sendable, Equatable {
        let type: String
        let value: String
        let fileName: String?

        private enum CodingKeys: String, CodingKey {
            case type
            case value
            case fileName = "file_name"
        }
    }
    let name: String
    let pattern: String
    /// The verdict of OASIS's validator, where the case's `validator_differs` does not say otherwise.
    let valid: Bool
    let observables: [Found]

    var testDescription: String { name }
}

@Suite("STIX patterns, shared cases") struct PatternVectorTests {
    // covers: pattern:grammar, pattern:oasis, pattern:and, pattern:negated, pattern:in, pattern:mixed, bug:1, bug:2, bug:3
    // covers: pattern:grammar, pattern:oasis, pattern:and, pattern:negated, pattern:in, pattern:mixed, bug:1, bug:2, bug:3
    @Test(arguments: try Vectors.cases("stix-patterns", as: PatternVector.self))
    func `verdict and observables agree with the case`(_ vector: PatternVector) {
        do {
            let pattern = try Pattern(parsing: vector.pattern)
            #expect(pattern.isValid == vector.valid)
        } catch {
            #expect(!vector.valid, "\(error)")
            #expect((0...vector.pattern.utf8.count).contains(error.offset))
        }
        let found = try? PatternParser.observables(in: vector.pattern).observables.map {
            PatternVector.Found(type: $0.type.description, value: $0.value, fileName: $0.fileName)
        }
        #expect(found ?? [] == vector.observables)
    }

    @Test(arguments: try Vectors.cases("stix-patterns", as: PatternVector.self))
    func `tree, events and validation accept the same texts`(_ vector: PatternVector) {
        let tree = (try? Pattern(parsing: vector.pattern)) != nil
        var text = vector.pattern
        let (validated, walked) = text.withUTF8 { bytes in
            (
                (try? PatternParser.validate(bytes)) != nil,
                (try? PatternParser.forEachComparison(in: bytes) { _ in }) != nil
            )
        }
        #expect(validated == tree)
        #expect(walked == tree)
        #expect(((try? PatternParser.observables(in: vector.pattern)) != nil) == tree)
        #expect(((try? PatternText.spacedByPlatform(vector.pattern)) != nil) == tree)
    }

    @Test(arguments: try Vectors.cases("stix-patterns", as: PatternVector.self))
    func `the platform's spacing keeps the meaning and is stable`(_ vector: PatternVector) throws {
        guard let spaced = try? PatternText.spacedByPlatform(vector.pattern) else { return }
        #expect(try PatternText.spacedByPlatform(spaced) == spaced)
        let before = try PatternParser.observables(in: vector.pattern).observables
        #expect(try PatternParser.observables(in: spaced).observables == before)
    }

    // Every prefix and every text with one byte changed: a verdict, never a crash, and errors within the text.
    @Test func `mangled patterns end in an error with a place or in a verdict`() throws {
        let replacements = Array("'\\[](): =a0-.*/\n".utf8) + [0, 0xFF]
        for vector in try Vectors.cases("stix-patterns", as: PatternVector.self) where vector.pattern.utf8.count < 120 {
            let bytes = Array(vector.pattern.utf8)
            for index in bytes.indices {
                check(Array(bytes[..<index]))
                for replacement in replacements {
                    var changed = bytes
                    changed[index] = replacement
                    check(changed)
                }
            }
        }
    }

    private func check(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { buffer in
            do throws(PatternError) {
                let extracted = try PatternParser.observables(in: buffer)
                #expect(extracted.skipped.allSatisfy { $0.offset < bytes.count })
                _ = try Pattern(parsing: buffer).issues
            } catch {
                #expect((0...bytes.count).contains(error.offset))
            }
        }
    }
}
