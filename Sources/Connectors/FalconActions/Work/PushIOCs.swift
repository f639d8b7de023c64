// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import JSON
import STIX
import Telemetry

#if canImport(Glibc)
    import Glibc
#endif

/// `push_iocs_*`: expired and old IOCs of ours go, then STIX indicators become IOCs or remove theirs.
///
/// Source: Sekoia.io module, 5.3.
struct PushIOCs {
    private let actions: FalconActions
    private let action: PushedAction
    private var falcon: FalconClient { actions.falcon }
    /// Ids that one run removes at most by age; the next run goes on.
    private static let mostRemoved = 100_000

    init(_ actions: FalconActions, _ action: PushedAction) {
        self.actions = actions
        self.action = action
    }

    func run(_ arguments: Arguments) async throws -> ActionResult {
        // Before anything is changed, so that a file that cannot be read changes nothing.
        let input = try await STIXInput.objects(arguments, readFile: actions.readFile)
        var result = ActionResult()
        result.deleted = try await remove(try FQL.exact(.source, PushedIOC.source) && .flag(.expired, true))
        if let days = arguments.int("valid_for"), days > 0 {
            let filter = "source:'\(PushedIOC.source)'+modified_on:<='\(Self.date(daysAgo: days, actions.time.now))'"
            result.deleted? += try await remove(filter)
        }
        result.skipped = []
        if input.isEmpty {
            actions.log.info("Received stix_objects were empty")
            return result
        }
        let base = arguments.text("sekoia_base_url") ?? "https://app.sekoia.io"
        let sorted = sort(input, base: base)
        result.skipped = sorted.skipped
        guard !sorted.valid.isEmpty || !sorted.revoked.isEmpty else {
            actions.log.info("Received indicators were not valid and/or not supported")
            return result
        }
        result.deleted? += try await revoke(sorted.revoked)
        let written = try await IOCWriter(actions).write(sorted.valid.map { $0.ioc.payload(action) })
        result.resources = written.resources
        let sources = Dictionary(sorted.valid.map { ($0.ioc.value, $0.id) }) { first, _ in first }
        result.skipped? += written.refused.map {
            .init(id: sources[$0.value] ?? "", value: $0.value, reason: $0.reason)
        }
        return result
    }

    // MARK: Removing

    private func remove(_ filter: FQL) async throws -> [String] { try await remove(filter.text) }

    /// Everything that matches. The filter always names our source, so that nobody else's is touched.
    private func remove(_ filter: String) async throws -> [String] {
        var ids: [String] = []
        var after: String?
        repeat {
            let page = try await falcon.queryIndicators(filter, after: after)
            ids += page.rows
            guard !page.rows.isEmpty, let next = page.after, next != after else { break }
            after = next
        } while ids.count < Self.mostRemoved
        return try await delete(ids)
    }

    private func delete(_ ids: [String]) async throws -> [String] {
        guard !ids.isEmpty else { return [] }
        let result = try await actions.byID(ids) { ids throws(FalconError) in try await falcon.deleteIndicators(ids) }
        // Where somebody was faster there is nothing to tell; the others of its call were deleted all the same.
        if let error = result.errors.first(where: { $0.code != 404 }) {
            actions.log.warning(
                "IOCs could not be deleted", .field("count", result.errors.count), .field("reason", error.message))
        }
        return result.resources.compactMap(\.string)
    }

    /// Only what carries our source, by type and value; several values of a type in one question.
    private func revoke(_ iocs: [PushedIOC]) async throws -> [String] {
        var ids: [String] = []
        for (type, iocs) in Dictionary(grouping: iocs, by: \.type).sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            for start in stride(from: 0, to: iocs.count, by: 100) {
                let values = iocs[start..<min(start + 100, iocs.count)].map(\.value)
                let list =
                    values.count == 1
                    ? "value:\"\(values[0])\"" : "value:[\(values.map { "'\($0)'" }.joined(separator: ","))]"
                let filter = "\(list)+type:'\(type.rawValue)'+source:'\(PushedIOC.source)'"
                let found = try await falcon.queryIndicators(filter, limit: values.count > 1 ? 500 : nil).rows
                if found.isEmpty {
                    actions.log.info(
                        "IOCs with these values not found, skipping delete", .field("values", values.count))
                }
                ids += found
            }
        }
        return try await delete(ids)
    }

    // MARK: Reading STIX

    struct Sorted {
        var valid: [(id: String, ioc: PushedIOC)] = []
        var revoked: [PushedIOC] = []
        var skipped: [ActionResult.Skipped] = []
    }

    func sort(_ objects: [JSONValue], base: String) -> Sorted {
        var sorted = Sorted()
        var seen: Set<String> = []
        for object in objects where object["type"]?.string == "indicator" {
            let id = object["id"]?.string ?? ""
            let language = object["pattern_type"]?.string ?? "stix"
            guard language == "stix" else {
                sorted.skipped.append(.init(id: id, value: "", reason: "its pattern is \(language), not STIX"))
                continue
            }
            let until = object["valid_until"]?.string
            let isPast = until.flatMap { Instant(parsing: $0) }.map { $0 <= actions.time.now } ?? false
            let isRevoked = object["revoked"]?.bool == true || isPast
            let values: STIXInput.Values
            do throws(PatternError) {
                values = try STIXInput.values(of: object["pattern"]?.string ?? "", action)
            } catch {
                sorted.skipped.append(.init(id: id, value: "", reason: error.description))
                continue
            }
            sorted.skipped += values.skipped.map { .init(id: id, value: $0.value, reason: $0.reason) }
            for (type, value) in values.found {
                var ioc = PushedIOC(type: type, value: value)
                if isRevoked {
                    sorted.revoked.append(ioc)
                    continue
                }
                if let veto = actions.options.guards.veto(type.subject(value)) {
                    sorted.skipped.append(.init(id: id, value: value, reason: "\(veto.code): it is \(veto.reason)"))
                    continue
                }
                guard seen.insert("\(type.rawValue)/\(value)").inserted else { continue }
                ioc.expiration = until
                if object["x_ic_observable_types"] != nil {
                    ioc.description = "\(Self.trimmed(base))/intelligence/objects/\(id)"
                }
                sorted.valid.append((id, ioc))
            }
        }
        // A value that another indicator still asks for stays.
        sorted.revoked.removeAll { seen.contains("\($0.type.rawValue)/\($0.value)") }
        return sorted
    }

    private static func trimmed(_ base: String) -> String {
        var base = base
        while base.hasSuffix("/") { base.removeLast() }
        return base
    }

    /// The day so many days before today, in this machine's zone.
    static func date(daysAgo days: Int64, _ now: Instant) -> String {
        var seconds = time_t(now.milliseconds / 1000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        let local = now.advanced(by: .seconds(Int64(parts.tm_gmtoff) - days * 86_400))
        return String(local.description.prefix(10))
    }
}
