// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON
import SimulatorKit
import Synchronization

/// Falcon's own admin endpoints.
///
/// | call | does |
/// | --- | --- |
/// | `GET /_admin/iocs?deleted=true&cid=` | every IOC as the API shows it, one JSON line each; live ones only by default |
/// | `POST /_admin/iocs` | loads IOCs as they are, rules not applied: a list of objects, ids and bookkeeping kept |
/// | `POST /_admin/iocs/generate` `{"count":1000,"created_by":…}` | loads plain IOCs |
/// | `GET /_admin/states` | live IOCs by type and action; writes accepted and refused |
/// | `POST /_admin/settings` | changes ``FalconConfiguration`` while it runs, keys in snake case |
/// | `POST /_admin/tokens/revoke` | makes every token invalid |
/// | `POST /_admin/sightings` | hosts and processes that have seen a value |
/// | `POST /_admin/entities/{kind}` | loads `hosts`, `host_groups`, `alerts`, `quarantined_files`, `cases`, `message_cases`, `incidents`, `behaviors`, `policies`, `users`, `identities` or `logins`: a list of objects as the API shows them |
/// | `GET /_admin/entities/{kind}` | all of them, as they stand now |
/// | `POST /_admin/hosts/generate` `{"count":1000}` | plain hosts, the newest first seen now |
/// | `POST /_admin/hosts/remove` `{"ids":[…]}` | takes hosts out of the lists |
/// | `POST /_admin/samples` `[{"content":"alpha"},{"bytes":1048576,"seed":7,"deflated":true,"descriptor":true,"shape":"ok"}]` | files that can be downloaded; their hashes are answered. `sha256` names another hash, ``StoredSample/Shape`` what is wrong with the archive |
/// | `GET /_admin/samples` | the most archives that were on their way at once |
/// | `GET /_admin/acts` | what was done to alerts, files, hosts and cases, one JSON line each: operation, action, body |
/// | `GET /_admin/violations` | requests that broke the contract, one JSON line each |
struct FalconAdmin {
    let vendor: FalconVendor

    func add(to router: inout Router) {
        let vendor = vendor
        addEntities(to: &router)
        router.get("/_admin/iocs") { request in .now(dump(vendor, request)) }
        router.post("/_admin/iocs") { request in
            do {
                return .now(try vendor.parse(request.body) { try load($0, vendor, request.query["cid"] ?? "") })
            } catch let refusal as Refusal {
                return .now(.problem(refusal.message))
            } catch {
                return .now(.problem("\(error)"))
            }
        }
        router.post("/_admin/iocs/generate") { request in
            guard let count = request.json?["count"]?.int, count >= 0 else {
                return .now(.problem(#"send {"count":1000}"#))
            }
            let creator = request.json?["created_by"]?.string ?? FalconConfiguration.defaultClient.id
            vendor.withTable("") { generate(Int(count), creator, vendor.now, &$0) }
            return .now(.done())
        }
        router.get("/_admin/states") { request in
            .now(.json(vendor.withTable(request.query["cid"] ?? "") { $0.states(at: vendor.now) }))
        }
        router.post("/_admin/settings") { request in
            guard let changes = request.json?.object else { return .now(.problem("send an object of settings")) }
            return .now(vendor.change(changes).map { .problem($0) } ?? .done())
        }
        router.post("/_admin/tokens/revoke") { _ in
            vendor.revokeAll()
            return .now(.done())
        }
        router.post("/_admin/sightings") { request in
            guard let value = request.json, vendor.addSighting(value) else {
                return .now(.problem("send type, value and devices"))
            }
            return .now(.done())
        }
    }

    private func addEntities(to router: inout Router) {
        let vendor = vendor
        router.post("/_admin/entities/{kind}") { request in
            guard let objects = request.json?.array?.compactMap(\.object) else {
                return .now(.problem("send a list of objects"))
            }
            let kind = request.parameters["kind"] ?? ""
            guard let count = vendor.withEntities({ $0.load(kind, objects) }) else {
                return .now(.problem("there is no kind “\(kind)”"))
            }
            return .now(.json(["loaded": .int(count)]))
        }
        router.get("/_admin/entities/{kind}") { request in
            guard let rows = vendor.withEntities({ $0.dump(request.parameters["kind"] ?? "") }) else {
                return .now(.problem("there is no such kind"))
            }
            return .now(.json(.array(rows.map { .object($0) })))
        }
        router.post("/_admin/samples") { request in
            var hashes: [JSONValue] = []
            for value in request.json?.array ?? [] {
                guard let sample = StoredSample(value) else {
                    return .now(.problem(#"send [{"content":"alpha"}] or [{"bytes":1048576,"seed":7}]"#))
                }
                let hash = value["sha256"]?.string ?? sample.sha256
                vendor.withEntities { $0.samples.put(sample, as: hash) }
                hashes.append(.string(hash))
            }
            return .now(.json(["sha256": .array(hashes)]))
        }
        router.get("/_admin/samples") { _ in
            .now(.json(["most_downloads": .int(vendor.withEntities { $0.samples.traffic.most })]))
        }
        router.get("/_admin/acts") { _ in .now(Self.lines(vendor.withEntities { $0.acts })) }
        router.get("/_admin/violations") { _ in .now(Self.lines(vendor.withEntities { $0.violations })) }
        router.post("/_admin/hosts/generate") { request in
            guard let count = request.json?["count"]?.int, count >= 0 else {
                return .now(.problem(#"send {"count":1000}"#))
            }
            vendor.withEntities { $0.hosts.generate(Int(count), now: vendor.now) }
            return .now(.done())
        }
        router.post("/_admin/hosts/remove") { request in
            let ids = (request.json?["ids"]?.array ?? []).compactMap(\.string)
            vendor.withEntities { $0.hosts.hidden.formUnion(ids) }
            return .now(.done())
        }
    }

    private static func lines(_ objects: [JSONObject]) -> ServerResponse {
        .lines(objects.map { JSONValue.object($0).bytes + [UInt8(ascii: "\n")] })
    }

    private func dump(_ vendor: FalconVendor, _ request: ServerRequest) -> ServerResponse {
        let showsDeleted = request.query["deleted"] == "true"
        let cid = request.query["cid"] ?? ""
        let position = Mutex(0)
        return .ndjson {
            position.withLock { next in
                vendor.withTable(cid) { table in
                    guard next < table.rows.count else { return nil }
                    var writer = JSONWriter(reserving: 256 << 10)
                    while next < table.rows.count, writer.bytes.count < 250_000 {
                        if showsDeleted || !table.rows[next].isDeleted {
                            table.write(next, at: vendor.now, into: &writer)
                            writer.endLine()
                        }
                        next += 1
                    }
                    return writer.bytes
                }
            }
        }
    }

    private func load(_ root: JSONElement, _ vendor: FalconVendor, _ cid: String) throws -> ServerResponse {
        var drafts: [(IOCDraft, IOCType, String)] = []
        try root.forEachElement { item in
            let draft = try IOCDraft(item, isSeed: true)
            guard let type = draft.type.value.flatMap({ IOCType($0) }), let value = draft.value.value else {
                throw Refusal("each IOC needs a type and a value")
            }
            drafts.append((draft, type, value))
        }
        let now = vendor.now
        let client = FalconConfiguration.defaultClient.id
        vendor.withTable(cid) { [drafts] table in
            for (draft, type, value) in drafts {
                _ = table.create(draft, type, value, by: client, at: now, id: draft.id)
            }
        }
        return .json(["loaded": .int(drafts.count)])
    }

    private func generate(_ count: Int, _ creator: String, _ now: Int64, _ table: inout IOCTable) {
        var draft = IOCDraft()
        draft.action = .value(.detect)
        draft.mobileAction = .value(.detect)
        draft.severity = .value(.medium)
        draft.platforms = .value(.desktop)
        draft.source = .value("generated")
        for number in 0..<count {
            _ = table.create(draft, .domain, "host\(number).generated.example", by: creator, at: now)
        }
    }
}
