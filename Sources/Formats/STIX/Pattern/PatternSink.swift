// SPDX-License-Identifier: Apache-2.0

/// What a reader tells while it walks a pattern, children before their parents. A sink that wants no tree keeps its
/// methods empty, and the compiler removes the calls.
protocol PatternSink {
    /// `path operator literal`; without a literal for `EXISTS path`.
    mutating func comparison(_ head: RawComparison, _ literal: PatternToken?)
    /// `path IN (…)`: then ``setElement(_:)`` for each literal, then ``endSet()``.
    mutating func beginSet(_ head: RawComparison)
    mutating func setElement(_ literal: PatternToken)
    mutating func endSet()
    /// The last `count` comparison expressions are joined.
    mutating func joinComparisons(_ junction: PatternJunction, count: Int)
    /// The last comparison expression stood in square brackets that opened at `offset`.
    mutating func observation(at offset: Int)
    /// The last observation expression stood in parentheses.
    mutating func groupObservations()
    /// The last `count` observation expressions are joined.
    mutating func joinObservations(_ junction: PatternJunction, count: Int)
    /// The last observation expression carries these qualifiers, at least one.
    mutating func qualify(_ qualifiers: [RawQualifier])
}

enum PatternJunction { case and, or, followedBy }

/// A comparison before its literal, in offsets into the pattern.
struct RawComparison {
    var path: RawPath
    var comparison: ComparisonOperator
    var isNegated: Bool
    /// Where the comparison starts, a leading NOT included.
    var offset: Int
}

struct RawPath {
    enum Step {
        /// An identifier or a string token.
        case key(PatternToken)
        case index(PatternToken)
        case anyIndex
    }
    var type: PatternToken
    var first: Step
    var second: Step?
    /// Beyond two: rare, so that the usual path costs no allocation.
    var rest: [Step] = []
    var end: Int

    var count: Int { second == nil ? 1 : 2 + rest.count }
}

struct RawQualifier {
    enum Kind {
        case startStop(start: PatternToken, stop: PatternToken)
        case within(PatternToken)
        case repeats(PatternToken)
    }
    var kind: Kind
    var offset: Int
}

extension ComparisonOperator {
    init?(_ kind: PatternToken.Kind) {
        switch kind {
        case .equal: self = .equal
        case .notEqual: self = .notEqual
        case .less: self = .less
        case .lessOrEqual: self = .lessOrEqual
        case .greater: self = .greater
        case .greaterOrEqual: self = .greaterOrEqual
        case .in: self = .in
        case .like: self = .like
        case .matches: self = .matches
        case .isSubset: self = .isSubset
        case .isSuperset: self = .isSuperset
        default: return nil
        }
    }
}
