// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import JSON
import SimulatorKit

/// Admin endpoints of enrichment; ``OpenCTIAdmin`` lists them.
struct EnrichmentAdmin {
    let vendor: OpenCTIVendor

    func add(to router: inout Router) {
        let vendor = vendor
        router.post("/_admin/observables") { request in
            guard let json = request.json else { return .now(.problem("the body is no JSON")) }
            let ids = vendor.read { platform in (json.array ?? [json]).map { platform.addObservable($0) } }
            return .now(.json(["ids": .array(ids.map(JSONValue.string))]))
        }
        router.on("DELETE", "/_admin/observables") { request in
            vendor.read { $0.knowledge.remove(request.query["id"] ?? "") }
            return .now(.done())
        }
        router.post("/_admin/enrichments") { request in
            guard let order = request.json else { return .now(.problem("the body is no JSON")) }
            return .later { await Self.ask(order, vendor) }
        }
        router.get("/_admin/bundles") { _ in
            let lines = vendor.read { platform in
                platform.knowledge.bundles.map { bundle -> JSONValue in
                    [
                        "way": .string(bundle.way), "message": .object(bundle.message),
                        "objects": .array(bundle.objects),
                    ]
                }
            }
            let text = lines.map { $0.text + "\n" }.joined()
            return .now(ServerResponse(contentType: "application/x-ndjson", bytes: Array(text.utf8)))
        }
        router.get("/_admin/knowledge") { _ in .now(.json(vendor.read { $0.knowledge.json })) }
        router.post("/_admin/works/forget") { _ in
            vendor.read { $0.works = [:] }
            return .now(.done())
        }
        router.post("/_admin/queues/forget") { _ in
            .later {
                do {
                    try await vendor.bus?.forgetConnectors()
                    return .done()
                } catch { return .problem("\(error)", status: 500) }
            }
        }
        router.post("/_admin/queues/delete") { request in
            let id = request.json?["id"]?.string
            guard let bus = vendor.bus, let connector = vendor.read({ $0.connector(id)?.id }) else {
                return .now(.problem("no such connector", status: 404))
            }
            return .later {
                do {
                    try await bus.deleteQueues(of: connector)
                    return .done()
                } catch { return .problem("\(error)", status: 500) }
            }
        }
    }

    private static func ask(_ json: JSONValue, _ vendor: OpenCTIVendor) async -> ServerResponse {
        guard let connector = vendor.read({ $0.connector(json["connector"]?.string) }), let bus = vendor.bus else {
            return .problem("no such connector", status: 404)
        }
        var messages: [[UInt8]] = []
        var works: [JSONValue] = []
        if let raw = json["raw"] {
            messages = (raw.array ?? [raw]).map { Array(($0.string ?? $0.text).utf8) }
        } else {
            let now = vendor.clock.now
            let entities = (json["entities"]?.array ?? []).compactMap(\.string)
            (messages, works) = vendor.read { platform in
                var messages: [[UInt8]] = []
                var works: [JSONValue] = []
                for entity in entities {
                    var order = Platform.EnrichmentOrder(entity: entity)
                    order.isPlaybook = json["playbook"]?.bool ?? false
                    order.event = json["event"]?.object ?? [:]
                    order.details = json["internal"]?.object ?? [:]
                    let (text, work) = platform.message(for: order, connector: connector.id, at: now)
                    messages.append(text)
                    if let work { works.append(.string(work)) }
                }
                return (messages, works)
            }
        }
        do {
            try await bus.send(messages, to: connector.id, callback: connector.input["listen_callback_uri"]?.string)
            return .json(["works": .array(works)])
        } catch { return .problem("\(error)", status: 500) }
    }
}

extension Platform {
    /// - Returns: the standard id.
    fileprivate mutating func addObservable(_ json: JSONValue) -> String {
        let entity = knowledge.addObservable(
            json["type"]?.string ?? "IPv4-Addr", value: json["value"]?.string ?? "")
        let names = json["markings"]?.array?.compactMap(\.string) ?? []
        let markings = Knowledge.markings.filter { names.contains($0.definition) }.map(\.standardID)
        for label in json["labels"]?.array?.compactMap(\.string) ?? [] where knowledge.labels[label] == nil {
            knowledge.labels[label] = KnownLabel(id: knowledge.newID(), value: label, color: "#89b5c4")
        }
        knowledge.change(entity.id) { entity in
            if !names.isEmpty { entity.markings = markings }
            if let text = json["description"]?.string { entity.description = text }
            if let score = json["score"]?.int { entity.score = score }
            if let labels = json["labels"]?.array { entity.labels = labels.compactMap(\.string) }
            for (key, value) in json["stix"]?.object ?? [:] { entity.stix[key] = value }
        }
        return entity.standardID
    }
}

extension Knowledge {
    /// What `GET /_admin/knowledge` shows.
    var json: JSONValue {
        [
            "entities": .array(
                entities.values.sorted { $0.standardID < $1.standardID }.map { entity in
                    [
                        "id": .string(entity.standardID), "type": .string(entity.type),
                        "value": entity.stix["value"] ?? .null, "labels": .array(entity.labels.map(JSONValue.string)),
                        "markings": .array(entity.markings.map(JSONValue.string)),
                        "description": entity.description.map(JSONValue.string) ?? .null,
                        "score": entity.score.map { .int($0) } ?? .null, "writes": .int(entity.writes),
                        "references": .array(
                            entity.references.compactMap { references[$0].map { .object($0.input) } }),
                    ]
                }),
            "labels": .array(
                labels.values.sorted { $0.value < $1.value }.map {
                    ["value": .string($0.value), "color": .string($0.color)]
                }),
            "references": .array(references.values.map { .object($0.input) }),
            "organizations": .array(organizations.values.map(JSONValue.object)),
            "notes": .array(notes.map { ["id": .string($0.key), "input": .object($0.value)] }),
            "drafts": .array(drafts),
            "objects": .object(
                JSONObject(objects.sorted { $0.key < $1.key }.map { (key: $0.key, value: .int($0.value)) })),
            "bundles": .int(bundles.count),
        ]
    }
}
