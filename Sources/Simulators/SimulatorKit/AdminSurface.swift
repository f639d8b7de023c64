// SPDX-License-Identifier: Apache-2.0

import Base
public import HTTPServer
import JSON
import Synchronization

/// The admin endpoints that all simulators share; ``SimulatorServer`` lists them.
struct AdminSurface {
    let log: RequestLog
    let faults: FaultPlan
    let script: Script
    let clock: SimulatorClock
    let vendor: any SimulatedVendor

    func add(to router: inout Router) {
        router.notFound = { .now(.problem("there is no admin endpoint \($0.method) \($0.path)", status: 404)) }
        router.get("/_admin/counters") { [log] _ in .now(.json(log.json())) }
        router.get("/_admin/requests") { [log] _ in .now(.lines(log.lines())) }
        router.post("/_admin/recording") { [log] request in
            guard let isOn = request.json?["enabled"]?.bool else { return .now(.problem(#"send {"enabled":true}"#)) }
            log.isRecording = isOn
            return .now(.done())
        }
        router.get("/_admin/faults") { [faults] _ in .now(.json(faults.json())) }
        router.on("DELETE", "/_admin/faults") { [faults] _ in
            faults.clear()
            return .now(.done())
        }
        router.post("/_admin/faults") { [faults] request in
            do throws(FaultRuleError) {
                faults.add(try Self.rules(in: request))
                return .now(.done())
            } catch {
                return .now(.problem(error.description))
            }
        }
        router.post("/_admin/script") { [script] request in
            let values = request.json.map { $0.array ?? [$0] } ?? []
            let lines = values.compactMap { Script.Line($0) }
            guard !values.isEmpty, lines.count == values.count else {
                return .now(.problem("each scripted answer needs method, path, and status or exception"))
            }
            script.add(lines)
            return .now(.done())
        }
        router.post("/_admin/clock") { [clock] request in
            switch request.json?["now"] {
            case .null?: clock.set(nil)
            case .string(let text)?:
                guard let moment = Instant(parsing: text) else { return .now(.problem("“now” is no RFC 3339 time")) }
                clock.set(moment)
            default: return .now(.problem(#"send {"now":"2026-01-01T00:00:00Z"} or {"now":null}"#))
            }
            return .now(.json(["now": .string(clock.now.description)]))
        }
        router.post("/_admin/reset") { [log, faults, script, clock, vendor] _ in
            log.reset()
            faults.reset()
            script.reset()
            clock.set(nil)
            vendor.reset()
            return .now(.done())
        }
    }

    private static func rules(in request: ServerRequest) throws(FaultRuleError) -> [FaultRule] {
        guard let json = request.json else { throw .empty }
        var rules: [FaultRule] = []
        for value in json.array ?? [json] {
            if let text = value.string {
                rules.append(try FaultRule(parsing: text))
            } else {
                rules.append(try FaultRule(value.object ?? [:]))
            }
        }
        return rules
    }
}

extension ServerResponse {
    /// `{"ok":true}`
    public static func done() -> ServerResponse { .json(["ok": true]) }

    /// `{"error":"…"}`, for admin endpoints.
    public static func problem(_ text: String, status: Int = 400) -> ServerResponse {
        .json(["error": .string(text)], status: status)
    }

    /// Newline-delimited JSON from lines that end in `\n`.
    public static func lines(_ lines: [[UInt8]]) -> ServerResponse {
        let position = Mutex(0)
        return .ndjson {
            let start = position.withLock { position in
                defer { position += 256 }
                return position
            }
            guard start < lines.count else { return nil }
            return Array(lines[start..<min(start + 256, lines.count)].joined())
        }
    }

    /// Newline-delimited JSON, pulled piece by piece.
    public static func ndjson(_ next: @escaping @Sendable () -> [UInt8]?) -> ServerResponse {
        pieces(contentType: "application/x-ndjson", next)
    }

    /// A body in pieces that are made without waiting, as fast as the client takes them.
    public static func pieces(
        contentType: String, _ next: @escaping @Sendable () -> [UInt8]?
    ) -> ServerResponse {
        ServerResponse(headers: ["Content-Type": contentType], body: .stream(PiecewiseBody(next: next)))
    }
}

/// Pieces that are made without waiting.
final class PiecewiseBody: ResponseBody {
    private struct State {
        var piece: [UInt8] = []
        var offset = 0
    }
    private let next: @Sendable () -> [UInt8]?
    private let state = Mutex(State())

    init(next: @escaping @Sendable () -> [UInt8]?) { self.next = next }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, pull: Pull) -> Filled {
        state.withLock { state in
            while state.offset == state.piece.count {
                guard let piece = next() else { return .end }
                state.piece = piece
                state.offset = 0
            }
            let count = min(buffer.count, state.piece.count - state.offset)
            buffer.copyBytes(from: state.piece[state.offset..<state.offset + count])
            state.offset += count
            return .bytes(count)
        }
    }

    func close() {}
}
