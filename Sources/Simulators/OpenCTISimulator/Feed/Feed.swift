// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// The varied feed: which indicators there are, what happens to them, and what must stand at the target.
///
/// Everything but the times follows from the seed.
struct Feed: Sendable {
    /// One thing that happens.
    struct Step: Sendable {
        /// The name of the server-sent event.
        var event: String
        /// The `type` in the envelope, which is another where an element enters or leaves the stream's filters.
        var type: String
        /// The indicator it happens to.
        var indicator: Int?
        var isDeletion = false
        /// What stands in the context of an update: the values from before, by JSON pointer.
        var before: [(path: String, old: JSONValue, new: JSONValue)] = []
        /// Instead of an indicator: the data line's text.
        var text: [UInt8] = []
    }

    /// The first indicator's `updated_at`: 2025-06-01T00:00:00Z. Later ones follow a second apart.
    static let firstMilliseconds: Int64 = 1_748_736_000_000

    let configuration: FeedConfiguration
    private(set) var indicators: [FeedIndicator] = []
    private(set) var table = ExpectedTable()
    private(set) var liveLeft: Int
    private var patterns: FeedPatternMaker
    private var random: SeededRandom
    /// Indicators that live steps may pick.
    private var pickable: [Int] = []
    private var revoked: [Int] = []
    private var deleted: [Int] = []
    /// A value that more than one indicator has had is not touched by removals that could not be told apart.
    private var shared: Set<IOCKey> = []

    init(_ configuration: FeedConfiguration, seed: UInt64) {
        self.configuration = configuration
        liveLeft = max(0, configuration.liveEvents ?? configuration.count / 2)
        patterns = FeedPatternMaker(seed: seed)
        random = SeededRandom(seed: seed &+ 0xF00D)
    }

    var liveTotal: Int { max(0, configuration.liveEvents ?? configuration.count / 2) }

    /// The table when every live step has happened.
    var finalTable: ExpectedTable {
        var rest = self
        while rest.next(at: Self.firstMilliseconds) != nil {}
        return rest.table
    }

    // MARK: Indicators

    /// Makes the indicators that stand in the database at the start.
    mutating func makeInitial() {
        for number in 0..<max(0, configuration.count) {
            // Some share a millisecond, as after a bulk import.
            let shift: Int64 = number % 7 == 6 ? 1_000 : 0
            let index = add(at: Self.firstMilliseconds + Int64(number) * 1_000 - shift, sharing: shift == 0)
            table.observe(indicators[index], isDeletion: false)
        }
    }

    private mutating func add(at milliseconds: Int64, sharing: Bool) -> Int {
        let index = indicators.count
        var indicator = FeedIndicator(
            id: uuid(), stixID: "", name: "Indicator \(index)", pattern: FeedPattern(text: ""), score: score(),
            labels: labels(), description: text(), platforms: nil, validUntil: end(), created: milliseconds)
        var isPlain = true
        switch roll(100) {
        case 0, 1:
            indicator.language = .sigma
            indicator.pattern.text =
                "title: T\nlogsource:\n  product: windows\ndetection:\n  s:\n    Image: \"*\\\\x\(index).exe\"\n  condition: s\n"
            isPlain = false
        case 2, 3:
            indicator.language = .yara
            indicator.pattern.text = "rule Demo\(index)\n{\n\tcondition: true\n}"
            isPlain = false
        case 4:
            indicator.isBroken = true
            indicator.pattern.text = patterns.broken()
            isPlain = false
        case 5...9 where sharing:
            if let key = presentKey() {
                shared.insert(key)
                indicator.pattern = patterns.make(key)
            } else {
                indicator.pattern = patterns.make()
            }
        case 10: indicator.isRevoked = true
        case 11: indicator.validUntil = FeedIndicator.past
        case 12...16: indicator.platforms = platforms()
        default: break
        }
        if indicator.pattern.text.isEmpty { indicator.pattern = patterns.make() }
        indicator.stixID = Self.stixID(for: indicator.pattern.text)
        indicators.append(indicator)
        if isPlain, indicator.platforms?.meant != [] {
            if indicator.isLive { pickable.append(index) } else { revoked.append(index) }
        }
        return index
    }

    /// A value that stands because of some live indicator.
    private mutating func presentKey() -> IOCKey? {
        guard !pickable.isEmpty else { return nil }
        let index = pickable[roll(pickable.count)]
        return indicators[index].pattern.keys.first { table.references($0) > 0 }
    }

    // MARK: Steps

    /// The next live step; `nil` when all have happened.
    mutating func next(at milliseconds: Int64) -> Step? {
        guard liveLeft > 0 else { return nil }
        liveLeft -= 1
        let step = makeStep(at: milliseconds)
        if let index = step.indicator {
            table.observe(indicators[index], isDeletion: step.isDeletion)
        } else {
            table.observeForeign(isReadable: step.event != "create" || !FeedNoise.isBroken(step.text))
        }
        return step
    }

    private mutating func makeStep(at milliseconds: Int64) -> Step {
        switch roll(100) {
        case 0..<26: changeFields()
        case 26..<38: editPattern()
        case 38..<46: revoke()
        case 46..<49: expire()
        case 49..<64: delete()
        case 64..<71: recreate(at: milliseconds)
        case 71..<74: revive()
        case 74..<92: create(at: milliseconds)
        case 92..<96:
            Step(event: "create", type: "create", text: FeedNoise.broken(roll(FeedNoise.brokenCount), roll(1 << 20)))
        default: FeedNoise.foreign(roll(FeedNoise.foreignCount), uuid())
        }
    }

    private mutating func create(at milliseconds: Int64) -> Step {
        Step(event: "create", type: "create", indicator: add(at: milliseconds, sharing: true))
    }

    private mutating func changeFields() -> Step {
        guard let index = pick() else { return create(at: Self.firstMilliseconds) }
        var before: [(String, JSONValue, JSONValue)] = []
        switch roll(4) {
        case 0:
            let old = indicators[index].score
            indicators[index].score = score()
            let path = "/extensions/\(Platform.octi)/score"
            before = [(path, old.value ?? .null, indicators[index].score.value ?? .null)]
        case 1:
            let old = indicators[index].labels
            indicators[index].labels = labels()
            before = [("/labels", .texts(old), .texts(indicators[index].labels))]
        case 2:
            let old = indicators[index].validUntil
            indicators[index].validUntil = end()
            before = [("/valid_until", .text(old), .text(indicators[index].validUntil))]
        default:
            let old = indicators[index].description
            indicators[index].description = "changed \(roll(1 << 20))"
            before = [("/description", .text(old), .text(indicators[index].description))]
        }
        return Step(event: "update", type: "update", indicator: index, before: before)
    }

    /// A new pattern is stored as typed and changes the STIX id.
    private mutating func editPattern() -> Step {
        guard let index = pick() else { return create(at: Self.firstMilliseconds) }
        let old = indicators[index]
        indicators[index].pattern = patterns.make()
        indicators[index].stixID = Self.stixID(for: indicators[index].pattern.text)
        let new = indicators[index]
        return Step(
            event: "update", type: "update", indicator: index,
            before: [
                ("/pattern", .string(old.pattern.text), .string(new.pattern.text)),
                ("/id", .string(old.stixID), .string(new.stixID)),
            ])
    }

    private mutating func revoke() -> Step {
        guard let index = takeUnshared() else { return changeFields() }
        indicators[index].isRevoked = true
        revoked.append(index)
        // Where the stream's filters name it, a revocation leaves the stream: a delete around an update.
        let event = roll(3) == 0 ? "delete" : "update"
        return Step(event: event, type: "update", indicator: index, before: [("/revoked", false, true)])
    }

    private mutating func expire() -> Step {
        guard let index = takeUnshared() else { return changeFields() }
        let old = indicators[index].validUntil
        indicators[index].validUntil = FeedIndicator.past
        indicators[index].isRevoked = true
        revoked.append(index)
        return Step(
            event: "update", type: "update", indicator: index,
            before: [("/valid_until", .text(old), .text(FeedIndicator.past)), ("/revoked", false, true)])
    }

    private mutating func revive() -> Step {
        guard let index = Self.take(&revoked, &random) else { return changeFields() }
        indicators[index].isRevoked = false
        indicators[index].validUntil = end()
        pickable.append(index)
        return Step(event: "create", type: "update", indicator: index, before: [("/revoked", true, false)])
    }

    private mutating func delete() -> Step {
        let index =
            roll(8) == 0 ? Self.take(&revoked, &random) ?? Self.take(&pickable, &random) : Self.take(&pickable, &random)
        guard let index else { return create(at: Self.firstMilliseconds) }
        deleted.append(index)
        return Step(event: "delete", type: "delete", indicator: index, isDeletion: true)
    }

    /// The same pattern again: another element under the STIX id of before.
    private mutating func recreate(at milliseconds: Int64) -> Step {
        guard let gone = Self.take(&deleted, &random), indicators[gone].isLive else { return create(at: milliseconds) }
        var indicator = indicators[gone]
        indicator = FeedIndicator(
            id: uuid(), stixID: indicator.stixID, name: indicator.name, pattern: indicator.pattern, score: score(),
            labels: labels(), description: text(), platforms: nil, validUntil: end(), created: milliseconds)
        indicators.append(indicator)
        pickable.append(indicators.count - 1)
        return Step(event: "create", type: "create", indicator: indicators.count - 1)
    }

    // MARK: Picking

    private mutating func pick() -> Int? { pickable.isEmpty ? nil : pickable[roll(pickable.count)] }

    private static func take(_ list: inout [Int], _ random: inout SeededRandom) -> Int? {
        guard !list.isEmpty else { return nil }
        list.swapAt(Int.random(in: 0..<list.count, using: &random), list.count - 1)
        return list.removeLast()
    }

    /// For steps after which the indicator is still there: its later deletion must not be taken for another's.
    private mutating func takeUnshared() -> Int? {
        guard let index = Self.take(&pickable, &random) else { return nil }
        if shared.isDisjoint(with: indicators[index].pattern.keys) { return index }
        pickable.append(index)
        return nil
    }

    // MARK: Fields

    private mutating func roll(_ count: Int) -> Int { Int.random(in: 0..<max(1, count), using: &random) }

    /// The severity comes first, then one of the ways in which a platform may say it.
    private mutating func score() -> FeedIndicator.Score {
        let ways: [(String, [JSONValue?])] = [
            ("informational", [0, 10, 19, -5, 19.5, "7"]), ("low", [20, 30, 39, "25", 39.9]),
            ("medium", [40, 50, 59, "55", nil, .null, "unknown"]), ("high", [60, 75.5, 79, "70"]),
            ("critical", [80, 90, 100, 150, "99"]),
        ]
        let (severity, values) = ways[roll(ways.count)]
        return FeedIndicator.Score(severity: severity, value: values[roll(values.count)])
    }

    private mutating func labels() -> [String] {
        let all = ["c2", "phishing", "apt", "ransomware", "stealer", "été", "a b", "tlp-clear"]
        var labels: [String] = []
        for _ in 0..<roll(4) { labels.append(all[roll(all.count)]) }
        return labels.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    private mutating func text() -> String? {
        switch roll(4) {
        case 0: nil
        // Line separators that a splitter of lines must leave alone.
        case 1: "first line\nsecond line\u{2028}third “line” \u{85}é \\ \"quoted\""
        default: "C2 server \(roll(1 << 20))"
        }
    }

    private mutating func end() -> String? {
        guard roll(6) > 0 else { return nil }
        // Between 2035 and 2040.
        return Instant(milliseconds: 2_051_222_400_000 + Int64(roll(1_826)) * 86_400_000 + Int64(roll(86_400_000)))
            .description
    }

    private mutating func platforms() -> (spelled: [String], meant: [String]) {
        let all: [(spelled: [String], meant: [String])] = [
            (["windows"], ["windows"]), (["Windows", "macOS"], ["windows", "mac"]), (["LINUX"], ["linux"]),
            (["linux", "android"], ["linux"]), (["android", "iOS"], []), (["windows", "PRE"], ["windows"]),
        ]
        return all[roll(all.count)]
    }

    private mutating func uuid() -> String {
        let high = random.next() & ~0xF000 | 0x4000
        let low = random.next() & ~(3 << 62) | 1 << 63
        return Digest128(high: high, low: low).uuidDescription
    }

    /// Derived from the pattern, as the platform's is, though not by its rule.
    private static func stixID(for pattern: String) -> String {
        var high: UInt64 = 0xCBF2_9CE4_8422_2325
        var low: UInt64 = 0x9E37_79B9_7F4A_7C15
        for byte in pattern.utf8 {
            high = (high ^ UInt64(byte)) &* 0x100_0000_01B3
            low = (low &+ UInt64(byte)) &* 0xBF58_476D_1CE4_E5B9
            low ^= low >> 29
        }
        return "indicator--" + Digest128(high: high & ~0xF000 | 0x5000, low: low & ~(3 << 62) | 1 << 63).uuidDescription
    }
}

extension JSONValue {
    fileprivate static func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
    fileprivate static func texts(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }
}
