// SPDX-License-Identifier: Apache-2.0

import Base

/// One exchange of a call: the request as it stands after the redirects so far. Pure; the transport sends it.
struct Hop: Sendable {
    private(set) var request: HTTPRequest
    private(set) var address: WebAddress
    /// False once a redirect has led to a host that must not see our certificate.
    private(set) var showsClientCertificate = true
    private var redirects = 0

    /// - Throws: ``HTTPError/invalidURL(_:)``, ``HTTPError/invalidRequest(url:reason:)``.
    init(_ request: HTTPRequest) throws(HTTPError) {
        address = try WebAddress(request.url)
        self.request = request
        if let credentials = address.credentials, request.headers["Authorization"] == nil {
            self.request.headers["Authorization"] = "Basic " + base64(credentials.reveal().utf8)
        }
        try Self.check(self.request, address)
    }

    /// The next hop after `head`; `nil` when `head` is the answer of the call.
    func next(after head: HTTPHead) throws(HTTPError) -> Hop? {
        guard [301, 302, 303, 307, 308].contains(head.status), case .follow(let limit, let hosts) = request.redirects,
            let location = head.headers["Location"], !location.isEmpty
        else { return nil }
        guard redirects < limit else { throw .tooManyRedirects(url: address.display) }
        let target = try address.resolving(location)
        guard target.isSecure || !address.isSecure else {
            throw .redirectRefused(url: address.display, reason: "\(target.display) is not encrypted")
        }
        var hop = self
        hop.redirects += 1
        hop.address = target
        hop.request.url = target.text
        if becomesGet(head.status) { hop.dropBody() }
        if !target.hasSameOrigin(as: address), !Self.isAllowed(target, by: hosts) {
            if case .none = hop.request.body {
            } else {
                throw .redirectRefused(
                    url: address.display, reason: "the request's body must not go to \(target.display)")
            }
            hop.dropCredentials()
        }
        guard hop.request.body.isReplayable else {
            throw .redirectRefused(
                url: address.display, reason: "the request's body was a stream and cannot be sent again")
        }
        return hop
    }

    private func becomesGet(_ status: Int) -> Bool {
        switch status {
        case 303: request.method != .get && request.method != .head
        case 301, 302: request.method == .post
        default: false
        }
    }

    private mutating func dropBody() {
        request.method = .get
        request.body = .none
        for name in ["Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Transfer-Encoding"] {
            request.headers[name] = nil
        }
    }

    private mutating func dropCredentials() {
        var kept = HTTPHeaders()
        for field in request.headers.fields where Self.harmless.contains(where: { HTTPHeaders.same($0, field.name) }) {
            kept.append(field.name, field.value)
        }
        request.headers = kept
        showsClientCertificate = false
    }

    private static let harmless = [
        "Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Range", "User-Agent",
    ]

    private static func isAllowed(_ target: WebAddress, by hosts: [String]) -> Bool {
        hosts.contains { host in
            let name = host.lowercased()
            return name.hasPrefix(".") ? target.host.hasSuffix(name) : target.host == name
        }
    }

    private static func check(_ request: HTTPRequest, _ address: WebAddress) throws(HTTPError) {
        func refuse(_ reason: String) -> HTTPError { .invalidRequest(url: address.display, reason: reason) }
        guard isToken(request.method.rawValue) else { throw refuse("its method is no HTTP token") }
        for field in request.headers.fields {
            guard isToken(field.name) else { throw refuse("a header field's name is no HTTP token") }
            guard !field.value.utf8.contains(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F }) else {
                throw refuse("the header field “\(field.name)” holds a line break or another control character")
            }
        }
        if case .stream(let length?, _) = request.body, length < 0 { throw refuse("its length is negative") }
    }

    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "a")...UInt8(ascii: "z"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }
}
