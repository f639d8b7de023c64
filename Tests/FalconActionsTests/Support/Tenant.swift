// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import FalconActions
import HTTPClient
import JSON
import TestKit

/// A tenant that gives tokens by itself and takes everything else from the script.
struct Tenant {
    static let id = "ed578da6b8d84d1e9312e833e493773a"
    let transport: ScriptedTransport
    let falcon: FalconClient
    /// 2026-02-14T09:00:00Z
    let time = TestTime(jumping: true, start: Instant(milliseconds: 1_771_059_600_000))

    init(_ answering: @escaping @Sendable (ScriptedTransport.Recorded) -> ScriptedTransport.Answer) throws {
        transport = ScriptedTransport { recorded in
            recorded.request.url.hasSuffix("/oauth2/token")
                ? .status(201, #"{"access_token":"token","expires_in":1799,"token_type":"bearer"}"#)
                : answering(recorded)
        }
        falcon = try FalconClient(
            transport: transport, credentials: FalconCredentials(clientID: Self.id, clientSecret: Secret("s3cret")),
            baseURL: "https://api.crowdstrike.com", time: time)
    }

    func actions(
        _ options: FalconActions.Options = .init(), files: [String: String] = [:]
    ) -> FalconActions {
        FalconActions(
            falcon: falcon, options: options,
            readFile: { name in
                guard let text = files[name] else {
                    throw ActionError.input(name: name, reason: "there is no such file")
                }
                return Array(text.utf8)
            }, time: time)
    }

    /// What was asked apart from tokens.
    var calls: [ScriptedTransport.Recorded] { transport.requests.filter { !$0.request.url.contains("/oauth2/") } }

    /// The calls in short: `POST /devices/… {"ids":…}`.
    var paths: [String] {
        calls.map { call in
            "\(call.request.method.rawValue) \(URLParts(call.request.url)?.path ?? "")"
        }
    }

    static func envelope(
        _ resources: [JSONValue], errors: [JSONValue] = [], status: Int = 200, meta: JSONObject = [:]
    ) -> ScriptedTransport.Answer {
        var head: JSONObject = ["query_time": 0.1, "trace_id": "t"]
        for (name, value) in meta { head[name] = value }
        let body: JSONValue = [
            "meta": .object(head), "resources": .array(resources), "errors": .array(errors),
        ]
        return .status(status, body.text)
    }

    static func refusal(_ status: Int, _ message: String = "no", id: String? = nil) -> ScriptedTransport.Answer {
        var error: JSONObject = ["code": .int(status), "message": .string(message)]
        if let id { error["id"] = .string(id) }
        return envelope([], errors: [.object(error)], status: status)
    }
}

extension ScriptedTransport.Recorded {
    var json: JSONValue? { try? JSONValue(parsing: body) }
    var path: String { URLParts(request.url)?.path ?? "" }
    var query: [(name: String, value: String)] { URLParts(request.url)?.query ?? [] }
    /// The `ids` of body or query.
    var ids: [String] {
        let named = (json?["ids"]?.array ?? json?["composite_ids"]?.array ?? []).compactMap(\.string)
        return named.isEmpty ? query.filter { $0.name == "ids" }.map(\.value) : named
    }
}
