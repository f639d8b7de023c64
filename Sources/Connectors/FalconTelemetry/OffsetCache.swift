// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import JSON
import Synchronization
import Telemetry

/// The original's `cache.json`: `{"<feed>": <offset>, …}`, read at start and kept up to date, so that one can switch back.
///
/// Source: Sekoia.io module, 1.5. The original writes numbers; the seed shows text; both are read.
final class OffsetCache: Sendable {
    static let name = "cache.json"

    private struct State {
        var offsets: [String: UInt64] = [:]
        /// What else stands in the file.
        var others: JSONObject = [:]
        var isDirty = false
    }
    private let folder: any DataFolder
    private let log: Log
    private let state = Mutex(State())

    init(_ folder: any DataFolder, log: Log) {
        self.folder = folder
        self.log = log
    }

    /// - Returns: the offsets that the file holds. A file that can't be read or is no JSON gives none, with a warning.
    func load() async -> [String: UInt64] {
        do {
            guard let bytes = try await folder.read(Self.name) else { return [:] }
            guard let object = (try? JSONValue(parsing: bytes))?.object else {
                log.warning("The original's cache.json is no JSON object and is not used")
                return [:]
            }
            return state.withLock { state in
                for (name, value) in object {
                    if let offset = value.number?.uint64 ?? value.string.flatMap({ UInt64($0) }) {
                        state.offsets[name] = max(offset, state.offsets[name] ?? 0)
                    } else {
                        state.others[name] = value
                    }
                }
                return state.offsets
            }
        } catch {
            log.warning("The original's cache.json can't be read", .cause(error))
            return [:]
        }
    }

    /// A position is durable in our own state. Never moves back.
    func acknowledge(_ root: String, _ offset: UInt64) {
        state.withLock { state in
            guard offset > state.offsets[root] ?? 0 else { return }
            state.offsets[root] = offset
            state.isDirty = true
        }
    }

    /// Writes the file when something has moved.
    func save() async {
        let bytes: [UInt8]? = state.withLock { state in
            guard state.isDirty else { return nil }
            state.isDirty = false
            var object = state.others
            for (root, offset) in state.offsets.sorted(by: { $0.key < $1.key }) { object[root] = .int(offset) }
            return JSONValue.object(object).bytes
        }
        guard let bytes else { return }
        do { try await folder.write(Self.name, bytes) } catch {
            state.withLock { $0.isDirty = true }
            log.warning(
                "The original's cache.json can't be written; switching back would read events again", .cause(error))
        }
    }
}
