// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON
import Synchronization

/// Answers given in place of the simulator's own, matched by method and path: `{"method":"POST","path":"/iocs/entities/indicators/v1",
/// "times":"*","status":400,"body":{…}}`. Each is used once unless `times` says otherwise (`"*"`: always). `exception` in
/// place of a status breaks the connection before the request is applied.
final class Script: Sendable {
    struct Line: Sendable {
        let method: String
        let path: String
        var left: Int?
        /// `nil`: the connection breaks.
        let answer: ServerResponse?
    }
    private let lines = Mutex<[Line]>([])

    /// The first line that matches, used up by one.
    func next(method: String, path: String) -> Line? {
        lines.withLock { lines in
            guard let index = lines.firstIndex(where: { $0.method == method && $0.path == path }) else { return nil }
            let line = lines[index]
            if let left = line.left {
                if left > 1 { lines[index].left = left - 1 } else { lines.remove(at: index) }
            }
            return line
        }
    }

    func add(_ new: [Line]) { lines.withLock { $0 += new } }
    func reset() { lines.withLock { $0 = [] } }
    var count: Int { lines.withLock { $0.count } }
}

extension Script.Line {
    /// `nil` when it is no object with method and path, or has neither status nor exception.
    init?(_ value: JSONValue) {
        guard let method = value["method"]?.string, let path = value["path"]?.string else { return nil }
        self.method = method.uppercased()
        self.path = path
        switch value["times"] {
        case .string("*"): left = nil
        case let times?: left = times.int.map { max(1, Int($0)) } ?? 1
        case nil: left = 1
        }
        if value["exception"] != nil {
            answer = nil
            return
        }
        guard let status = value["status"]?.int, (100...599).contains(status) else { return nil }
        var response: ServerResponse
        switch value["body"] {
        case .string(let text)?:
            response = ServerResponse(status: Int(status), contentType: "text/html", bytes: Array(text.utf8))
        case let body?: response = .json(body.bytes, status: Int(status))
        case nil: response = ServerResponse(status: Int(status))
        }
        if let headers = value["headers"]?.object {
            for (name, value) in headers { response.headers[name] = value.string ?? value.text }
        }
        answer = response
    }
}
