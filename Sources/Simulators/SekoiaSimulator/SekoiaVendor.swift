// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPServer
import JSON
public import SimulatorKit
import Synchronization

/// How the simulated Sekoia.io behaves.
public struct SekoiaConfiguration: Sendable {
    public var options = SimulatorOptions()
    public var intakeKey = Self.defaultKey
    /// Bodies are counted by their frame and not looked into: for measuring others than this program.
    public var onlyCounts = false
    /// Events are kept for `GET /_admin/events`, at most 64 MiB of them.
    public var keepsEvents = true
    /// Events that contain one of these texts are refused with 400, with all that came with them.
    public var poison: [String] = []

    /// The key that is accepted when nobody says otherwise. It opens nothing but this simulator.
    public static let defaultKey = "sim-intake-key-7f3a"

    public var assetKey = Self.defaultAssetKey
    /// Batches of assets are answered with a task that has ended when it is asked after.
    public var answersWithTasks = false
    /// As ``defaultKey``, for assets.
    public static let defaultAssetKey = "sim-asset-key-51c9"

    public init() {
        // Bodies may be as large as the real intake takes them.
        options.maxBodyBytes = 12 << 20
    }
}

/// A simulated Sekoia.io over real HTTP: the intake.
public struct SimulatedSekoia: Sendable {
    public let server: SimulatorServer
    public var baseURL: String { server.baseURL }

    public init(
        _ configuration: SekoiaConfiguration = SekoiaConfiguration(), time: any TimeSource = SystemTime()
    ) throws(WebServerError) {
        let clock = SimulatorClock(time)
        server = try SimulatorServer(
            SekoiaVendor(configuration, clock: clock), configuration.options, clock: clock)
    }
}

/// `POST /batch` as Sekoia's intake takes it. Source: Sekoia.io module, 1.4.
final class SekoiaVendor: SimulatedVendor {
    static let maxBodyBytes = 10_485_760
    static let maxEventScalars = 250_000

    private let initial: SekoiaConfiguration
    private let settings: Mutex<SekoiaConfiguration>
    private let clock: SimulatorClock
    let ledger = IntakeLedger()
    let assets = AssetLedger()

    init(_ configuration: SekoiaConfiguration, clock: SimulatorClock) {
        initial = configuration
        settings = Mutex(configuration)
        self.clock = clock
    }

    func operation(of request: ServerRequest) -> String {
        if request.path == "/batch", request.method == "POST" { return "intake_batch" }
        return AssetLedger.operation(of: request) ?? "unknown"
    }

    func answer(to request: ServerRequest, operation: String) -> Answer {
        if let verdict = assets.answer(to: request, operation, settings.withLock { $0 }) {
            switch verdict {
            case .taken(let body): return .now(.json(body))
            case .refused(let status, let message):
                return .now(refusal(status: status, message: message, retryAfter: 0))
            }
        }
        guard operation == "intake_batch" else { return .now(refusal(status: 404, message: nil, retryAfter: 0)) }
        let settings = settings.withLock { $0 }
        if settings.onlyCounts {
            ledger.count(bytes: request.body.count, at: clock.uptime)
            return .now(.json(Array(#"{"event_ids":[]}"#.utf8)))
        }
        return .now(take(request.body, settings))
    }

    private func take(_ body: [UInt8], _ settings: SekoiaConfiguration) -> ServerResponse {
        guard body.count <= Self.maxBodyBytes else {
            return refusal(status: 413, message: "Request Entity Too Large", retryAfter: 0)
        }
        guard let json = try? JSONValue(parsing: body), let events = json["jsons"]?.array?.map({ $0.string }) else {
            return refusal(status: 400, message: "invalid JSON", retryAfter: 0)
        }
        guard json["intake_key"]?.string == settings.intakeKey else {
            return refusal(status: 401, message: "unknown intake key", retryAfter: 0)
        }
        var lines: [[UInt8]] = []
        var offsets: [UInt64?] = []
        var created: [Int64?] = []
        for event in events {
            guard let event, !event.isEmpty, event.unicodeScalars.count <= Self.maxEventScalars,
                !settings.poison.contains(where: { event.contains($0) })
            else {
                ledger.refused(1)
                return refusal(status: 400, message: "an event is not acceptable", retryAfter: 0)
            }
            let line = Array(event.utf8)
            let metadata = (try? JSONValue(parsing: line))?["metadata"]
            lines.append(line)
            offsets.append(metadata?["offset"]?.number?.uint64)
            created.append(metadata?["eventCreationTime"]?.int)
        }
        ledger.count(bytes: body.count, at: clock.uptime)
        ledger.take(
            lines, offsets: offsets, created: created, keeps: settings.keepsEvents, at: clock.now.milliseconds)
        let ids = lines.indices.map { JSONValue.string("00000000-0000-4000-8000-\($0)") }
        return .json(["event_ids": .array(ids)])
    }

    func refusal(status: Int, message: String?, retryAfter: Int) -> ServerResponse {
        var response = ServerResponse.json(
            ["message": .string(message ?? "status \(status)"), "code": .string("E\(status)")], status: status)
        if status == 429 || status == 503 { response.headers["Retry-After"] = "\(retryAfter)" }
        return response
    }

    func administer(_ router: inout Router) { SekoiaAdmin(vendor: self).add(to: &router) }

    func reset() {
        settings.withLock { $0 = initial }
        ledger.reset()
        assets.reset()
    }

    func change(_ body: (inout SekoiaConfiguration) -> Void) { settings.withLock { body(&$0) } }
}

/// Sekoia's own admin endpoints.
///
/// | call | does |
/// | --- | --- |
/// | `GET /_admin/intake` | batches, events, distinct offsets, repeats, delays |
/// | `GET /_admin/events` | the events that were kept, a line each, in the order of arrival |
/// | `GET /_admin/assets` | pushes, assets, distinct ones, repeats |
/// | `GET /_admin/assets/items` | the first 10,000 assets in the order of arrival |
/// | `POST /_admin/settings` `{"poison":["text"],"intake_key":"…","only_counts":false,"keeps_events":true}` | changes them |
private struct SekoiaAdmin {
    let vendor: SekoiaVendor

    func add(to router: inout Router) {
        let vendor = vendor
        router.get("/_admin/intake") { _ in .now(.json(vendor.ledger.json())) }
        router.get("/_admin/events") { _ in
            let lines = vendor.ledger.kept
            let position = Mutex(0)
            return .now(
                .ndjson {
                    let index = position.withLock { position in
                        defer { position += 1 }
                        return position
                    }
                    return index < lines.count ? lines[index] + [UInt8(ascii: "\n")] : nil
                })
        }
        router.get("/_admin/assets") { _ in .now(.json(vendor.assets.summary)) }
        router.get("/_admin/assets/items") { _ in .now(.json(.array(vendor.assets.kept))) }
        router.post("/_admin/settings") { request in
            guard let changes = request.json?.object else { return .now(.problem("send an object")) }
            vendor.change { settings in
                if let texts = changes["poison"]?.array { settings.poison = texts.compactMap(\.string) }
                if let key = changes["intake_key"]?.string { settings.intakeKey = key }
                if let key = changes["asset_key"]?.string { settings.assetKey = key }
                if let flag = changes["answers_with_tasks"]?.bool { settings.answersWithTasks = flag }
                if let flag = changes["only_counts"]?.bool { settings.onlyCounts = flag }
                if let flag = changes["keeps_events"]?.bool { settings.keepsEvents = flag }
            }
            return .now(.done())
        }
    }
}
