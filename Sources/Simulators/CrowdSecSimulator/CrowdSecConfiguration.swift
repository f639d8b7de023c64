// SPDX-License-Identifier: Apache-2.0

import HTTPServer
public import JSON
public import SimulatorKit

/// How the simulated CTI service behaves.
public struct CrowdSecConfiguration: Sendable {
    /// The key that exists when nobody says otherwise, for demos and tests. It opens nothing but this simulator.
    public static let defaultKey = "cs-cti-key-EXAMPLE"

    public var options = SimulatorOptions()
    /// Keys that are accepted.
    public var keys: Set<String> = [defaultKey]
    /// Addresses that may be returned in a day and for each key; the next is refused with `Limit Exceeded`. `nil`: no limit.
    public var dailyQuota: Int?
    /// Requests in any second; the next is refused with `Too Many Requests`. `nil`: no limit.
    public var requestsPerSecond: Int?
    /// Answers by address, given one after the other, the last again and again. Others are invented.
    public var answers: [String: [PreparedAnswer]] = [:]

    public init() {}
}

/// One prepared answer: `{"status":429,"headers":{"Retry-After":"5"},"body":{…}}`, the body an object or a text.
public struct PreparedAnswer: Sendable, Hashable {
    public var status: Int
    public var headers: [String: String]
    public var body: [UInt8]

    public init(status: Int, headers: [String: String] = [:], body: JSONValue) {
        self.status = status
        self.headers = headers
        self.body = body.string.map { Array($0.utf8) } ?? body.bytes
    }

    public init?(_ json: JSONValue) {
        guard let status = json["status"]?.int, (100...599).contains(status), let body = json["body"] else {
            return nil
        }
        var headers: [String: String] = [:]
        for (name, value) in json["headers"]?.object ?? [:] { headers[name] = value.string }
        self.init(status: Int(status), headers: headers, body: body)
    }

    /// `{"192.0.2.10": [answer, …], …}`; `nil` for another form.
    public static func table(_ json: JSONValue) -> [String: [PreparedAnswer]]? {
        guard let members = json.object else { return nil }
        var table: [String: [PreparedAnswer]] = [:]
        for (address, list) in members {
            let answers = (list.array ?? []).compactMap { PreparedAnswer($0) }
            guard !answers.isEmpty, answers.count == list.array?.count else { return nil }
            table[address.lowercased()] = answers
        }
        return table
    }

    var response: ServerResponse {
        var response = ServerResponse(status: status, contentType: "application/json", bytes: body)
        for (name, value) in headers { response.headers[name] = value }
        return response
    }
}

extension CrowdSecConfiguration {
    /// Changes what the JSON object names. Returns what is wrong with it.
    mutating func apply(_ changes: JSONObject) -> String? {
        for (key, value) in changes {
            switch key {
            case "daily_quota": dailyQuota = value.int.map { Int($0) }
            case "requests_per_second": requestsPerSecond = value.int.map { Int($0) }
            case "keys": keys = Set((value.array ?? []).compactMap(\.string))
            default: return "there is no setting “\(key)”"
            }
        }
        return nil
    }
}
