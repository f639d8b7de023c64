// SPDX-License-Identifier: Apache-2.0

public import HTTPServer
public import JSON

/// What a simulator adds to the shared server: the vendor's answers, its error shapes and its own admin endpoints.
public protocol SimulatedVendor: AnyObject, Sendable {
    /// The vendor's name of what a request asks for; `unknown` for none. Counters and faults go by it.
    func operation(of request: ServerRequest) -> String
    /// The vendor's answer. Called on the server's threads: it must not block.
    func answer(to request: ServerRequest, operation: String) -> Answer
    /// An error answer in the vendor's shape and with its headers, for faults.
    func refusal(status: Int, message: String?, retryAfter: Int) -> ServerResponse
    /// Adds the vendor's endpoints below `/_admin`.
    func administer(_ router: inout Router)
    /// Back to the state of the start.
    func reset()
}

/// What every simulator can be started with.
public struct SimulatorOptions: Sendable {
    /// IPv4 or IPv6 address to listen at.
    public var address = "127.0.0.1"
    /// 0 takes any free port.
    public var port: UInt16 = 0
    /// Threads that serve requests.
    public var threads = 2
    /// Every vendor answer comes so much later. Connections wait for it, threads do not.
    public var latency: Duration = .zero
    /// Decides what is struck by a fault with a probability, and the feed.
    public var seed: UInt64 = 1
    public var faults: [FaultRule] = []
    /// Keeps the requests for `GET /_admin/requests`, at most 64 MiB of them.
    public var recordsRequests = false
    public var maxBodyBytes = 64 << 20

    public init() {}
}

extension ServerRequest {
    /// The body as JSON; `nil` when it is none.
    public var json: JSONValue? { try? JSONValue(parsing: body) }
}

extension ServerResponse {
    public static func json(_ value: JSONValue, status: Int = 200) -> ServerResponse {
        .json(value.bytes, status: status)
    }
}
