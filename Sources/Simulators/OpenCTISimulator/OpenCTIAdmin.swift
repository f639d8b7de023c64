// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import JSON
import SimulatorKit

/// OpenCTI's own admin endpoints.
///
/// | call | does |
/// | --- | --- |
/// | `GET /_admin/state` | the stream, what was sent, connections, pings, connectors with their states |
/// | `POST /_admin/events` | appends events as they are, one or a list: `{"id":…,"event":…,"data":{…}}`, with `raw` (a data line) or `frame` (bytes) for `data` |
/// | `GET /_admin/expected?mode=soft` | the IOCs that must stand at the target once every live event has happened (`at=now`: so far), one JSON line each |
/// | `POST /_admin/stream` `{"state":"stopped","cut":{…}}` | `running`, `stopped`, `private`, `public`; where connections break, `null` for nowhere |
/// | `GET /_admin/connector-state?id=` | the state that a connector (the only one) keeps at the platform |
/// | `POST /_admin/connector-state` `{"id":…,"state":{…}}` | puts it there, as if another program had |
/// | `POST /_admin/connector-state/reset` `{"id":…}` | what the button in the console does; without an id for all |
/// | `POST /_admin/connectors/forget` | the platform knows no connector any more |
/// | `POST /_admin/version` `{"version":"6.8.10"}` | becomes another version |
/// | `POST /_admin/feed` `{"live":true}` | lets the feed's live events begin; `{"count":1000,…}` loads another feed |
/// | `POST /_admin/trim` `{"firstEventId":"…-0"}` | drops older events of the log; without an id all there are |
/// | `POST /_admin/observables` `[{"type":"IPv4-Addr","value":…,"markings":["TLP:AMBER"],"description":…}]` | adds them; `{"ids":[…]}` |
/// | `DELETE /_admin/observables?id=` | takes one away |
/// | `POST /_admin/enrichments` `{"entities":[…],"connector":…,"playbook":false,"event":{…},"internal":{…}}` | asks for them, over RabbitMQ or the callback; `{"raw":"…"}` sends a message as it is |
/// | `GET /_admin/bundles` | what came back, one JSON line a bundle: way, message, objects |
/// | `GET /_admin/knowledge` | entities, labels, references, organizations, notes, drafts, objects with how often each came |
/// | `POST /_admin/queues/delete` | deletes the connector's queues; the next ping makes them again |
/// | `POST /_admin/works/forget` | deletes every work, as an operator may |
/// | `POST /_admin/settings` | changes `token`, `capabilities`, `stream_filters`, `heartbeat_ms`, `refuses_recovery`, `metrics_every`, `queue_bytes` |
///
/// A line of the expected table has `type`, `value`, `state`, and where it stands `severity`, `tags`, `platforms`,
/// `expiration`, `description`. States: `present`; `marked` with the tag `TO_DELETE` (mode `soft`), with `optional` where a
/// batch may have swallowed it whole; `deleted` (mode `permanent`); `vetoed`, kept out by guardrails.
///
/// Events that were given here are sent as they are, also while a recovery covers them; once trimmed they come from the
/// database. A reset drops them and ends open streams.
struct OpenCTIAdmin {
    let vendor: OpenCTIVendor

    func add(to router: inout Router) {
        let vendor = vendor
        router.get("/_admin/state") { _ in .now(.json(vendor.read { $0.json })) }
        router.post("/_admin/events") { request in
            do throws(GivenEventError) {
                guard let json = request.json else { throw GivenEventError("the body is no JSON") }
                var events: [GivenEvent] = []
                for value in json.array ?? [json] { events.append(try GivenEvent(value)) }
                let now = vendor.clock.now.milliseconds
                let ids = try vendor.change { [events] platform throws(GivenEventError) in
                    try platform.append(events, now: now)
                }
                return .now(.json(["ids": .array(ids.map { .string($0.description) })]))
            } catch {
                return .now(.problem(error.message))
            }
        }
        addFeed(to: &router)
        addStream(to: &router)
        addConnectors(to: &router)
        EnrichmentAdmin(vendor: vendor).add(to: &router)
        router.post("/_admin/settings") { request in
            guard let changes = request.json?.object else { return .now(.problem("send an object of settings")) }
            return .now(vendor.change { $0.configuration.apply(changes) }.map { .problem($0) } ?? .done())
        }
        router.post("/_admin/version") { request in
            let version = request.json?["version"]?.string ?? ""
            let isKnown = vendor.change { $0.change(version: version) }
            return .now(isKnown ? .done() : .problem(#"send {"version":"6.8.10"}"#))
        }
    }

    private func addFeed(to router: inout Router) {
        let vendor = vendor
        router.get("/_admin/expected") { request in
            let mode = request.query["mode"] ?? "soft"
            guard mode == "soft" || mode == "permanent" else { return .now(.problem("the mode is soft or permanent")) }
            let lines = vendor.expected(isPermanent: mode == "permanent", isNow: request.query["at"] == "now")
            let plain = vendor.read { $0.plain }
            return .now(.ndjson(ExpectedLines(lines: lines[...], plain: plain).next))
        }
        router.post("/_admin/feed") { request in
            guard let json = request.json?.object else {
                return .now(.problem(#"send {"live":true} or {"count":1000}"#))
            }
            let uptime = vendor.clock.uptime
            if let count = json["count"] {
                guard let count = count.int, (0...1_000_000).contains(count) else {
                    return .now(.problem("“count” is a number up to 1000000"))
                }
                let feed = FeedConfiguration(
                    count: Int(count), liveEvents: json["live_events"]?.int.map { Int($0) }, rate: json["rate"]?.double,
                    startsByHand: json["starts_by_hand"]?.bool ?? false)
                vendor.load(feed)
            }
            if json["live"]?.bool == true { vendor.change { $0.startLive(at: uptime) } }
            return .now(.done())
        }
    }

    private func addStream(to router: inout Router) {
        let vendor = vendor
        router.post("/_admin/stream") { request in
            guard let json = request.json?.object else { return .now(.problem(#"send {"state":"stopped"}"#)) }
            var access: Platform.Access?
            if let name = json["state"] {
                access = name.string.flatMap { Platform.Access(rawValue: $0) }
                guard access != nil else { return .now(.problem("the state is running, stopped, private or public")) }
            }
            var cut: StreamCut??
            if let value = json["cut"] {
                cut = .some(StreamCut(value))
                guard value.isNull || cut != .some(nil) else {
                    return .now(
                        .problem(#"a cut is {"frames":10,"place":"between|inside|group","way":"reset|end|silence"}"#))
                }
            }
            vendor.change { [access, cut] platform in
                if let access { platform.access = access }
                if let cut { platform.change(cut: cut) }
            }
            return .now(.done())
        }
        router.post("/_admin/trim") { request in
            let first = request.json?["firstEventId"]?.string
            let position = first.flatMap { Position(parsing: $0) }
            guard first == nil || position != nil else {
                return .now(.problem("an event id is <milliseconds>-<sequence>"))
            }
            let now = vendor.clock.now.milliseconds
            vendor.change { $0.log.trim(to: position ?? $0.log.lastID.following(at: now)) }
            return .now(.done())
        }
    }

    private func addConnectors(to router: inout Router) {
        let vendor = vendor
        router.get("/_admin/connector-state") { request in
            let id = request.query["id"]
            let text = vendor.read { platform in platform.connector(id)?.state }
            return .now(.json(text.flatMap { try? JSONValue(parsing: $0) } ?? .null))
        }
        router.post("/_admin/connector-state") { request in
            guard let json = request.json, let state = json["state"] else {
                return .now(.problem(#"send {"state":{…}}"#))
            }
            let isKnown = vendor.change { platform in
                guard let id = platform.connector(json["id"]?.string)?.id else { return false }
                platform.connectors[id]?.state = state.text
                return true
            }
            return .now(isKnown ? .done() : .problem("no such connector", status: 404))
        }
        router.post("/_admin/connector-state/reset") { request in
            vendor.change { $0.resetState(of: request.json?["id"]?.string) }
            return .now(.done())
        }
        router.post("/_admin/connectors/forget") { _ in
            vendor.change { $0.connectors = [:] }
            return .now(.done())
        }
    }
}

extension Platform {
    /// The one with that id; without an id the only one, or the one that registered with the smallest id.
    func connector(_ id: String?) -> ConnectorRecord? {
        id.map { connectors[$0] } ?? connectors.values.min { $0.id < $1.id }
    }

    /// What `GET /_admin/state` shows.
    var json: JSONValue {
        [
            "version": .string(configuration.version), "stream": .string(access.rawValue),
            "streamId": .string(configuration.streamID), "firstEventId": .string(log.firstID.description),
            "lastEventId": .string((log.last?.id ?? log.firstID).description), "events": .int(log.end - log.trimmed),
            "elements": .int(database.liveCount + plain.count), "eventsSent": .int(tallies.events),
            "bytesSent": .int(tallies.bytes), "connections": .int(tallies.connections),
            "openConnections": .int(tallies.openConnections), "pings": .int(tallies.pings),
            "registrations": .int(tallies.registrations), "liveLeft": .int(feed?.liveLeft ?? 0),
            "expected": .object(feed?.table.counts ?? [:]),
            "works": .array(works.values.sorted { $0.id < $1.id }.map(\.json)),
            "connectors": .array(
                connectors.values.sorted { $0.id < $1.id }.map { connector in
                    [
                        "id": .string(connector.id), "name": connector.input["name"] ?? .null,
                        "state": connector.state.map { (try? JSONValue(parsing: $0)) ?? .string($0) } ?? .null,
                        "pings": .int(connector.pings), "registrations": .int(connector.registrations),
                        "info": connector.info,
                    ]
                }),
        ]
    }
}

extension OpenCTIConfiguration {
    /// Changes what the JSON object names. Returns what is wrong with it.
    mutating func apply(_ changes: JSONObject) -> String? {
        for (key, value) in changes {
            switch (key, value) {
            case ("token", .string(let text)): token = text
            case ("stream_filters", .string(let text)): streamFilters = text
            case ("refuses_recovery", .bool(let flag)): refusesRecovery = flag
            case ("metrics_every", .null): metricsEvery = nil
            case ("metrics_every", _) where (value.int ?? 0) > 0: metricsEvery = value.int.map { Int($0) }
            case ("heartbeat_ms", _) where (value.int ?? 0) > 0: heartbeat = .milliseconds(value.int ?? 1_000)
            case ("queue_bytes", _) where (value.int ?? -1) >= 0: queueBytes = Int(value.int ?? 0)
            case ("capabilities", .array(let names)): capabilities = Set(names.compactMap(\.string))
            case ("token", _), ("stream_filters", _), ("refuses_recovery", _), ("metrics_every", _),
                ("heartbeat_ms", _), ("queue_bytes", _), ("capabilities", _):
                return "“\(key)” has a value of the wrong kind"
            default: return "there is no setting “\(key)”"
            }
        }
        return nil
    }
}
