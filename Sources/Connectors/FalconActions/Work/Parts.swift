// SPDX-License-Identifier: Apache-2.0

import Falcon
import JSON

extension FalconActions {
    /// Sends ids in parts of a size, see ``inParts(_:of:name:onConflict:call:)``.
    func inParts(
        _ ids: [String], of size: Int,
        onConflict: (String) async throws -> JSONValue? = { _ in nil },
        call: ([String]) async throws(FalconError) -> FalconAnswer
    ) async throws -> ActionResult {
        try await inParts(ids, of: size, name: { $0 }, onConflict: onConflict, call: call)
    }

    /// Sends items in parts of a size and joins the answers.
    ///
    /// A refusal that names some of the items leaves the others to be sent again; one that names none is halved until it is
    /// about a single item. What stops everything (a missing scope, a lost connection) is thrown while nothing is done yet; after
    /// that it becomes one error for each item that is left.
    ///
    /// - Parameters:
    ///   - name: what an item is called in the errors.
    ///   - onConflict: for a single item that Falcon says is already so (409): its resource if that is what was wanted.
    func inParts<Item: Sendable>(
        _ items: [Item], of size: Int, name: (Item) -> String,
        onConflict: (Item) async throws -> JSONValue? = { _ in nil },
        call: ([Item]) async throws(FalconError) -> FalconAnswer
    ) async throws -> ActionResult {
        var result = ActionResult()
        var isStarted = false
        var parts: [[Item]] = stride(from: 0, to: items.count, by: size).map {
            Array(items[$0..<min($0 + size, items.count)])
        }.reversed()
        while let part = parts.popLast() {
            do throws(FalconError) {
                result.merge(try await call(part))
                isStarted = true
            } catch {
                guard error.isAboutItems else {
                    guard isStarted || !result.errors.isEmpty else { throw error }
                    for item in part + parts.reversed().joined() {
                        result.errors.append(error.message(for: name(item)))
                    }
                    return result
                }
                let named = Set(error.messages.compactMap(\.id))
                let (refused, others) = part.split { named.contains(name($0)) }
                if !refused.isEmpty {
                    for item in refused { try await settle(item, error, name(item), onConflict, &result) }
                    if !others.isEmpty { parts.append(others) }
                } else if part.count > 1 {
                    parts.append(Array(part[(part.count / 2)...]))
                    parts.append(Array(part[..<(part.count / 2)]))
                } else if let item = part.first {
                    try await settle(item, error, name(item), onConflict, &result)
                }
            }
        }
        return result
    }

    /// One item that was refused: done all the same when it already is as wanted, else an error.
    private func settle<Item: Sendable>(
        _ item: Item, _ error: FalconError, _ name: String, _ onConflict: (Item) async throws -> JSONValue?,
        _ result: inout ActionResult
    ) async throws {
        if case .conflict = error, let resource = try await onConflict(item) {
            result.resources.append(resource)
        } else {
            result.errors.append(error.messages.first { $0.id == name } ?? error.message(for: name))
        }
    }
}

extension Array {
    fileprivate func split(_ isFirst: (Element) -> Bool) -> (first: [Element], second: [Element]) {
        (filter(isFirst), filter { !isFirst($0) })
    }
}

extension FalconError {
    /// Whether one of the items may be the reason, so that others could pass.
    var isAboutItems: Bool {
        switch self {
        case .badRequest, .notFound, .conflict: true
        case .tooLarge(let status, _): status != 504
        default: false
        }
    }

    var messages: [FalconMessage] {
        switch self {
        case .badRequest(let messages, _), .notFound(let messages, _), .conflict(let messages, _): messages
        default: []
        }
    }

    func message(for id: String) -> FalconMessage {
        FalconMessage(code: status, message: messages.first?.message ?? description, id: id)
    }
}
