// SPDX-License-Identifier: Apache-2.0

/// Reads patterns without building a tree: what the path of a live stream uses, millions a second.
public enum PatternParser {
    /// Whether the text is a pattern by the grammar.
    public static func validate(
        _ bytes: UnsafeBufferPointer<UInt8>, limits: PatternLimits = PatternLimits()
    ) throws(PatternError) {
        var reader = PatternReader(bytes, limits: limits, sink: NullSink())
        try reader.read()
    }

    /// Calls `body` for every comparison in the order of the text, for each element of a set (never for an empty one).
    ///
    /// Comparisons before a syntax error have been handed out when it is thrown: discard them.
    public static func forEachComparison(
        in bytes: UnsafeBufferPointer<UInt8>, limits: PatternLimits = PatternLimits(),
        _ body: (ComparisonView) -> Void
    ) throws(PatternError) {
        // The closure stays within this call; the compiler can't see that of a generic sink.
        let result = withoutActuallyEscaping(body) { body in
            var reader = PatternReader(bytes, limits: limits, sink: ForwardingSink(bytes: bytes, body: body))
            return Result { () throws(PatternError) in try reader.read() }
        }
        try result.get()
    }
}

/// A comparison within the bytes of its pattern. Valid only inside the call that hands it out.
public struct ComparisonView {
    let bytes: UnsafeBufferPointer<UInt8>
    let head: RawComparison
    let token: PatternToken?

    /// Byte offset of the comparison.
    public var offset: Int { head.offset }
    public var `operator`: ComparisonOperator { head.comparison }
    public var isNegated: Bool { head.isNegated }
    /// `ipv4-addr`
    public var objectType: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: bytes[head.path.type.start..<head.path.type.end])
    }
    /// A copy of the path.
    public var path: ObjectPath { bytes.path(head.path) }
    /// A copy of the literal; `nil` for `EXISTS`.
    public var literal: Literal? { token.map { bytes.literal($0) } }
}

private struct NullSink: PatternSink {
    mutating func comparison(_ head: RawComparison, _ literal: PatternToken?) {}
    mutating func beginSet(_ head: RawComparison) {}
    mutating func setElement(_ literal: PatternToken) {}
    mutating func endSet() {}
    mutating func joinComparisons(_ junction: PatternJunction, count: Int) {}
    mutating func observation(at offset: Int) {}
    mutating func groupObservations() {}
    mutating func joinObservations(_ junction: PatternJunction, count: Int) {}
    mutating func qualify(_ qualifiers: [RawQualifier]) {}
}

private struct ForwardingSink: PatternSink {
    let bytes: UnsafeBufferPointer<UInt8>
    let body: (ComparisonView) -> Void
    var setHead: RawComparison?

    init(bytes: UnsafeBufferPointer<UInt8>, body: @escaping (ComparisonView) -> Void) {
        self.bytes = bytes
        self.body = body
    }

    mutating func comparison(_ head: RawComparison, _ literal: PatternToken?) {
        body(ComparisonView(bytes: bytes, head: head, token: literal))
    }
    mutating func beginSet(_ head: RawComparison) { setHead = head }
    mutating func setElement(_ literal: PatternToken) {
        guard let head = setHead else { return }
        body(ComparisonView(bytes: bytes, head: head, token: literal))
    }
    mutating func endSet() { setHead = nil }
    mutating func joinComparisons(_ junction: PatternJunction, count: Int) {}
    mutating func observation(at offset: Int) {}
    mutating func groupObservations() {}
    mutating func joinObservations(_ junction: PatternJunction, count: Int) {}
    mutating func qualify(_ qualifiers: [RawQualifier]) {}
}
