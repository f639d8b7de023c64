// SPDX-License-Identifier: Apache-2.0

/// Reads the STIX 2.1 patterning grammar over UTF-8 bytes: recursive descent, one token ahead, each byte seen once.
///
/// Source: `oasis-open/cti-stix2-json-schemas: pattern_grammar/STIXPattern.g4` (2.1 form); precedence FOLLOWEDBY, then
/// OR, then AND, then qualifiers.
struct PatternReader<Sink: PatternSink> {
    private var lexer: PatternLexer
    private var token = PatternToken(kind: .end, start: 0, end: 0)
    private var depth = 0
    private let limits: PatternLimits
    var sink: Sink

    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: PatternLimits, sink: Sink) {
        lexer = PatternLexer(bytes)
        self.limits = limits
        self.sink = sink
    }

    mutating func read() throws(PatternError) {
        guard lexer.bytes.count <= limits.maxBytes else {
            throw PatternError(.tooLarge, at: limits.maxBytes, "the pattern is larger than \(limits.maxBytes) bytes")
        }
        advance()
        try observations()
        if token.kind != .end { throw unexpected("the end, AND, OR, FOLLOWEDBY or a qualifier") }
    }

    private mutating func advance() { token = lexer.next() }

    private mutating func expect(_ kind: PatternToken.Kind, _ name: String) throws(PatternError) -> PatternToken {
        guard token.kind == kind else { throw unexpected(name) }
        let taken = token
        advance()
        return taken
    }

    private mutating func open() throws(PatternError) {
        depth += 1
        if depth > limits.maxDepth {
            throw PatternError(
                .tooDeep, at: token.start, "parentheses are nested deeper than \(limits.maxDepth) levels")
        }
        advance()
    }

    private mutating func close() throws(PatternError) {
        _ = try expect(.rightParen, "“)”")
        depth -= 1
    }
}

// Observation expressions.
extension PatternReader {
    private mutating func observations() throws(PatternError) {
        var count = 1
        try observationOr()
        while token.kind == .followedBy {
            advance()
            try observationOr()
            count += 1
        }
        if count > 1 { sink.joinObservations(.followedBy, count: count) }
    }

    private mutating func observationOr() throws(PatternError) {
        var count = 1
        try observationAnd()
        while token.kind == .or {
            advance()
            try observationAnd()
            count += 1
        }
        if count > 1 { sink.joinObservations(.or, count: count) }
    }

    private mutating func observationAnd() throws(PatternError) {
        var count = 1
        try observation()
        while token.kind == .and {
            advance()
            try observation()
            count += 1
        }
        if count > 1 { sink.joinObservations(.and, count: count) }
    }

    private mutating func observation() throws(PatternError) {
        switch token.kind {
        case .leftBracket:
            let offset = token.start
            advance()
            try comparisonOr()
            _ = try expect(.rightBracket, "“]”, AND or OR")
            sink.observation(at: offset)
        case .leftParen:
            try open()
            try observations()
            try close()
            sink.groupObservations()
        default: throw unexpected("“[” or “(”")
        }
        guard let first = try qualifier() else { return }
        var qualifiers = [first]
        while let next = try qualifier() { qualifiers.append(next) }
        sink.qualify(qualifiers)
    }

    private mutating func qualifier() throws(PatternError) -> RawQualifier? {
        let offset = token.start
        switch token.kind {
        case .start:
            advance()
            let start = try expect(.timestamp, "a timestamp such as t'2026-01-31T10:00:00Z'")
            _ = try expect(.stop, "STOP")
            let stop = try expect(.timestamp, "a timestamp such as t'2026-01-31T10:00:00Z'")
            return RawQualifier(kind: .startStop(start: start, stop: stop), offset: offset)
        case .within:
            advance()
            let seconds = token
            guard seconds.kind == .positiveInteger || seconds.kind == .positiveFloat else {
                throw unexpected("a positive number of seconds")
            }
            advance()
            _ = try expect(.seconds, "SECONDS, the only unit of WITHIN")
            return RawQualifier(kind: .within(seconds), offset: offset)
        case .repeats:
            advance()
            let times = try expect(.positiveInteger, "a positive whole number")
            _ = try expect(.times, "TIMES")
            return RawQualifier(kind: .repeats(times), offset: offset)
        default: return nil
        }
    }
}

// Comparison expressions.
extension PatternReader {
    private mutating func comparisonOr() throws(PatternError) {
        var count = 1
        try comparisonAnd()
        while token.kind == .or {
            advance()
            try comparisonAnd()
            count += 1
        }
        if count > 1 { sink.joinComparisons(.or, count: count) }
    }

    private mutating func comparisonAnd() throws(PatternError) {
        var count = 1
        try test()
        while token.kind == .and {
            advance()
            try test()
            count += 1
        }
        if count > 1 { sink.joinComparisons(.and, count: count) }
    }

    private mutating func test() throws(PatternError) {
        let offset = token.start
        switch token.kind {
        case .leftParen:
            try open()
            try comparisonOr()
            try close()
        case .not, .exists:
            let isNegated = token.kind == .not
            if isNegated { advance() }
            _ = try expect(.exists, "EXISTS; before a path, NOT goes with nothing else")
            let path = try path()
            sink.comparison(
                RawComparison(path: path, comparison: .exists, isNegated: isNegated, offset: offset), nil)
        default:
            let path = try path()
            let isNegated = token.kind == .not
            if isNegated { advance() }
            guard let comparison = ComparisonOperator(token.kind) else {
                throw unexpected("“=”, another comparison operator, or a path step")
            }
            advance()
            try literals(
                of: RawComparison(path: path, comparison: comparison, isNegated: isNegated, offset: offset))
        }
    }

    private mutating func literals(of head: RawComparison) throws(PatternError) {
        switch head.comparison {
        case .in:
            _ = try expect(.leftParen, "“(”")
            sink.beginSet(head)
            if token.kind != .rightParen {
                sink.setElement(try literal(orBoolean: true))
                while token.kind == .comma {
                    advance()
                    sink.setElement(try literal(orBoolean: true))
                }
            }
            _ = try expect(.rightParen, "“,” or “)”")
            sink.endSet()
        case .like, .matches, .isSubset, .isSuperset: sink.comparison(head, try expect(.string, "a quoted text"))
        case .equal, .notEqual: sink.comparison(head, try literal(orBoolean: true))
        default: sink.comparison(head, try literal(orBoolean: false))
        }
    }

    private mutating func literal(orBoolean: Bool) throws(PatternError) -> PatternToken {
        switch token.kind {
        case .string, .positiveInteger, .negativeInteger, .positiveFloat, .negativeFloat, .hex, .binary, .timestamp:
            break
        case .boolean where orBoolean: break
        default: throw unexpected(!orBoolean ? "a value that has an order" : "a value")
        }
        let taken = token
        advance()
        return taken
    }

    private mutating func path() throws(PatternError) -> RawPath {
        let type = token
        guard type.kind == .identifier || type.kind == .hyphenatedIdentifier else {
            throw unexpected("an object path such as ipv4-addr:value")
        }
        advance()
        _ = try expect(.colon, "“:” after the object type")
        var path = RawPath(type: type, first: try key(), second: nil, end: lexer.bytes.count)
        while true {
            let step: RawPath.Step
            switch token.kind {
            case .dot:
                advance()
                step = try key()
            case .leftBracket:
                advance()
                step = try index()
            default:
                path.end = token.start
                return path
            }
            if path.second == nil { path.second = step } else { path.rest.append(step) }
        }
    }

    private mutating func key() throws(PatternError) -> RawPath.Step {
        guard token.kind == .identifier || token.kind == .string else {
            throw unexpected(
                token.kind == .hyphenatedIdentifier
                    ? "a property; one with a hyphen stands in single quotes" : "a property")
        }
        let taken = token
        advance()
        return .key(taken)
    }

    private mutating func index() throws(PatternError) -> RawPath.Step {
        let taken = token
        switch taken.kind {
        case .asterisk, .positiveInteger, .negativeInteger: advance()
        default: throw unexpected("an index or “*”")
        }
        _ = try expect(.rightBracket, "“]”")
        return taken.kind == .asterisk ? .anyIndex : .index(taken)
    }
}

// Errors.
extension PatternReader {
    private func unexpected(_ expectation: String) -> PatternError {
        switch token.kind {
        case .unterminatedString:
            return PatternError(at: token.start, "the quote that opens here is never closed")
        case .badEscape:
            return PatternError(
                at: token.start, "after a backslash only \\ or ' may follow; write \\\\ for a backslash")
        case .end: return PatternError(at: token.start, "the pattern ends where \(expectation) should follow")
        case .identifier where startsBrokenLiteral:
            return PatternError(at: token.start, "this is no hexadecimal, base64 or timestamp value")
        default:
            // A piece of the text, cut at 40 bytes, never a whole hostile pattern.
            var end = min(token.end, token.start + 40)
            let longest = min(end + 3, lexer.bytes.count)
            while end < longest, lexer.bytes[end] & 0xC0 == 0x80 { end += 1 }  // to the character's end
            let piece = String(decoding: lexer.bytes[token.start..<end], as: UTF8.self)
            return PatternError(at: token.start, "found “\(piece)” where \(expectation) should stand")
        }
    }

    // `h'…'` whose content is wrong reads as the identifier h, with a quote right behind it.
    private var startsBrokenLiteral: Bool {
        token.end - token.start == 1 && token.end < lexer.bytes.count
            && lexer.bytes[token.end] == UInt8(ascii: "'") && "hbt".utf8.contains(lexer.bytes[token.start])
    }
}
