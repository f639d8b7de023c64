// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import JSON
import SimulatorKit

/// The console's own admin endpoints.
///
/// | call | does |
/// | --- | --- |
/// | `GET /_admin/rules?kind=IOCRule` | every rule of a collection, one JSON line each |
/// | `POST /_admin/rules?kind=IOCRule` | loads rules as they are: a list of objects, ids and bookkeeping kept |
/// | `DELETE /_admin/rules?kind=IOCRule&id=` | takes a rule away, as somebody in the console would |
/// | `GET`, `POST /_admin/sources?kind=IOCRule` | source lists |
/// | `POST /_admin/alerts` | adds security events: a list of objects |
/// | `POST /_admin/alerts/generate` `{"count":100,"threats":5}` | adds invented ones |
/// | `POST /_admin/alerts/status` `{"id":…,"status":…,"last_update":…}` | changes one as an analyst would |
/// | `POST /_admin/threats` `{"threats":[…],"notes":{"41":{…}}}` | adds threats and notes |
/// | `GET /_admin/states` | rules by collection and state, events, threats |
/// | `POST /_admin/settings` | changes ``HarfangLabConfiguration`` while it runs, keys in snake case |
struct HarfangLabAdmin {
    let vendor: HarfangLabVendor

    func add(to router: inout Router) {
        let vendor = vendor
        addRules(to: &router)
        router.post("/_admin/alerts") { request in
            guard let alerts = request.json?.array?.compactMap(\.object) else {
                return .now(.problem("send a list of security events"))
            }
            vendor.withState { state in for alert in alerts { state.events.add(alert: alert) } }
            return .now(.done())
        }
        router.post("/_admin/alerts/generate") { request in
            let seed = EventSeed(seed: UInt64(clamping: request.json?["seed"]?.int ?? 1), now: vendor.now)
            let alerts = Int(request.json?["count"]?.int ?? 0)
            let threats = Int(request.json?["threats"]?.int ?? 0)
            vendor.withState { seed.fill(&$0.events, &$0.tables, alerts: alerts, threats: threats) }
            return .now(.done())
        }
        router.post("/_admin/alerts/status") { request in
            guard let id = request.json?["id"]?.string, let status = request.json?["status"]?.string else {
                return .now(.problem("send id and status"))
            }
            let moment = request.json?["last_update"]?.string ?? vendor.now.description
            let isKnown = vendor.withState { $0.events.setStatus(status, of: id, now: moment) }
            return .now(isKnown ? .done() : .problem("there is no such event", status: 404))
        }
        router.post("/_admin/threats") { request in
            let threats = request.json?["threats"]?.array?.compactMap(\.object) ?? []
            let notes = request.json?["notes"]?.object ?? [:]
            vendor.withState { state in
                state.events.threats += threats
                for (id, note) in notes { state.events.notes[id] = note }
            }
            return .now(.done())
        }
        router.get("/_admin/alerts") { _ in
            .now(.lines(vendor.withState { $0.events.alerts }.map { JSONValue.object($0).bytes + [0x0A] }))
        }
        router.get("/_admin/states") { _ in .now(.json(vendor.withState { Self.states($0) })) }
        router.post("/_admin/settings") { request in
            guard let changes = request.json?.object else { return .now(.problem("send an object of settings")) }
            return .now(vendor.withState { $0.settings.apply(changes) }.map { .problem($0) } ?? .done())
        }
    }

    private func addRules(to router: inout Router) {
        let vendor = vendor
        router.get("/_admin/rules") { request in
            guard let kind = Self.kind(request) else { return .now(Self.unknownKind) }
            let rows = vendor.withState { $0.tables[kind]?.all ?? [] }
            return .now(.lines(rows.map { JSONValue.object($0).bytes + [0x0A] }))
        }
        router.post("/_admin/rules") { request in
            guard let kind = Self.kind(request), let rows = request.json?.array else { return .now(Self.unknownKind) }
            let now = vendor.now.description
            return .now(
                vendor.withState { state in
                    do throws(RuleTable.Refusal) {
                        for row in rows {
                            try state.with(kind) { table throws(RuleTable.Refusal) in
                                if let source = row["source_id"]?.string, !table.hasSource(source) {
                                    _ = try table.addSource([
                                        "id": .string(source), "name": .string("source " + source),
                                    ])
                                }
                                _ = try table.insert(row, now: now, foldsHashes: false, isSeed: true)
                            }
                        }
                        return .json(["loaded": .int(rows.count)])
                    } catch {
                        return .json(error.body, status: 400)
                    }
                })
        }
        router.on("DELETE", "/_admin/rules") { request in
            guard let kind = Self.kind(request), let id = request.query["id"] else { return .now(Self.unknownKind) }
            let isGone = vendor.withState { $0.tables[kind]?.remove(id) ?? false }
            return .now(isGone ? .done() : .problem("there is no such rule", status: 404))
        }
        router.get("/_admin/sources") { request in
            guard let kind = Self.kind(request) else { return .now(Self.unknownKind) }
            return .now(.json(.array(vendor.withState { $0.tables[kind]?.sources ?? [] }.map { .object($0) })))
        }
        router.post("/_admin/sources") { request in
            guard let kind = Self.kind(request), let body = request.json else { return .now(Self.unknownKind) }
            return .now(
                vendor.withState { state in
                    do throws(RuleTable.Refusal) {
                        let source = try state.with(kind) { table throws(RuleTable.Refusal) in
                            try table.addSource(body)
                        }
                        return .json(.object(source))
                    } catch {
                        return .json(error.body, status: 400)
                    }
                })
        }
    }

    private static func kind(_ request: ServerRequest) -> RuleCollection? {
        RuleCollection(rawValue: request.query["kind"] ?? RuleCollection.ioc.rawValue)
    }

    private static let unknownKind = ServerResponse.problem("kind is IOCRule, SigmaRule or YaraFile; send a list")

    private static func states(_ state: HarfangLabVendor.State) -> JSONValue {
        var members = JSONObject()
        for collection in RuleCollection.allCases {
            let rows = state.tables[collection]?.all ?? []
            members[collection.rawValue] = [
                "total": .int(rows.count), "enabled": .int(rows.filter { $0["enabled"]?.bool ?? false }.count),
            ]
        }
        members["alerts"] = .int(state.events.alerts.count)
        members["threats"] = .int(state.events.threats.count)
        return .object(members)
    }
}
