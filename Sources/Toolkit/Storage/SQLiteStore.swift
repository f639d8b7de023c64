// SPDX-License-Identifier: Apache-2.0

import Base
import CSQLite
import Synchronization

/// The state of one installation in one SQLite file (WAL, `synchronous=FULL`).
///
/// SQLite blocks, so this actor's work runs on a thread of its own. Commits that arrive while one is being written are
/// written together. Schema, settings and measured figures: `docs/reference/state.md`.
public actor SQLiteStore: StateStore {
    public enum Mode: String, Sendable {
        /// The service: everything is allowed, one process at a time.
        case owner
        /// A look at the state, also while the service runs.
        case reader
        /// A reader that may also remove and mark dead letters and set values, also while the service runs.
        case tool
    }

    /// The file's name inside the state folder.
    public static let defaultFileName = "state.sqlite"

    /// An open connection and what belongs to it, let go together.
    struct Connection {
        let database: SQLiteDatabase
        let pointers: PointerIndex
        let lock: FileLock?
        let integrity: String
    }

    nonisolated let path: String
    nonisolated let mode: Mode
    nonisolated let options: SQLiteOptions
    private var connection: Connection?

    let arrivals = Mutex(CommitQueue())
    /// By target, then by flow.
    var watchers: [Int64: [Int64: @Sendable ([Digest128]) -> Void]] = [:]
    var finished: [UInt64: Result<Void, StorageError>] = [:]

    private let thread = DedicatedThread(name: "state")
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private init(path: String, mode: Mode, options: SQLiteOptions) {
        self.path = path
        self.mode = mode
        self.options = options
    }

    /// Opens the state; an owner creates file and folder (0600, 0700) and brings an older schema up to date.
    ///
    /// - Parameters:
    ///   - path: the file, or `:memory:` for an owner whose state ends with it.
    ///   - mode: a reader and a tool need a file that an owner of the same version has made.
    /// - Throws: ``StorageError/cannotOpen(path:reason:)``, ``StorageError/locked(path:holder:)`` while another owner
    ///   lives, ``StorageError/corrupt(path:reason:)``, ``StorageError/newerSchema(path:found:known:)``,
    ///   ``StorageError/full(path:)``.
    public static func open(
        path: String, mode: Mode = .owner, options: SQLiteOptions = SQLiteOptions()
    ) async throws(StorageError) -> SQLiteStore {
        let store = SQLiteStore(path: path, mode: mode, options: options)
        try await store.connect()
        return store
    }

    private func connect() throws(StorageError) {
        connection = try Connection.open(path: path, mode: mode, options: options)
    }

    public func close() {
        guard let open = connection else { return }
        connection = nil
        if mode == .owner { open.foldLog() }
        open.lock?.releaseCleanly()
    }

    // MARK: For the facets

    func connected() throws(StorageError) -> Connection {
        guard let connection else { throw .failed(reason: "\(path) is closed") }
        return connection
    }

    var database: SQLiteDatabase { get throws(StorageError) { try connected().database } }

    /// The connection, for a method that writes. `allowing` names the modes that may, for the small writes of tools.
    func writable(allowing modes: Set<Mode> = [.owner]) throws(StorageError) -> SQLiteDatabase {
        guard modes.contains(mode) else {
            throw .failed(reason: "\(path) is open as \(mode.rawValue), which may not make this change")
        }
        return try connected().database
    }
}
