// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import JSON
import SimulatorKit

/// OAuth2 client credentials (Falcon API, 1).
struct TokenEndpoint {
    let settings: FalconConfiguration
    let now: Instant
    let trace: String

    func issue(_ request: ServerRequest, _ access: inout Access) -> ServerResponse {
        if let base = settings.redirectsTokensTo {
            var response = Envelope.refused(308, [], hasResources: false).response(trace)
            response.headers["Location"] = base + "/oauth2/token"
            response.headers["X-Cs-Region"] = settings.region
            return response
        }
        guard isForm(request) else { return refuse(400, "Content-Type must be application/x-www-form-urlencoded") }
        let form = QueryItems(parsing: String(decoding: request.body, as: UTF8.self))
        guard let id = form["client_id"], let secret = form["client_secret"], !id.isEmpty, !secret.isEmpty else {
            return refuse(400, "client_id and client_secret are required")
        }
        guard let client = settings.clients.first(where: { $0.id == id && $0.secret == secret }) else {
            return refuse(403, "access denied, authorization failed")
        }
        let cid = form["member_cid"] ?? ""
        guard cid.isEmpty || (cid.utf8.count == 32 && cid.isHex) else { return refuse(400, "invalid member_cid") }
        let grant = Access.Grant(
            client: id, scopes: client.scopes, cid: cid.lowercased(),
            expires: now.advanced(by: .seconds(settings.tokenLifetime)))
        let token = access.issue(grant, seed: settings.options.seed)
        let body: JSONValue = [
            "access_token": .string(token), "expires_in": .int(settings.tokenLifetime), "token_type": "bearer",
        ]
        var response = ServerResponse.json(body.bytes, status: 201)
        response.headers["X-Cs-Region"] = settings.region
        response.headers["X-Cs-Traceid"] = trace
        return response
    }

    func revoke(_ request: ServerRequest, _ access: inout Access) -> ServerResponse {
        guard isForm(request) else { return refuse(400, "Content-Type must be application/x-www-form-urlencoded") }
        let header = request.headers["Authorization"] ?? ""
        let pair = header.prefix(6).lowercased() == "basic " ? Base64.decode(header.dropFirst(6)) : nil
        let wanted = pair.map { String(decoding: $0, as: UTF8.self) }
        guard settings.clients.contains(where: { "\($0.id):\($0.secret)" == wanted }) else {
            return refuse(403, "access denied, authorization failed")
        }
        let form = QueryItems(parsing: String(decoding: request.body, as: UTF8.self))
        guard let token = form["token"], !token.isEmpty else { return refuse(400, "token is required") }
        access.revoke(token)
        return Envelope.refused(200, [], hasResources: false).response(trace)
    }

    private func isForm(_ request: ServerRequest) -> Bool {
        (request.headers["Content-Type"] ?? "").lowercased().hasPrefix("application/x-www-form-urlencoded")
    }

    private func refuse(_ status: Int, _ message: String) -> ServerResponse {
        Envelope.refused(status, [message], hasResources: false).response(trace)
    }
}

enum Base64 {
    /// Standard alphabet, padding optional; `nil` for anything else.
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in text.utf8 where character != UInt8(ascii: "=") {
            let value: UInt8
            switch character {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - 65
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - 71
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character + 4
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}
