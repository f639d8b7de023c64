// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Settings
import Storage
import Telemetry

#if canImport(Glibc)
    import Glibc
#endif

/// Connectors for commands that look and do not run: no log, a state of their own or the service's read-only.
enum Offline {
    /// A connector over a state in memory.
    static func withConnector<Result: Sendable>(
        _ flow: FlowConfiguration, _ configuration: Configuration,
        _ body: (any Connector) async throws -> Result
    ) async throws -> Result {
        try await lend(try await SQLiteStore.open(path: ":memory:"), to: flow, configuration, body)
    }

    /// A connector over a scratch copy of the service's state, which may be in use: nothing that happens to the copy
    /// lasts.
    static func withScratchState<Result: Sendable>(
        _ flow: FlowConfiguration, _ configuration: Configuration,
        _ body: (any Connector) async throws -> Result
    ) async throws -> Result {
        let folder = StateFolder(configuration.process)
        guard folder.exists else { return try await withConnector(flow, configuration, body) }
        let scratch = try ScratchFolder()
        defer { scratch.remove() }
        let path = scratch.path + "/" + SQLiteStore.defaultFileName
        let original = try await SQLiteStore.open(path: folder.file, mode: .reader)
        try await original.copy(to: path)
        await original.close()
        return try await lend(try await SQLiteStore.open(path: path), to: flow, configuration, body)
    }

    /// Closes the store afterwards, whatever happens.
    private static func lend<Result: Sendable>(
        _ store: SQLiteStore, to flow: FlowConfiguration, _ configuration: Configuration,
        _ body: (any Connector) async throws -> Result
    ) async throws -> Result {
        do {
            let result = try await body(try connector(flow, configuration, store: store))
            await store.close()
            return result
        } catch {
            await store.close()
            throw error
        }
    }

    static func connector(
        _ flow: FlowConfiguration, _ configuration: Configuration, store: any StateStore
    ) throws -> any Connector {
        guard let type = Catalogue.connector(of: flow.connector) else {
            throw ConnectorError.configuration(setting: flow.name, reason: "there is no such connector")
        }
        let time = SystemTime()
        let process = configuration.process
        return try type.init(
            ConnectorContext(
                name: flow.name, settings: flow.settings, store: store, log: .silent, metrics: Metrics(time: time),
                health: Health(time: time), time: time,
                guards: process[GuardrailSettings.isOn] ? .standard : .off,
                ceiling: DeleteCeiling(
                    count: process[GuardrailSettings.deleteCeiling], share: process[GuardrailSettings.deleteShare]),
                shared: SharedParts(), fencingToken: .max))
    }
}

/// A folder that only this user can read and that goes with the command.
private struct ScratchFolder {
    let path: String

    init() throws {
        guard let path = makeTemporaryFolder("sallyport") else {
            throw StorageError.cannotOpen(
                path: temporaryFolders, reason: "no temporary folder: \(String(cString: strerror(errno)))")
        }
        self.path = path
    }

    func remove() {
        for name in ["", "-wal", "-shm", ".lock"] { unlink("\(path)/\(SQLiteStore.defaultFileName)\(name)") }
        rmdir(path)
    }
}
