// SPDX-License-Identifier: Apache-2.0

import HTTPServer

/// What a consumer asks of a live stream, in its query and headers. Source: OpenCTI protocol, 4.1.
struct StreamParameters: Sendable {
    /// `from` before `Last-Event-ID`. `nil`: from now on.
    let start: Position?
    /// Until when the database is replayed.
    let recover: Position?
    /// Deletes come unless the value is `false`.
    let listensToDeletes: Bool
    /// Only `true` leaves out relationships and what hangs on them; authors and markings come always.
    let hasNoDependencies: Bool
    let hasInferences: Bool

    init(_ request: ServerRequest) {
        func value(_ names: String...) -> String? {
            for name in names {
                if let value = request.query[name], !value.isEmpty { return value }
            }
            for name in names {
                if let value = request.headers[name], !value.isEmpty { return value }
            }
            return nil
        }
        start = (value("from") ?? value("Last-Event-ID")).flatMap { Position(parameter: $0) }
        recover = value("recover", "recover-date").flatMap { Position(parameter: $0) }
        listensToDeletes = value("listen-delete") != "false"
        hasNoDependencies = value("no-dependencies", "no-relationships") == "true"
        hasInferences = value("with-inferences") == "true"
    }

    /// The database is replayed only when that reaches beyond the start.
    var recovers: Bool {
        guard let start, let recover else { return false }
        return recover > start
    }
}
