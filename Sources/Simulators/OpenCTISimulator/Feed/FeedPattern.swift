// SPDX-License-Identifier: Apache-2.0

import Base

/// A STIX pattern together with what follows from it. Both are made at once from the same wish; nothing here reads
/// patterns.
struct FeedPattern: Sendable, Hashable {
    var text: String
    /// IOCs that must follow.
    var keys: [IOCKey] = []
    /// Values that every guardrail refuses.
    var vetoed: [IOCKey] = []
}

/// Makes patterns of all shapes with values that are distinct and hurt nobody: names below `example`, documentation
/// addresses, addresses of ranges that are assigned but not announced.
struct FeedPatternMaker: Sendable {
    /// One comparison: path, value as it is spelled, and the IOC behind it.
    private struct Piece {
        let path: String
        let spelling: String
        let key: IOCKey?
    }
    private enum Spacing: CaseIterable {
        /// As the platform spaces patterns when it creates an indicator.
        case usual
        /// As typed by somebody who edited it.
        case none, wide, comment
    }

    var random: SeededRandom
    private var count: UInt64 = 0
    private let salt: String

    init(seed: UInt64) {
        random = SeededRandom(seed: seed &+ 0xFEED)
        salt = String(seed % 1_000_000, radix: 36)
    }

    /// A pattern with at least one IOC, or in one case of eight one without.
    mutating func make() -> FeedPattern {
        switch Int.random(in: 0..<40, using: &random) {
        case 0..<16: single(piece())
        case 16..<19: alternatives(in: "OR")
        case 19..<21: observations(joined: " OR ")
        case 21: observations(joined: " AND ")
        case 22..<24: fileWithTwoHashes()
        case 24: fileWithName()
        case 25..<28: list()
        case 28: sequence()
        case 29: qualified()
        case 30..<32: withNegation()
        case 32..<34: withForeign()
        case 34: withInvalid()
        case 35: vetoed()
        case 36: FeedPattern(text: "[domain-name:value != 'good\(number()).example']")
        case 37:
            FeedPattern(
                text:
                    "[domain-name:value LIKE '%.bad\(number()).example' OR url:value MATCHES '^https?://x\(number())/']"
            )
        case 38: FeedPattern(text: "[ipv4-addr:value = '203.0.\(number() % 256).0/24']")
        default: foreign()
        }
    }

    /// A pattern for exactly this IOC, spelled in some way.
    mutating func make(_ key: IOCKey) -> FeedPattern {
        let spelling =
            key.kind == .ipv4 || key.kind == .ipv6 || Bool.random(using: &random) ? key.value : key.value.uppercased()
        return single(Piece(path: Self.path(key.kind), spelling: spelling, key: key))
    }

    /// A text that no parser of patterns takes.
    mutating func broken() -> String {
        let value = "broken\(number()).example"
        let texts = [
            "[domain-name:value = '\(value)", "domain-name:value = '\(value)'", "[domain-name:value = ]", "[]",
            "[domain-name:value == == '\(value)']", "[domain-name:value = '\(value)'] OR", "\(value)",
        ]
        return texts[Int.random(in: 0..<texts.count, using: &random)]
    }

    // MARK: Shapes

    private mutating func single(_ piece: Piece) -> FeedPattern {
        FeedPattern(text: "[" + compare(piece) + "]", keys: Self.keys([piece]))
    }

    private mutating func alternatives(in word: String) -> FeedPattern {
        let pieces = pieces(2...4)
        return FeedPattern(
            text: "[" + pieces.map { compare($0) }.joined(separator: " \(word) ") + "]", keys: Self.keys(pieces))
    }

    private mutating func observations(joined word: String) -> FeedPattern {
        let pieces = pieces(2...3)
        return FeedPattern(
            text: pieces.map { "[" + compare($0) + "]" }.joined(separator: word), keys: Self.keys(pieces))
    }

    private mutating func fileWithTwoHashes() -> FeedPattern {
        let pieces = [sha256(), md5()]
        let text = pieces.map { compare($0) }.joined(separator: " AND ")
        return FeedPattern(text: "[\(text) AND file:size > 1024]", keys: Self.keys(pieces))
    }

    private mutating func fileWithName() -> FeedPattern {
        let hash = sha256()
        return FeedPattern(
            text: #"[file:name = 'it\'s \\ evil\#(number()).exe' AND \#(compare(hash))]"#, keys: Self.keys([hash]))
    }

    private mutating func list() -> FeedPattern {
        let isDomain = Bool.random(using: &random)
        let pieces = (0..<Int.random(in: 2...6, using: &random)).map { _ in isDomain ? plainDomain() : ipv4() }
        let separator = Bool.random(using: &random) ? ", " : ","
        let values = pieces.map { "'\($0.spelling)'" }.joined(separator: separator)
        return FeedPattern(text: "[\(pieces[0].path) IN (\(values))]", keys: Self.keys(pieces))
    }

    private mutating func sequence() -> FeedPattern {
        let pieces = [plainDomain(), sha256()]
        let text = pieces.map { "[" + compare($0) + "]" }.joined(separator: " FOLLOWEDBY ")
        return FeedPattern(text: "(\(text)) WITHIN 300 SECONDS", keys: Self.keys(pieces))
    }

    private mutating func qualified() -> FeedPattern {
        let one = piece()
        let qualifiers = [
            "REPEATS 5 TIMES", "REPEATS 2 TIMES WITHIN 60.5 SECONDS",
            "START t'2026-01-01T00:00:00Z' STOP t'2027-01-01T00:00:00.000Z'",
        ]
        let qualifier = qualifiers[Int.random(in: 0..<qualifiers.count, using: &random)]
        return FeedPattern(text: "[\(compare(one))] \(qualifier)", keys: Self.keys([one]))
    }

    private mutating func withNegation() -> FeedPattern {
        let one = plainDomain()
        let words = ["NOT =", "!=", "<>", "NOT  IN"]
        let word = words[Int.random(in: 0..<words.count, using: &random)]
        let value = "'good\(number()).example'"
        let negated = "domain-name:value \(word) " + (word.hasSuffix("IN") ? "(\(value))" : value)
        return FeedPattern(text: "[\(compare(one)) AND \(negated)]", keys: Self.keys([one]))
    }

    private mutating func withForeign() -> FeedPattern {
        let pieces = [piece(), foreignPiece()].shuffled(using: &random)
        return FeedPattern(
            text: "[" + pieces.map { compare($0) }.joined(separator: " OR ") + "]", keys: Self.keys(pieces))
    }

    private mutating func withInvalid() -> FeedPattern {
        let invalid = [
            Piece(path: "domain-name:value", spelling: "no domain name \(number())", key: nil),
            Piece(path: "domain-name:value", spelling: "singlelabel\(number())", key: nil),
            Piece(path: "file:hashes.'SHA-256'", spelling: "abc\(number())", key: nil),
            Piece(path: "ipv4-addr:value", spelling: "300.1.2.\(number())", key: nil),
        ]
        let pieces = [invalid[Int.random(in: 0..<invalid.count, using: &random)], piece()]
        return FeedPattern(
            text: pieces.map { "[" + compare($0) + "]" }.joined(separator: " OR "), keys: Self.keys(pieces))
    }

    private mutating func vetoed() -> FeedPattern {
        let n = number()
        let all: [IOCKey] = [
            IOCKey(.ipv4, "10.\(n >> 16 & 255).\(n >> 8 & 255).\(n & 255)"),
            IOCKey(.ipv4, "192.168.\(n >> 8 & 255).\(n & 255)"),
            IOCKey(.ipv4, "127.\(n >> 8 & 255).\(n & 255).1"), IOCKey(.ipv4, "8.8.8.8"), IOCKey(.ipv4, "1.1.1.1"),
            IOCKey(.ipv6, "fd00::\(String(n & 0xFFFF | 1, radix: 16))"), IOCKey(.domain, "co.uk"),
            IOCKey(.domain, "com.au"),
            IOCKey(.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            IOCKey(.md5, "d41d8cd98f00b204e9800998ecf8427e"),
        ]
        let key = all[Int.random(in: 0..<all.count, using: &random)]
        let one = Piece(path: Self.path(key.kind), spelling: key.value, key: nil)
        return FeedPattern(text: "[" + compare(one) + "]", vetoed: [key])
    }

    private mutating func foreign() -> FeedPattern {
        FeedPattern(text: "[" + compare(foreignPiece()) + "]")
    }

    // MARK: Comparisons

    private mutating func compare(_ piece: Piece) -> String {
        // One in three is spaced otherwise than the platform does it.
        let spacing =
            Int.random(in: 0..<3, using: &random) == 0 ? Spacing.allCases.randomElement(using: &random) : .usual
        let equals =
            switch spacing ?? .usual {
            case .usual: " = "
            case .none: "="
            case .wide: "  ==  "
            case .comment: " /* seen */ = "
            }
        return piece.path + equals + "'" + piece.spelling + "'"
    }

    private mutating func pieces(_ range: ClosedRange<Int>) -> [Piece] {
        (0..<Int.random(in: range, using: &random)).map { _ in piece() }
    }

    private mutating func piece() -> Piece {
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1: plainDomain()
        case 2: spelledDomain()
        case 3, 4: ipv4()
        case 5: spelledAddress()
        case 6: ipv6()
        case 7, 8, 9: sha256()
        default: md5()
        }
    }

    private mutating func plainDomain() -> Piece {
        let name = "host\(number()).\(salt).example"
        let path = Int.random(in: 0..<8, using: &random) == 0 ? "hostname:value" : "domain-name:value"
        return Piece(path: path, spelling: name, key: IOCKey(.domain, name))
    }

    private mutating func spelledDomain() -> Piece {
        let host = "host\(number()).\(salt)"
        // Labels with their Punycode, looked up once (RFC 3492).
        let names = [
            ("\(host).EXAMPLE", "\(host).example"), ("\(host).example.", "\(host).example"),
            ("\(host)[.]example", "\(host).example"), (" \(host).example ", "\(host).example"),
            ("\(host).bücher.example", "\(host).xn--bcher-kva.example"),
            ("\(host).München.example", "\(host).xn--mnchen-3ya.example"),
            ("\(host).例え.example", "\(host).xn--r8jz45g.example"), ("_dmarc.\(host).example", "_dmarc.\(host).example"),
        ]
        let (spelling, name) = names[Int.random(in: 0..<names.count, using: &random)]
        return Piece(path: "domain-name:value", spelling: spelling, key: IOCKey(.domain, name))
    }

    private mutating func ipv4() -> Piece {
        let address = nextIPv4()
        return Piece(path: "ipv4-addr:value", spelling: address, key: IOCKey(.ipv4, address))
    }

    private mutating func spelledAddress() -> Piece {
        let address = nextIPv4()
        return Piece(path: "ipv4-addr:value", spelling: address + "/32", key: IOCKey(.ipv4, address))
    }

    private mutating func ipv6() -> Piece {
        let n = number()
        // Neither group is zero, so the run between them is the longest.
        let (net, host) = (String(n >> 12 & 0xFFFF | 0x1000, radix: 16), String(n & 0xFFF | 0x8000, radix: 16))
        let name = "2001:db8:\(net)::\(host)"
        let spellings = [name, name.uppercased(), "2001:0db8:\(net):0:0:0:0:\(host)", name + "/128"]
        let spelling = spellings[Int.random(in: 0..<spellings.count, using: &random)]
        return Piece(path: "ipv6-addr:value", spelling: spelling, key: IOCKey(.ipv6, name))
    }

    private mutating func sha256() -> Piece {
        hash(
            .sha256, 64,
            ["file:hashes.'SHA-256'", "file:hashes.'SHA-256'", "file:hashes.SHA256", "file:hashes.'SHA256'"])
    }

    private mutating func md5() -> Piece {
        hash(.md5, 32, ["file:hashes.'MD5'", "file:hashes.'MD5'", "file:hashes.MD5"])
    }

    private mutating func hash(_ kind: IOCKey.Kind, _ digits: Int, _ paths: [String]) -> Piece {
        let value = hex(digits)
        let spelling = Int.random(in: 0..<4, using: &random) == 0 ? value.uppercased() : value
        return Piece(
            path: paths[Int.random(in: 0..<paths.count, using: &random)], spelling: spelling, key: IOCKey(kind, value))
    }

    private mutating func foreignPiece() -> Piece {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: Piece(path: "url:value", spelling: "https://host\(number()).example/a?b=c", key: nil)
        case 1: Piece(path: "email-addr:value", spelling: "evil\(number())@mail.example", key: nil)
        case 2: Piece(path: "file:hashes.'SHA-1'", spelling: hex(40), key: nil)
        default: Piece(path: "windows-registry-key:key", spelling: #"HKLM\\Software\\Evil\#(number())"#, key: nil)
        }
    }

    // MARK: Values

    private mutating func number() -> UInt64 {
        count += 1
        return count
    }

    private mutating func nextIPv4() -> String {
        let n = number()
        // Documentation ranges first, then 11.0.0.0/8.
        let small = ["192.0.2", "198.51.100", "203.0.113"]
        if n < 750 { return "\(small[Int(n % 3)]).\(n / 3 + 1)" }
        return "11.\(n >> 16 & 255).\(n >> 8 & 255).\(n & 255)"
    }

    private mutating func hex(_ digits: Int) -> String {
        var text = ""
        while text.utf8.count < digits {
            let part = String(random.next(), radix: 16)
            text += String(repeating: "0", count: 16 - part.utf8.count) + part
        }
        return String(text.prefix(digits))
    }

    private static func path(_ kind: IOCKey.Kind) -> String {
        switch kind {
        case .domain: "domain-name:value"
        case .ipv4: "ipv4-addr:value"
        case .ipv6: "ipv6-addr:value"
        case .sha256: "file:hashes.'SHA-256'"
        case .md5: "file:hashes.'MD5'"
        }
    }

    private static func keys(_ pieces: [Piece]) -> [IOCKey] { pieces.compactMap(\.key) }
}
