// SPDX-License-Identifier: Apache-2.0

/// Turns a reader's calls into a tree.
struct PatternBuilder: PatternSink {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var comparisons: [ComparisonExpression] = []
    private var observations: [ObservationExpression] = []
    private var setHead: RawComparison?
    private var setLiterals: [Literal] = []

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    func finish() throws(PatternError) -> ObservationExpression {
        // A reader that returned has left exactly one; the check is for the compiler.
        guard let root = observations.last else { throw PatternError(at: 0, "the pattern is empty") }
        return root
    }

    mutating func comparison(_ head: RawComparison, _ literal: PatternToken?) {
        comparisons.append(.comparison(comparison(head, literal.map { [bytes.literal($0)] } ?? [])))
    }

    mutating func beginSet(_ head: RawComparison) { setHead = head }
    mutating func setElement(_ literal: PatternToken) { setLiterals.append(bytes.literal(literal)) }
    mutating func endSet() {
        guard let head = setHead else { return }
        comparisons.append(.comparison(comparison(head, setLiterals)))
        setHead = nil
        setLiterals = []
    }

    mutating func joinComparisons(_ junction: PatternJunction, count: Int) {
        let joined = Array(comparisons.suffix(count))
        comparisons.removeLast(count)
        comparisons.append(junction == .and ? .and(joined) : .or(joined))
    }

    mutating func observation(at offset: Int) {
        observations.append(.observation(comparisons.removeLast(), offset: offset))
    }

    mutating func groupObservations() { observations.append(.group(observations.removeLast())) }

    mutating func joinObservations(_ junction: PatternJunction, count: Int) {
        let joined = Array(observations.suffix(count))
        observations.removeLast(count)
        switch junction {
        case .and: observations.append(.and(joined))
        case .or: observations.append(.or(joined))
        case .followedBy: observations.append(.followedBy(joined))
        }
    }

    mutating func qualify(_ qualifiers: [RawQualifier]) {
        let inner = observations.removeLast()
        observations.append(.qualified(inner, qualifiers.map(qualifier)))
    }

    private func qualifier(_ raw: RawQualifier) -> Qualifier {
        let kind: Qualifier.Kind =
            switch raw.kind {
            case .startStop(let start, let stop):
                .startStop(start: bytes.quotedText(start), stop: bytes.quotedText(stop))
            case .within(let seconds): .within(seconds: bytes.text(seconds))
            case .repeats(let times): .repeats(times: bytes.text(times))
            }
        return Qualifier(kind: kind, offset: raw.offset)
    }

    private func comparison(_ head: RawComparison, _ literals: [Literal]) -> Comparison {
        Comparison(
            path: bytes.path(head.path), operator: head.comparison, isNegated: head.isNegated, literals: literals,
            offset: head.offset)
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The token as written.
    func text(_ token: PatternToken) -> String { String(decoding: self[token.start..<token.end], as: UTF8.self) }

    /// What stands between the quotes of a string token or a prefixed literal, as written.
    func quotedText(_ token: PatternToken) -> String {
        let open = self[token.start] == UInt8(ascii: "'") ? token.start : token.start + 1
        return String(decoding: self[(open + 1)..<(token.end - 1)], as: UTF8.self)
    }

    /// The decoded value of a string token.
    func decodedText(_ token: PatternToken) -> String {
        guard token.hasEscapes else { return quotedText(token) }
        return String(unsafeUninitializedCapacity: token.end - token.start) { output in
            decode(token, into: output)
        }
    }

    /// Writes the decoded value of a string token; never longer than the token.
    func decode(_ token: PatternToken, into output: UnsafeMutableBufferPointer<UInt8>) -> Int {
        var length = 0
        var index = token.start + 1
        while index < token.end - 1 {
            if self[index] == UInt8(ascii: "\\") { index += 1 }
            output[length] = self[index]
            length += 1
            index += 1
        }
        return length
    }

    func literal(_ token: PatternToken) -> Literal {
        switch token.kind {
        case .positiveInteger, .negativeInteger: .integer(text(token))
        case .positiveFloat, .negativeFloat: .float(text(token))
        case .boolean: .boolean(self[token.start] == UInt8(ascii: "t"))
        case .hex: .hex(quotedText(token))
        case .binary: .binary(quotedText(token))
        case .timestamp: .timestamp(quotedText(token))
        default: .string(decodedText(token))
        }
    }

    func path(_ raw: RawPath) -> ObjectPath {
        var steps = [step(raw.first)]
        if let second = raw.second { steps.append(step(second)) }
        for other in raw.rest { steps.append(step(other)) }
        return ObjectPath(objectType: text(raw.type), steps: steps)
    }

    private func step(_ raw: RawPath.Step) -> ObjectPath.Step {
        switch raw {
        case .key(let token): .key(token.kind == .string ? decodedText(token) : text(token))
        case .index(let token): .index(text(token))
        case .anyIndex: .anyIndex
        }
    }
}
