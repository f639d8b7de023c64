// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// A piece of work that a connector reports on.
struct WorkRecord: Sendable {
    let id: String
    let connector: String
    let name: String
    let timestamp: String
    let isMultiPart: Bool
    var status = "wait"
    var received: String?
    var processed: String?
    var completed: String?
    var expected = 0
    var done = 0
    var messages: [JSONValue] = []
    var errors: [JSONValue] = []
    var draft: String?

    var json: JSONValue {
        func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
        return [
            "id": .string(id), "name": .string(name), "timestamp": .string(timestamp), "status": .string(status),
            "event_source_id": .string(connector), "received_time": text(received), "processed_time": text(processed),
            "completed_time": text(completed), "completed_number": .int(done), "draft_context": text(draft),
            "user": ["id": .string(Platform.userID), "name": "connector"], "connector": ["id": .string(connector)],
            "tracking": ["import_expected_number": .int(expected), "import_processed_number": .int(done)],
            "messages": .array(messages), "errors": .array(errors),
        ]
    }

    mutating func complete(at now: String) {
        status = "complete"
        completed = now
    }
}

/// Source: OpenCTI protocol, 6.
extension Platform {
    private static let maxErrors = 100

    mutating func addWork(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        guard let connector = call.text("connectorId"), connectors[connector] != nil else {
            throw .functional("No connector found with the specified ID")
        }
        var moment = call.now
        var id = "work_\(connector)_\(moment)"
        while works[id] != nil {
            moment = moment.advanced(by: .milliseconds(1))
            id = "work_\(connector)_\(moment)"
        }
        let work = WorkRecord(
            id: id, connector: connector, name: call.text("friendlyName") ?? "", timestamp: moment.description,
            isMultiPart: call.arguments["isMultiPartWork"]?.bool ?? false)
        works[id] = work
        return work.json
    }

    /// Answers with the work's id for each thing done to it, as the platform does.
    mutating func editWork(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        let id = call.text("id") ?? ""
        var answer: JSONObject = [:]
        for field in try call.plan.fields(of: call.field) {
            guard var work = works[id] else {
                // Calls on deleted works are ignored before 7.
                guard release < .keySet else {
                    throw GraphQLFault(code: "WORK_NOT_ALIVE", message: "Work is not alive", status: 400)
                }
                answer[field.name] = .string(id)
                continue
            }
            apply(field.name, call.plan.arguments(of: field), to: &work, at: call.now.description)
            works[id] = field.name == "delete" ? nil : work
            answer[field.name] = .string(id)
        }
        return .object(answer)
    }

    private func apply(_ name: String, _ arguments: JSONObject, to work: inout WorkRecord, at now: String) {
        switch name {
        case "toReceived":
            work.status = "progress"
            work.received = now
            work.messages.append(Self.message(arguments["message"], now))
        case "toProcessed":
            work.processed = now
            let message = Self.message(arguments["message"], now)
            if arguments["inError"]?.bool == true {
                keep(error: message, in: &work)
            } else {
                work.messages.append(message)
            }
            if work.isMultiPart || work.expected <= work.done { work.complete(at: now) }
        case "addExpectations":
            work.expected += Int(arguments["expectations"]?.int ?? 1)
        case "reportExpectation":
            work.done += 1
            if let error = arguments["error"], !error.isNull {
                keep(
                    error: [
                        "timestamp": .string(now), "message": error["error"] ?? .null,
                        "source": error["source"] ?? .null,
                    ],
                    in: &work)
            }
            if !work.isMultiPart, work.done >= work.expected { work.complete(at: now) }
        case "addDraftContext": work.draft = arguments["draftContext"]?.string
        default: break
        }
    }

    private func keep(error: JSONValue, in work: inout WorkRecord) {
        if work.errors.count < Self.maxErrors { work.errors.append(error) }
    }

    private static func message(_ text: JSONValue?, _ now: String) -> JSONValue {
        ["timestamp": .string(now), "message": text ?? .null]
    }
}
