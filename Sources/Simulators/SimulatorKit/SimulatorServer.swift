// SPDX-License-Identifier: Apache-2.0

import Base
public import HTTPServer
import JSON

/// A simulated vendor behind a real HTTP server, with faults, scripted answers, counters and an admin surface.
///
/// Admin endpoints, all JSON:
///
/// | call | does |
/// | --- | --- |
/// | `GET /_admin/counters` | requests by operation and status |
/// | `GET /_admin/requests` | recorded requests, one JSON line each |
/// | `POST /_admin/recording` `{"enabled":true}` | starts or stops recording |
/// | `GET`, `POST`, `DELETE /_admin/faults` | lists, adds (one rule or a list), forgets faults |
/// | `POST /_admin/script` | adds scripted answers (one or a list); they come before everything else |
/// | `POST /_admin/clock` `{"now":"2026-01-01T00:00:00Z"}` | moves the vendor's clock; `null` goes back to the real time |
/// | `POST /_admin/reset` | everything as at the start |
///
/// Each vendor adds its own.
public final class SimulatorServer: Sendable {
    private let web: WebServer
    private let front: Front

    public init(_ vendor: any SimulatedVendor, _ options: SimulatorOptions, clock: SimulatorClock)
        throws(WebServerError)
    {
        let front = Front(vendor, options, clock)
        self.front = front
        var configuration = WebServer.Configuration()
        configuration.address = options.address
        configuration.port = options.port
        configuration.threads = options.threads
        configuration.maxHeaderBytes = 64 << 10
        configuration.maxBodyBytes = options.maxBodyBytes
        configuration.streamBlockBytes = 256 << 10
        configuration.idleTimeout = .seconds(300)
        web = try WebServer(configuration, time: clock) { front.answer(to: $0) }
    }

    /// `http://address:port`, without a trailing slash.
    public var baseURL: String { web.baseURL }
    public var port: UInt16 { web.port }

    /// Where the admin endpoints are: `http://address:port/_admin`.
    public var adminURL: String { web.baseURL + "/_admin" }

    /// Ends after the requests in work, or after `grace`.
    public func stop(within grace: Duration = .seconds(1)) async { await web.stop(within: grace) }
}

/// What stands between the server and the vendor.
final class Front: Sendable {
    private let vendor: any SimulatedVendor
    private let options: SimulatorOptions
    private let clock: SimulatorClock
    private let log: RequestLog
    private let faults: FaultPlan
    private let script = Script()
    private let admin: Router

    init(_ vendor: any SimulatedVendor, _ options: SimulatorOptions, _ clock: SimulatorClock) {
        self.vendor = vendor
        self.options = options
        self.clock = clock
        log = RequestLog(isRecording: options.recordsRequests)
        faults = FaultPlan(options.faults, seed: options.seed)
        var admin = Router()
        AdminSurface(log: log, faults: faults, script: script, clock: clock, vendor: vendor).add(to: &admin)
        vendor.administer(&admin)
        self.admin = admin
    }

    func answer(to request: ServerRequest) -> Answer {
        if request.path.hasPrefix("/_admin/") { return admin.answer(to: request) }
        let operation = vendor.operation(of: request)
        let (fault, latencies) = faults.strike(method: request.method, path: request.path, operation: operation)
        let slowness = latencies.reduce(options.latency) { $0 + .milliseconds($1.argument) }
        let answer: Answer
        if let line = script.next(method: request.method, path: request.path) {
            answer = .now(line.answer ?? broken)
        } else if let fault, let early = instead(fault) {
            answer = .now(early)
        } else {
            answer = vendor.answer(to: request, operation: operation)
        }
        switch answer {
        case .now(let response): return .now(finish(response, fault, slowness, request, operation))
        case .later(let respond):
            return .later { self.finish(await respond(), fault, slowness, request, operation) }
        }
    }

    private var broken: ServerResponse {
        var response = ServerResponse(status: 0)
        response.ending = .reset(afterBytes: nil)
        return response
    }

    /// The answer of a fault that keeps the request from being applied.
    private func instead(_ fault: FaultRule) -> ServerResponse? {
        switch fault.kind {
        case .status:
            return vendor.refusal(status: fault.argument, message: fault.message, retryAfter: fault.retryAfter)
        case .html:
            let page = "<html><head><title>\(fault.argument)</title></head><body><h1>Bad Gateway</h1></body></html>\n"
            return ServerResponse(status: fault.argument, contentType: "text/html", bytes: Array(page.utf8))
        case .resetBefore: return broken
        case .halfOpen:
            var response = ServerResponse(status: 0)
            response.ending = .silence(afterBytes: nil, lasting: .seconds(fault.lasting))
            return response
        case .resetAfter, .cut, .end, .stall, .latency, .slow: return nil
        }
    }

    private func finish(
        _ response: ServerResponse, _ fault: FaultRule?, _ slowness: Duration, _ request: ServerRequest,
        _ operation: String
    ) -> ServerResponse {
        var response = response
        if slowness > .zero { response.delay += slowness }
        if let fault { spoil(&response, fault) }
        switch response.ending {
        case .reset(afterBytes: nil), .silence(afterBytes: nil, _): log.count(operation, status: 0)
        default: log.count(operation, status: response.status)
        }
        log.record(request, operation: operation, status: response.status)
        return response
    }

    /// Faults that strike an answer whose request is applied.
    private func spoil(_ response: inout ServerResponse, _ fault: FaultRule) {
        let bytes = fault.argument
        switch (fault.kind, response.body) {
        case (.resetAfter, _): response.ending = .reset(afterBytes: nil)
        case (.cut, .bytes), (.end, .bytes): response.ending = .reset(afterBytes: bytes)
        case (.stall, .bytes): response.ending = .silence(afterBytes: bytes, lasting: .seconds(fault.lasting))
        case (.slow, .bytes(let whole)):
            let body = FaultedBody(BytesBody(whole), bytesPerSecond: max(1, bytes), time: clock)
            response.body = .stream(body)
        case (.cut, .stream(let body)):
            response.body = .stream(FaultedBody(body, limit: bytes, end: .reset, time: clock))
        case (.end, .stream(let body)):
            response.body = .stream(FaultedBody(body, limit: bytes, end: .orderly, time: clock))
        case (.stall, .stream(let body)):
            let silence = FaultedBody.End.silence(.seconds(fault.lasting))
            response.body = .stream(FaultedBody(body, limit: bytes, end: silence, time: clock))
        case (.slow, .stream(let body)):
            response.body = .stream(FaultedBody(body, bytesPerSecond: max(1, bytes), time: clock))
        default: break
        }
    }
}
