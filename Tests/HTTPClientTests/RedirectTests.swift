// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@testable import HTTPClient

@Suite("Redirects") struct RedirectTests {
    private static let credentials: HTTPHeaders = [
        "Authorization": "Bearer t", "Cookie": "c", "X-Api-Key": "k", "Accept": "a", "User-Agent": "u",
        "Content-Type": "text/plain",
    ]

    private func hop(
        _ method: HTTPMethod, _ url: String, body: HTTPBody = .none, allowed: [String] = [], limit: Int = 5
    ) throws -> Hop {
        var request = HTTPRequest(method, url, headers: Self.credentials, body: body)
        request.redirects = .follow(limit: limit, allowedHosts: allowed)
        return try Hop(request)
    }

    private func head(_ status: Int, _ location: String?) -> HTTPHead {
        HTTPHead(status: status, headers: location.map { ["Location": $0] } ?? [:])
    }

    private func names(_ hop: Hop) -> Set<String> { Set(hop.request.headers.fields.map(\.name)) }

    @Test(arguments: [
        (301, "GET", "GET", false), (301, "POST", "GET", false), (302, "POST", "GET", false), (302, "PUT", "PUT", true),
        (303, "POST", "GET", false), (303, "PUT", "GET", false), (303, "HEAD", "HEAD", false),
        (307, "POST", "POST", true), (308, "POST", "POST", true), (308, "DELETE", "DELETE", false),
    ])
    func `method and body follow the status`(_ status: Int, _ method: String, _ then: String, _ hasBody: Bool) throws {
        let body: HTTPBody = ["POST", "PUT"].contains(method) ? .bytes([1]) : .none
        let first = try hop(HTTPMethod(rawValue: method), "https://h/a", body: body)
        let next = try #require(try first.next(after: head(status, "/b?c=d")))
        #expect(next.request.method.rawValue == then && next.request.url == "https://h/b?c=d")
        if case .bytes(let bytes) = next.request.body { #expect(hasBody && bytes == [1]) } else { #expect(!hasBody) }
        #expect(names(next).contains("Authorization"))
        #expect(names(next).contains("Content-Type") == (hasBody || body.isEmpty))
    }

    @Test(arguments: ["https://other/", "https://h:8443/", "https://sub.h/", "//other/x", "https://h.evil.test/"])
    func `another origin gets no credentials`(_ location: String) throws {
        let first = try hop(.get, "https://h/a")
        let next = try #require(try first.next(after: head(302, location)))
        #expect(names(next) == ["Accept", "User-Agent"])
        #expect(!next.showsClientCertificate)
        let back = try #require(try next.next(after: head(302, "https://h/a")))
        #expect(names(back) == ["Accept", "User-Agent"] && !back.showsClientCertificate)
    }

    @Test(arguments: ["https://other/", "https://evilh.test/"])
    func `another origin gets no body`(_ location: String) throws {
        let first = try hop(.post, "https://h/a", body: .bytes([1]), allowed: [".h.test", "h.test"])
        let error = #expect(throws: HTTPError.self) { try first.next(after: head(308, location)) }
        #expect(error?.code == "http.redirect_refused")
        #expect(try first.next(after: head(303, location))?.request.body.isEmpty == true)
    }

    @Test(arguments: [
        ("https://api.eu-1.crowdstrike.com/oauth2/token", [".crowdstrike.com"], true),
        ("https://API.crowdstrike.com/", ["api.crowdstrike.com"], true),
        ("https://evilcrowdstrike.com/", [".crowdstrike.com"], false),
        ("https://crowdstrike.com.evil.test/", [".crowdstrike.com"], false),
        ("https://crowdstrike.com/", [".crowdstrike.com"], false),
    ])
    func `named hosts get everything`(_ location: String, _ allowed: [String], _ isAllowed: Bool) throws {
        let first = try hop(.post, "https://h/a", body: .bytes([1]), allowed: allowed)
        let next = try? first.next(after: head(308, location))
        #expect((next != nil) == isAllowed)
        if let next { #expect(names(next).contains("Authorization") && next.showsClientCertificate) }
    }

    @Test func `encryption is never given up`() throws {
        let first = try hop(.get, "https://h/a", allowed: ["h"])
        let error = #expect(throws: HTTPError.self) { try first.next(after: head(302, "http://h/a")) }
        #expect(error?.code == "http.redirect_refused")
        #expect(try hop(.get, "http://h/a").next(after: head(302, "https://h/a")) != nil)
    }

    @Test func `a body that was streamed cannot go again`() throws {
        let first = try hop(.post, "https://h/a", body: .stream(length: 0) { nil })
        let error = #expect(throws: HTTPError.self) { try first.next(after: head(307, "/b")) }
        #expect(error?.code == "http.redirect_refused")
        #expect(try first.next(after: head(302, "/b"))?.request.method == .get)
    }

    @Test func `circles end`() throws {
        var hop = try hop(.get, "https://h/a", limit: 3)
        for _ in 0..<3 { hop = try #require(try hop.next(after: head(302, "/a"))) }
        let error = #expect(throws: HTTPError.self) { try hop.next(after: head(302, "/a")) }
        #expect(error?.code == "http.redirects")
    }

    @Test(arguments: [(302, nil), (302, ""), (304, "/b"), (300, "/b"), (200, "/b")] as [(Int, String?)])
    func `other answers are answers`(_ status: Int, _ location: String?) throws {
        #expect(try hop(.get, "https://h/a").next(after: head(status, location)) == nil)
        #expect(try Hop(HTTPRequest(.get, "https://h/a")).next(after: head(302, "/b")) == nil)
    }

    @Test(arguments: ["ftp://h/", "https://", "javascript:alert(1)", "file:///etc/passwd"])
    func `a location that is no web address is refused`(_ location: String) throws {
        let error = #expect(throws: HTTPError.self) { try hop(.get, "https://h/a").next(after: head(302, location)) }
        #expect(error?.code == "http.invalid_url")
    }

    @Test(arguments: [
        ("b", "https://h/dir/b"), ("../b", "https://h/b"), ("?q=1", "https://h/dir/a?q=1"), ("/x y", "https://h/x%20y"),
        ("//h:444/c", "https://h:444/c"), ("https://us:pw@h/c#frag", "https://h/c"),
    ])
    func `locations resolve as in a browser`(_ location: String, _ url: String) throws {
        #expect(try hop(.get, "https://h/dir/a?x=1").next(after: head(302, location))?.request.url == url)
    }

    @Test func `over the wire: another port sees neither key nor cookie, the same one both`() async throws {
        var configuration = HTTPConfiguration()
        configuration.proxy = .none
        let transport = try CurlTransport(configuration: configuration)
        let other = try RawServer.answering { ok($0.head) }
        let server = try RawServer.answering { request in
            switch request.target {
            case "/away": ok("gone", "302 Found", headers: ["Location: \(other.url)/there"])
            case "/here": ok("gone", "307 Temporary Redirect", headers: ["Location: /end"])
            default: ok(request.head + request.text)
            }
        }
        for isStream in [false, true] {
            func get(_ request: HTTPRequest) async throws -> (url: String, text: String) {
                var request = request
                request.redirects = .follow(limit: 3, allowedHosts: [])
                guard isStream else {
                    let response = try await transport.send(request, by: .after(soon))
                    return (response.head.url, String(decoding: response.body, as: UTF8.self))
                }
                let stream = try await transport.open(request, by: .after(soon))
                var text = ""
                while let piece = try await stream.next() { text += String(decoding: piece, as: UTF8.self) }
                return (stream.head.url, text)
            }
            let away = try await get(HTTPRequest(.get, server.url + "/away", headers: Self.credentials))
            #expect(away.url == other.url + "/there")
            #expect(away.text.hasPrefix("GET /there ") && away.text.contains("\r\nAccept: a\r\n"))
            for secret in ["Bearer", "Cookie", "X-Api-Key"] { #expect(!away.text.contains(secret)) }
            let here = try await get(
                HTTPRequest(.post, server.url + "/here", headers: Self.credentials, body: .bytes(Array("body".utf8))))
            #expect(here.text.hasPrefix("POST /end ") && here.text.hasSuffix("body"))
            for secret in ["Bearer t", "Cookie: c", "X-Api-Key: k"] { #expect(here.text.contains(secret)) }
        }
    }
}

extension HTTPBody {
    fileprivate var isEmpty: Bool { if case .none = self { true } else { false } }
}
