// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import JSON
import Storage
import Telemetry

/// Where an inventory stands: in the state, and in the original's `context.json`, so that one can switch back.
///
/// Source: Sekoia.io module, 3.2 and 3.4.
actor Checkpoints {
    /// Members of `context.json`, under the original's names.
    static let device = "most_recent_device_id"
    static let user = "most_recent_user_id"
    static let identity = "user_assets_last_seen_timestamp"
    // Ours, in the state only.
    /// When the device or user of the checkpoint was first seen: it may be gone at the next look.
    static let since = "since"
    /// Until where changed devices have been sent.
    static let modified = "modified_until"
    /// The devices of that very moment which have been sent.
    static let modifiedDevices = "modified_devices"
    /// Devices that have left the lists since, and have been told.
    static let goneDevices = "gone_devices"
    /// A cycle that was under way: what it will have sent at its end, and down to where it has come.
    static let partial = "partial"

    private static let file = "context.json"
    private let store: any StateStore
    private let flow: Int64
    private let context: ContextFile?
    private var values: [String: String]

    private init(_ store: any StateStore, _ flow: Int64, _ context: ContextFile?, _ values: [String: String]) {
        self.store = store
        self.flow = flow
        self.context = context
        self.values = values
    }

    /// At the first start what the original left is taken over.
    static func open(_ store: any StateStore, flow: Int64, context: ContextFile?) async throws -> Checkpoints {
        var values = try await store.values(flow: flow).mapValues { String(decoding: $0, as: UTF8.self) }
        if values.isEmpty, let old = try await context?.read() {
            for name in [device, user, identity] { if let text = old[name]?.string { values[name] = text } }
        }
        return Checkpoints(store, flow, context, values)
    }

    func value(_ name: String) -> String? { values[name] }

    /// Durable in the state first; the original's file follows.
    func set(_ changes: [String: String?]) async throws {
        for (name, value) in changes { values[name] = value }
        try await store.setValues(flow: flow, changes.mapValues { $0.map { Array($0.utf8) } })
        let shared = changes.filter { [Self.device, Self.user, Self.identity].contains($0.key) }
        if !shared.isEmpty { try await context?.merge(shared) }
    }
}

/// `context.json`, which both inventories write: each its own members, one at a time.
actor ContextFile {
    private let data: any DataFolder
    private static let name = "context.json"

    init(_ data: any DataFolder) { self.data = data }

    /// Empty when there is none, or when it cannot be understood.
    func read() async throws(SymphonyError) -> JSONObject {
        guard let bytes = try await data.read(Self.name) else { return [:] }
        return (try? JSONValue(parsing: bytes))?.object ?? [:]
    }

    private var last: Task<Result<Void, SymphonyError>, Never>?

    /// Other members stay as they are.
    func merge(_ changes: [String: String?]) async throws(SymphonyError) {
        // An await lets others in: each change waits for the one before it.
        let before = last
        let task = Task { () -> Result<Void, SymphonyError> in
            _ = await before?.value
            do throws(SymphonyError) {
                var object = try await self.read()
                for (name, value) in changes { object[name] = value.map { .string($0) } }
                try await self.data.write(Self.name, JSONValue.object(object).bytes)
                return .success(())
            } catch { return .failure(error) }
        }
        last = task
        try await task.value.get()
    }
}
