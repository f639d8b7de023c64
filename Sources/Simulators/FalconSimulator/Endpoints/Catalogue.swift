// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// What the tenant allows: actions, types, platforms, severities.
struct Catalogue {
    let caller: Caller
    let query: QueryItems

    func answer(to operation: FalconOperation) -> ServerResponse? {
        switch operation {
        case .actions: actions()
        case .actionIDs: list(IOCAction.allCases.map(\.name))
        case .types: list(IOCType.allCases.map(\.name))
        case .platforms: list(platforms)
        case .severities: list(severities)
        default: nil
        }
    }

    private var platforms: [String] {
        IOCPlatforms.names.filter { caller.settings.allowsMobile || !Self.mobile.contains($0) }
    }
    private static let mobile: Set<String> = ["android", "ios"]
    private var severities: [String] { IOCSeverity.allCases.dropFirst().map(\.name) }

    private func list(_ names: [String]) -> ServerResponse {
        let offset = query["offset"].flatMap { Int($0) } ?? 0
        let limit = query["limit"].flatMap { Int($0) } ?? 100
        let page = names.dropFirst(max(0, offset)).prefix(max(1, limit))
        var envelope = Envelope()
        envelope.paging = .init(limit: limit, offset: offset + page.count, total: names.count)
        return envelope.response(caller.trace) { writer in
            for name in page { writer.string(name) }
        }
    }

    private func actions() -> ServerResponse {
        let ids = query.all("ids")
        let wanted = ids.isEmpty ? IOCAction.allCases : ids.compactMap { IOCAction($0) }
        var envelope = Envelope()
        envelope.problems = ids.filter { IOCAction($0) == nil }.map {
            .init(code: 404, message: "action not found: '\($0)'", id: $0)
        }
        return envelope.response(caller.trace) { writer in
            for action in wanted {
                writer.beginObject()
                writer.key("id")
                writer.string(action.name)
                writer.key("platforms_by_type")
                writer.beginObject()
                for type in IOCType.allCases where type.isHash || !action.isForHashesOnly {
                    writer.key(type.name)
                    writer.beginArray()
                    for name in platforms where !(type == .md5 && Self.mobile.contains(name)) { writer.string(name) }
                    writer.endArray()
                }
                writer.endObject()
                writer.key("severities")
                writer.beginArray()
                if action != .allow { for name in severities { writer.string(name) } }
                writer.endArray()
                writer.endObject()
            }
        }
    }
}
