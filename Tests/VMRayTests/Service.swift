// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import Synchronization
import TestKit
import Testing
import Vectors

@testable import VMRay

/// A VMRay behind a script, a clock that jumps, and a client of it.
struct Service: Sendable {
    let transport = ScriptedTransport()
    let time = TestTime(jumping: true)
    let client: VMRayClient

    init(_ answers: [ScriptedTransport.Answer] = [], keyType: VMRayClient.KeyType = .report) throws {
        for answer in answers { transport.answer(answer) }
        client = VMRayClient(
            transport: transport,
            configuration: try .init(key: Secret("vmray-key-EXAMPLE"), keyType: keyType), time: time)
    }

    var slept: [Int64] { time.slept.map { $0.components.seconds } }
    var paths: [String] {
        transport.requests.map {
            String($0.request.url.dropFirst(VMRayClient.Configuration.defaultBaseURL.count))
        }
    }
}

/// One request and its answer of `vmray-api.json`.
struct Exchange: Sendable, CustomTestStringConvertible {
    let name: String
    let method: String
    let path: String
    let headers: [String: String]
    /// Of a multipart request; empty for others.
    let form: [String: String]
    let status: Int
    let body: String

    var testDescription: String { name }
    var answer: ScriptedTransport.Answer { .status(status, body) }

    static func all() throws -> [Exchange] {
        let file = try JSONValue(parsing: Array(Vectors.data("vmray-api.json")))
        return (file["exchanges"]?.array ?? []).map { entry in
            func texts(_ key: String) -> [String: String] {
                var texts: [String: String] = [:]
                for (name, value) in entry["request"]?[key]?.object ?? [:] { texts[name] = value.string }
                return texts
            }
            return Exchange(
                name: entry["name"]?.string ?? "", method: entry["method"]?.string ?? "",
                path: entry["path"]?.string ?? "", headers: texts("headers"), form: texts("form"),
                status: Int(entry["status"]?.int ?? 0),
                body: entry["response"].map { $0.string ?? $0.text } ?? "")
        }
    }

    static func named(_ name: String) throws -> Exchange {
        guard let exchange = try all().first(where: { $0.name == name }) else { throw Missing(name: name) }
        return exchange
    }

    struct Missing: Error { let name: String }
}

extension SubmissionFile {
    /// The text in pieces of four bytes.
    static func text(_ text: String, name: String = "alpha", failing: Bool = false) -> SubmissionFile {
        SubmissionFile(name: name, length: Int64(text.utf8.count)) {
            let rest = Rest(Array(text.utf8))
            return {
                if failing { throw CancellationError() }
                return rest.take(4)
            }
        }
    }
}

/// What is left of a content.
private final class Rest: Sendable {
    private let bytes: Mutex<[UInt8]>
    init(_ bytes: [UInt8]) { self.bytes = Mutex(bytes) }

    func take(_ count: Int) -> [UInt8]? {
        bytes.withLock { bytes in
            guard !bytes.isEmpty else { return nil }
            defer { bytes.removeFirst(min(count, bytes.count)) }
            return Array(bytes.prefix(count))
        }
    }
}
