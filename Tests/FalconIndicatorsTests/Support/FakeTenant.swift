// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import JSON
import Synchronization
import TestKit

/// A Falcon tenant without a network: it refuses what Falcon refuses, keeps what it takes, and notes every request that
/// breaks the vendor's contract.
final class FakeTenant: Sendable {
    static let clientID = "ed578da6b8d84d1e9312e833e493773a"
    static let path = "/iocs/entities/indicators/v1"

    /// An answer in front of the tenant.
    struct Scripted: Sendable {
        var method: String
        var path: String
        var isForEver = false
        var answer: ScriptedTransport.Answer
    }

    private struct State {
        var iocs: [String: JSONObject] = [:]
        var script: [Scripted] = []
        var nextID = 1
        var breaches: [String] = []
        /// Values that make a POST or PATCH fail as a whole.
        var unacceptable: Set<String> = []
        /// Values that a POST leaves out without a word.
        var overlooked: Set<String> = []
        var requests: [ScriptedTransport.Recorded] = []
    }
    private let state = Mutex(State())
    let time: TestTime

    init(_ existing: [JSONValue] = [], time: TestTime = TestTime(jumping: true)) {
        self.time = time
        for ioc in existing { add(ioc) }
    }

    // MARK: For the test

    func add(_ ioc: JSONValue) {
        guard let object = ioc.object, let id = ioc["id"]?.string else { return }
        state.withLock { $0.iocs[id] = object }
    }

    func remove(_ id: String) { state.withLock { $0.iocs[id] = nil } }

    /// An indicator of somebody, with the fields that this connector would give it.
    @discardableResult
    func add(
        _ type: String, _ value: String, by creator: String = clientID, _ fields: [(String, JSONValue)] = []
    ) -> String {
        let id = newID()
        var object: JSONObject = [
            "id": .string(id), "type": .string(type), "value": .string(value), "action": "detect",
            "mobile_action": "detect", "severity": "medium", "source": "OpenCTI IOC", "applied_globally": true,
            "platforms": ["windows", "mac", "linux"], "tags": [], "created_by": .string(creator), "deleted": false,
            "expired": false,
        ]
        for (name, value) in fields { object[name] = value }
        state.withLock { $0.iocs[id] = object }
        return id
    }

    func refuse(_ values: String...) { state.withLock { $0.unacceptable.formUnion(values) } }
    func overlook(_ values: String...) { state.withLock { $0.overlooked.formUnion(values) } }

    func script(
        _ method: String, _ answer: ScriptedTransport.Answer, at path: String = path, forEver: Bool = false
    ) {
        state.withLock {
            $0.script.append(Scripted(method: method, path: path, isForEver: forEver, answer: answer))
        }
    }

    var iocs: [String: JSONObject] { state.withLock { $0.iocs } }
    func ioc(_ value: String) -> JSONObject? {
        iocs.values.first { $0["value"]?.string == value }
    }
    /// Everything in which a request differed from the contract.
    var breaches: [String] { state.withLock { $0.breaches } }
    /// Requests apart from tokens.
    var requests: [ScriptedTransport.Recorded] { state.withLock { $0.requests } }
    func count(_ method: String) -> Int { requests.count { $0.request.method.rawValue == method } }

    func client() throws -> FalconClient {
        try FalconClient(
            transport: ScriptedTransport { [self] recorded throws(HTTPError) in try answer(recorded) },
            credentials: FalconCredentials(clientID: Self.clientID, clientSecret: Secret("s3cret")),
            baseURL: "https://api.crowdstrike.com", time: time)
    }

    // MARK: The tenant

    private func newID() -> String {
        state.withLock { state in
            defer { state.nextID += 1 }
            return Self.id(state.nextID)
        }
    }

    private static func id(_ number: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: 64 - text.count) + text
    }

    private func answer(_ recorded: ScriptedTransport.Recorded) throws(HTTPError) -> ScriptedTransport.Answer {
        guard let url = URLParts(recorded.request.url) else { return .status(404) }
        let method = recorded.request.method.rawValue
        if url.path == "/oauth2/token" {
            return .status(201, #"{"access_token":"token","expires_in":1799,"token_type":"bearer"}"#)
        }
        let contract = try? FalconContract.shared.get()
        let scripted: ScriptedTransport.Answer? = state.withLock { state in
            state.requests.append(recorded)
            state.breaches += contract?.problems(recorded).map { "\(method) \(url.path): \($0)" } ?? ["no contract"]
            guard let index = state.script.firstIndex(where: { $0.method == method && $0.path == url.path }) else {
                return nil
            }
            return state.script[index].isForEver ? state.script[index].answer : state.script.remove(at: index).answer
        }
        if let scripted { return scripted }
        switch (method, url.path) {
        case ("POST", Self.path): return create(recorded.body)
        case ("PATCH", Self.path): return update(recorded.body)
        case ("DELETE", Self.path): return delete(url.query.filter { $0.name == "ids" }.map(\.value))
        case ("GET", Self.path): return found(url.query.filter { $0.name == "ids" }.map(\.value))
        case ("GET", "/iocs/combined/indicator/v1"):
            return combined(url.query.first { $0.name == "filter" }?.value ?? "")
        case ("GET", "/iocs/queries/indicators/v1"):
            return searched(url.query.first { $0.name == "filter" }?.value ?? "")
        default: return Self.envelope(404, errors: [(404, "no such path", nil)])
        }
    }

    private func create(_ body: [UInt8]) -> ScriptedTransport.Answer {
        let wanted = (try? JSONValue(parsing: body))?["indicators"]?.array ?? []
        return state.withLock { state in
            var seen = Set(state.iocs.values.filter { $0["deleted"]?.bool != true }.map(Self.name))
            for each in wanted {
                let value = each["value"]?.string ?? ""
                if state.unacceptable.contains(value) {
                    return Self.envelope(400, errors: [(400, "invalid indicator", nil)])
                }
                guard seen.insert(Self.name(each.object ?? [:])).inserted else {
                    let text = "Duplicate type: '\(each["type"]?.string ?? "")' and value: '\(value)' combination."
                    return Self.envelope(400, errors: [(400, text, nil)])
                }
            }
            var made: [JSONValue] = []
            for each in wanted where !state.overlooked.contains(each["value"]?.string ?? "") {
                var object = each.object ?? [:]
                let id = Self.id(state.nextID)
                state.nextID += 1
                object["id"] = .string(id)
                object["created_by"] = .string(Self.clientID)
                object["deleted"] = false
                object["expired"] = false
                state.iocs[id] = object
                made.append(.object(object))
            }
            return Self.envelope(201, made)
        }
    }

    private func update(_ body: [UInt8]) -> ScriptedTransport.Answer {
        let wanted = (try? JSONValue(parsing: body))?["indicators"]?.array ?? []
        return state.withLock { state in
            var changed: [JSONValue] = []
            var errors: [(Int, String, String?)] = []
            for each in wanted {
                let known = state.iocs[each["id"]?.string ?? ""]
                if state.unacceptable.contains(known?["value"]?.string ?? "–") {
                    return Self.envelope(400, errors: [(400, "invalid indicator", nil)])
                }
            }
            for each in wanted {
                let id = each["id"]?.string ?? ""
                guard var object = state.iocs[id] else {
                    errors.append((404, "not found", id))
                    continue
                }
                for (name, value) in each.object ?? [:] { object[name] = value }
                state.iocs[id] = object
                changed.append(.object(object))
            }
            return Self.envelope(changed.isEmpty && !errors.isEmpty ? 404 : 200, changed, errors: errors)
        }
    }

    private func delete(_ ids: [String]) -> ScriptedTransport.Answer {
        state.withLock { state in
            let gone = ids.filter { state.iocs.removeValue(forKey: $0) != nil }
            let unknown = ids.filter { !gone.contains($0) }
            return Self.envelope(
                200, gone.map { .string($0) }, errors: unknown.map { (404, "not found", $0) })
        }
    }

    private func found(_ ids: [String]) -> ScriptedTransport.Answer {
        let iocs = self.iocs
        return Self.envelope(
            200, ids.compactMap { iocs[$0].map { .object($0) } },
            errors: ids.filter { iocs[$0] == nil }.map { (404, "not found", $0) })
    }

    private func combined(_ filter: String) -> ScriptedTransport.Answer {
        Self.envelope(200, matching(filter).map { .object($0) })
    }

    private func searched(_ filter: String) -> ScriptedTransport.Answer {
        Self.envelope(200, matching(filter).compactMap { $0["id"] })
    }

    private func matching(_ filter: String) -> [JSONObject] {
        let clauses = filter.split(separator: "+").compactMap { clause -> (String, Set<String>)? in
            let parts = clause.split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { return nil }
            let values = parts[1].split(separator: ",").map { $0.trimming("[']") }
            return (parts[0], Set(values))
        }
        return iocs.values.filter { ioc in
            clauses.allSatisfy { name, values in
                values.contains(ioc[name]?.string ?? (ioc[name]?.bool ?? false ? "true" : "false"))
            }
        }.sorted { ($0["id"]?.string ?? "") < ($1["id"]?.string ?? "") }
    }

    private static func name(_ ioc: JSONObject) -> String {
        "\(ioc["type"]?.string ?? "") \(ioc["value"]?.string?.lowercased() ?? "")"
    }

    static func envelope(
        _ status: Int, _ resources: [JSONValue] = [], errors: [(Int, String, String?)] = []
    ) -> ScriptedTransport.Answer {
        let body: JSONValue = [
            "meta": ["query_time": 0.01, "powered_by": "ioc-manager", "trace_id": "t"],
            "resources": .array(resources),
            "errors": .array(
                errors.map { code, message, id in
                    var error: JSONObject = ["code": .int(Int64(code)), "message": .string(message)]
                    if let id { error["id"] = .string(id) }
                    return .object(error)
                }),
        ]
        return .status(status, headers: ["Content-Type": "application/json"], body.text)
    }
}

extension StringProtocol {
    fileprivate func trimming(_ characters: String) -> String {
        var rest = Substring(self)
        while let first = rest.first, characters.contains(first) { rest = rest.dropFirst() }
        while let last = rest.last, characters.contains(last) { rest = rest.dropLast() }
        return String(rest)
    }
}
