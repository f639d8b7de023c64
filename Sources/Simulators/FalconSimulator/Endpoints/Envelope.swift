// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// The shape of every answer (Falcon API, 2).
struct Envelope {
    struct Problem: Sendable {
        let code: Int
        let message: String
        var id: String?
    }
    struct Paging: Sendable {
        var limit = 0
        var offset: Int?
        /// Where the vendor writes the offset as text.
        var offsetText: String?
        var total: Int?
        var after: String?
    }
    enum ErrorsWhenNone {
        case emptyList
        case null
    }

    var status = 200
    var poweredBy = "ioc-manager"
    var paging: Paging?
    var affected: Int?
    var problems: [Problem] = []
    var errorsWhenNone = ErrorsWhenNone.emptyList
    /// Whether the answer has `resources` at all: those of the gateway have not.
    var hasResources = true

    static func refused(_ status: Int, _ messages: [String], hasResources: Bool = true) -> Envelope {
        var envelope = Envelope()
        envelope.status = status
        envelope.problems = messages.map { Problem(code: status, message: $0) }
        envelope.hasResources = hasResources
        return envelope
    }

    func response(_ trace: String, _ resources: (inout JSONWriter) -> Void = { _ in }) -> ServerResponse {
        var writer = JSONWriter(reserving: 512)
        writer.beginObject()
        writer.key("meta")
        writeMeta(trace, &writer)
        if hasResources {
            writer.key("resources")
            writer.beginArray()
            resources(&writer)
            writer.endArray()
        }
        writer.key("errors")
        if problems.isEmpty, errorsWhenNone == .null {
            writer.null()
        } else {
            writer.beginArray()
            for problem in problems {
                writer.beginObject()
                writer.key("code")
                writer.int(problem.code)
                writer.key("message")
                writer.string(problem.message)
                if let id = problem.id {
                    writer.key("id")
                    writer.string(id)
                }
                writer.endObject()
            }
            writer.endArray()
        }
        writer.endObject()
        var response = ServerResponse.json(writer.bytes, status: status)
        response.headers["X-Cs-Traceid"] = trace
        return response
    }

    private func writeMeta(_ trace: String, _ writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("query_time")
        writer.double(0.0131)
        if let paging {
            writer.key("pagination")
            writer.beginObject()
            writer.key("limit")
            writer.int(paging.limit)
            if let offset = paging.offset {
                writer.key("offset")
                writer.int(offset)
            }
            if let offset = paging.offsetText {
                writer.key("offset")
                writer.string(offset)
            }
            if let total = paging.total {
                writer.key("total")
                writer.int(total)
            }
            if let after = paging.after {
                writer.key("after")
                writer.string(after)
            }
            writer.endObject()
        }
        if let affected {
            writer.key("writes")
            writer.beginObject()
            writer.key("resources_affected")
            writer.int(affected)
            writer.endObject()
        }
        writer.key("powered_by")
        writer.string(poweredBy)
        writer.key("trace_id")
        writer.string(trace)
        writer.endObject()
    }
}
