// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@testable import HTTPClient

@Suite("Parts of HTTP messages") struct MessageTests {
    @Test(
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z"),
            ("Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37.000Z"),
            ("Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37.000Z"),
            ("Mon, 29 Feb 2044 23:59:59 GMT", "2044-02-29T23:59:59.000Z"),
            ("Friday, 01-Jan-27 00:00:00 GMT", "2027-01-01T00:00:00.000Z"),
            ("Sun, 06 Nov 1994 08:49:37 CET", nil), ("Sun, 31 Feb 1994 08:49:37 GMT", nil),
            ("Sun, 06 Nov 1994 08:49 GMT", nil), ("Sun, 06 Nov 94 25:00:00 GMT", nil), ("120", nil), ("", nil),
            ("Sun, 06 Nov 1994 08:49:37 GMT x", nil), ("Sun, 006 Nov 1994 08:49:37 GMT", nil),
        ] as [(String, String?)])
    func `dates in their three forms`(_ text: String, _ expected: String?) {
        #expect(HTTPDate.parse(text)?.description == expected)
    }

    @Test(
        arguments: [
            (["Retry-After": "0"], 0), (["Retry-After": " 3 "], 3), (["Retry-After": "-3"], 0),
            (["Retry-After": "9223372036854775807"], 86_400), (["Retry-After": "Sat, 21 Nov 2026 09:00:00 GMT"], 0),
            (["Retry-After": "soon"], nil), ([:], nil), (["X-RateLimit-RetryAfter": "1795255200"], 1),
            (["X-Ratelimit-Retryafter": "-9223372036854775808"], 60),
            (["Retry-After": "x", "X-Ratelimit-RetryAfter": "1795255203"], 3),
        ] as [(HTTPHeaders, Int64?)])
    func `advice on when to come back`(_ headers: HTTPHeaders, _ seconds: Int64?) {
        let advice = RetryAdvice(headers, at: Instant(milliseconds: 1_795_255_200_000))
        #expect(advice.wait == seconds.map { .seconds($0) })
    }

    @Test func `advice on the budget`() {
        let now = Instant(milliseconds: 0)
        let advice = RetryAdvice(["x-ratelimit-limit": "6000", "X-RATELIMIT-REMAINING": "12"], at: now)
        #expect(advice.limit == 6000 && advice.remaining == 12)
        let nonsense = RetryAdvice(["X-Ratelimit-Limit": "0", "X-Ratelimit-Remaining": "many"], at: now)
        #expect(nonsense.limit == nil && nonsense.remaining == nil)
    }

    @Test func `header fields compare without case and keep their order`() {
        var headers: HTTPHeaders = ["A": "1", "b": "2", "a": "3"]
        #expect(headers["a"] == "1" && headers.values("A") == ["1", "3"] && headers["c"] == nil)
        headers["A"] = "4"
        #expect(headers.fields.map(\.name) == ["b", "A"])
        headers["B"] = nil
        #expect(headers.fields.count == 1)
        #expect(HTTPHeaders.same("X-[", "X-[") && !HTTPHeaders.same("X-[", "X-{") && !HTTPHeaders.same("É", "é"))
    }

    @Test func `neither fields nor requests print their values`() {
        let request = HTTPRequest(
            .post, "https://u:pw@h/p?key=pw", headers: ["Authorization": "Bearer pw"], body: .bytes(Array("pw".utf8)))
        var dumped = ""
        dump(request, to: &dumped)
        for text in [
            "\(request)", String(reflecting: request), "\(request.headers)", dumped, "\(request.headers.fields)",
        ] {
            #expect(!text.contains("pw"))
        }
        #expect("\(request)" == "POST https://h/p")
    }

    @Test(arguments: [
        ("https://h", "https", "h", 443, "https://h/"), ("http://H:80/a?b#c", "http", "h", 80, "http://h/a"),
        ("http://[::1]:8080/x", "http", "::1", 8080, "http://[::1]:8080/x"),
        ("https://user:pass@h:444/x?y", "https", "h", 444, "https://h:444/x"),
    ])
    func `web addresses`(_ url: String, _ scheme: String, _ host: String, _ port: Int, _ display: String) throws {
        let address = try WebAddress(url)
        #expect(address.scheme == scheme && address.host == host && address.port == port)
        #expect(address.display == display)
    }

    @Test(arguments: [
        ("https://user:pass@", "https://"), ("user:pass@host/x?y", "host/x"), ("nonsense", "nonsense"),
        ("https://h/p?q=secret", "https://h/p"), ("a@b@c", "c"),
    ])
    func `what is no address is shown without secrets`(_ text: String, _ shown: String) {
        #expect(WebAddress.displayable(text) == shown)
    }

    @Test func `heads from lines of every kind`() {
        func parse(_ lines: [String], limit: Int = 1000) -> (HeadParser, HeadParser.Step) {
            var parser = HeadParser(limit: limit)
            var step = HeadParser.Step.more
            for line in lines where step == .more { step = Array(line.utf8).withUnsafeBytes { parser.take($0) } }
            return (parser, step)
        }
        let (head, step) = parse([
            "HTTP/1.1 100 Continue\r\n", "X: no\r\n", "\r\n", "HTTP/1.1 404 Pas trouvé ici\r\n", "A:b:c\r\n",
            "no colon\r\n", "Empty:\r\n", "\r\n",
        ])
        #expect(step == .complete && head.status == 404 && head.reason == "Pas trouvé ici")
        #expect(head.headers == ["A": "b:c", "Empty": ""])
        let (modern, _) = parse(["HTTP/2 200 \r\n", "\r\n"])
        #expect(modern.status == 200 && modern.reason == "")
        #expect(parse(["HTTP/1.1 200 OK\r\n", "A: \(String(repeating: "x", count: 1000))\r\n"]).1 == .tooLarge)
        #expect(parse(["HTTP/1.1 abc\r\n", "\r\n"]).1 == .more)
    }

    @Test func `base64 as the standard's examples`() {
        for (text, encoded) in [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"), ("ÿ?>", "w78/Pg=="),
        ] {
            #expect(base64(text.utf8) == encoded)
        }
    }

    @Test func `gzip members, padding and any cut of input and room`() throws {
        let text = try shell("seq 1 3000")
        let packed = try shell("seq 1 2000 | gzip -c; seq 2001 3000 | gzip -c; head -c 100 /dev/zero")
        for (inputSize, room) in [(1, 1), (7, 1000), (packed.count, 10), (100, 100_000), (packed.count, 1 << 20)] {
            let inflater = try #require(Inflater())
            var output: [UInt8] = []
            var largest = 0
            for start in stride(from: 0, to: packed.count, by: inputSize) {
                packed[start..<min(start + inputSize, packed.count)].withUnsafeBytes { inflater.append($0) }
                while inflater.hasMore {
                    var piece: [UInt8] = []
                    try inflater.unpack(into: &piece, upTo: room)
                    largest = max(largest, piece.count)
                    output += piece
                }
            }
            #expect(output == text && inflater.isComplete && largest <= room)
        }
        let cut = try #require(Inflater())
        packed[..<50].withUnsafeBytes { cut.append($0) }
        var piece: [UInt8] = []
        try cut.unpack(into: &piece, upTo: 1 << 20)
        #expect(!cut.isComplete)
    }
}
