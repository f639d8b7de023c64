// SPDX-License-Identifier: Apache-2.0

import Base

/// The form of a log line.
public enum LogFormat: String, Sendable, CaseIterable {
    /// For people at a terminal: time, level, sentence, `name=value`.
    case pretty
    /// One JSON object a line: `{"time","level","message",…fields}`.
    case json
    /// `time=… level=… message="…" name=value`.
    case logfmt
    /// What the originals write on standard error: `{"timestamp","level","name","message","attributes":{…fields}}`, the
    /// level in capitals, `name` the connector's. Source: OpenCTI protocol, 1.4 (`OPENCTI_JSON_LOGGING`).
    case opencti
}

/// What one line says, before it has a form.
struct LogRecord {
    let time: Instant
    let level: LogLevel
    let message: StaticString
    let context: [LogField]
    let fields: [LogField]

    func append(to text: inout LogText, as format: LogFormat, inColour isColoured: Bool) {
        switch format {
        case .pretty: appendPretty(to: &text, inColour: isColoured)
        case .json: appendJSON(to: &text)
        case .logfmt: appendLogfmt(to: &text)
        case .opencti: appendOpenCTI(to: &text)
        }
        text.append("\n")
    }

    /// Context first; a field of the call replaces one of the context.
    private func forEachField(_ body: (LogField) -> Void) {
        for field in context where !fields.contains(where: { $0.nameText == field.nameText }) { body(field) }
        for field in fields { body(field) }
    }

    private func appendPretty(to text: inout LogText, inColour isColoured: Bool) {
        func paint(_ code: StaticString, _ body: (inout LogText) -> Void) {
            guard isColoured else { return body(&text) }
            text.append("\u{1B}[")
            text.append(code)
            text.append("m")
            body(&text)
            text.append("\u{1B}[0m")
        }
        paint("2") { $0.append(plain: time.description) }
        text.append(" ")
        switch level {
        case .debug: paint("2") { $0.append("DEBUG") }
        case .info: paint("32") { $0.append("INFO ") }
        case .warning: paint("33") { $0.append("WARN ") }
        case .error: paint("1;31") { $0.append("ERROR") }
        }
        text.append(" ")
        text.append(message)
        forEachField { field in
            text.append(" ")
            paint("36") {
                $0.append(field.name)
                $0.append("=")
            }
            text.append(wordOf: field.value)
            if case .failure(let code?, _) = field.value {
                text.append(" ")
                paint("36") { $0.append("error.code=") }
                text.append(word: code)
            }
        }
    }

    /// The sentence with its fields, `name=value`.
    var sentence: String {
        var text = LogText()
        text.append(message)
        appendWords(to: &text)
        return String(decoding: text.bytes, as: UTF8.self)
    }

    private func appendLogfmt(to text: inout LogText) {
        text.append("time=")
        text.append(plain: time.description)
        text.append(" level=")
        text.append(plain: level.name)
        text.append(" message=")
        text.append(quoted: message)
        appendWords(to: &text)
    }

    private func appendWords(to text: inout LogText) {
        forEachField { field in
            text.append(" ")
            text.append(field.name)
            text.append("=")
            text.append(wordOf: field.value)
            if case .failure(let code?, _) = field.value {
                text.append(" error.code=")
                text.append(word: code)
            }
        }
    }

    private func appendJSON(to text: inout LogText) {
        text.append("{\"time\":\"")
        text.append(plain: time.description)
        text.append("\",\"level\":\"")
        text.append(plain: level.name)
        text.append("\",\"message\":")
        text.append(quoted: message)
        forEachField { field in
            text.append(",")
            text.append(memberOf: field)
        }
        text.append("}")
    }

    private func appendOpenCTI(to text: inout LogText) {
        text.append("{\"timestamp\":\"")
        // Microseconds, as Python writes them.
        text.append(plain: String(time.description.dropLast()))
        text.append("000Z\",\"level\":\"")
        text.append(plain: level.name.uppercased())
        text.append("\",\"name\":")
        var name = "sallyport"
        forEachField { field in
            if field.nameText == Self.connector, case .string(let text) = field.value { name = text }
        }
        text.append(quoted: name)
        text.append(",\"message\":")
        text.append(quoted: message)
        var isFirst = true
        forEachField { field in
            guard field.nameText != Self.connector else { return }
            text.append(isFirst ? ",\"attributes\":{" : ",")
            isFirst = false
            text.append(memberOf: field)
        }
        text.append(isFirst ? "}" : "}}")
    }

    private static let connector = StaticName("connector")
}

extension LogText {
    mutating func append(wordOf value: LogField.Value) {
        switch value {
        case .string(let text), .failure(_, let text): append(word: text)
        case .int(let number): append(plain: String(number))
        case .double(let number): append(plain: String(number))
        case .bool(let isTrue): append(isTrue ? "true" : "false")
        case .duration(let duration):
            append(plain: String(duration.inSeconds))
            append("s")
        }
    }

    mutating func append(memberOf field: LogField) {
        append(quoted: field.name)
        append(":")
        switch field.value {
        case .string(let text): append(quoted: text)
        case .int(let number): append(plain: String(number))
        case .double(let number): append(jsonNumber: number)
        case .bool(let isTrue): append(isTrue ? "true" : "false")
        case .duration(let duration): append(jsonNumber: duration.inSeconds)
        case .failure(let code, let text):
            append(quoted: text)
            guard let code else { return }
            append(",\"error.code\":")
            append(quoted: code)
        }
    }

    /// JSON has no infinity and no NaN: they become `null`.
    mutating func append(jsonNumber number: Double) {
        if number.isFinite { append(plain: String(number)) } else { append("null") }
    }
}
