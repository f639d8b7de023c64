// SPDX-License-Identifier: Apache-2.0

public import Base
public import Settings
public import Storage
public import Telemetry

/// One job, from settings to a running flow. The commands work for every connector through this protocol alone.
public protocol Connector: Sendable {
    static var declaration: ConnectorSettings { get }

    /// Declares every metric that a run declares, so that the reference can list them.
    static func declareMetrics(in metrics: Metrics)

    /// - Throws: ``ConnectorError`` for settings that fit each other but not the world (an unreadable certificate).
    init(_ context: ConnectorContext) throws

    /// Runs until `stop` is raised, or until something happens that a new start mends (the supervisor makes one).
    func run(until stop: StopSignal) async throws

    /// Whether a run that has ended is all there is to do: it is not started again, also when it failed.
    var runsOnce: Bool { get }

    /// Connectivity, credentials, each needed API scope by name, and what the source is set up to send.
    func check(_ report: @Sendable (CheckLine) -> Void) async

    /// Reads what `run` would read and reports what it would do, writing nothing anywhere; ends when it has caught up.
    func plan(_ report: @escaping @Sendable (PlannedChange) -> Void, until stop: StopSignal) async throws -> Accounting

    /// The flow's and the target's names in the state store.
    var flowName: String { get }
    var targetName: String { get }
    /// What `explain` may be asked for: the keys that a value could have at the target, and the source that an id names
    /// (asking the source system where the id is not the one that the ledger keeps).
    func keys(of value: String) -> [Digest128]
    func source(of id: String) async throws -> Digest128?
    /// A contribution in words: field → text.
    func describe(_ contribution: [UInt8]) -> [(field: String, text: String)]
    /// Where to look instead, for a flow that keeps no record of single items.
    var explanation: String? { get }
}

/// What holds for a flow that keeps no record of single items, and runs until it is stopped.
extension Connector {
    public var runsOnce: Bool { false }
    public func keys(of value: String) -> [Digest128] { [] }
    public func source(of id: String) async throws -> Digest128? { nil }
    public func describe(_ contribution: [UInt8]) -> [(field: String, text: String)] { [] }
    public var explanation: String? { nil }
}

/// What a connector gets from the process it runs in.
public struct ConnectorContext: Sendable {
    /// The flow's name in `sallyport.yaml`; the connector's name in drop-in use.
    public var name: String
    public var settings: ResolvedSettings
    public var store: any StateStore
    public var log: Log
    public var metrics: Metrics
    public var health: Health
    public var time: any TimeSource
    public var guards: GuardPolicy
    public var ceiling: DeleteCeiling
    /// Request budgets and connections that flows of one tenant share.
    public var shared: SharedParts
    /// The state folder does not outlive the container.
    public var isStateEphemeral: Bool
    /// The fencing token of the process's lease on the state.
    public var fencingToken: Int64

    public init(
        name: String, settings: ResolvedSettings, store: any StateStore, log: Log, metrics: Metrics, health: Health,
        time: any TimeSource, guards: GuardPolicy, ceiling: DeleteCeiling, shared: SharedParts,
        isStateEphemeral: Bool = false,
        fencingToken: Int64 = 0
    ) {
        self.name = name
        self.settings = settings
        self.store = store
        self.log = log
        self.metrics = metrics
        self.health = health
        self.time = time
        self.guards = guards
        self.ceiling = ceiling
        self.shared = shared
        self.isStateEphemeral = isStateEphemeral
        self.fencingToken = fencingToken
    }
}

/// One line of `check`.
public struct CheckLine: Sendable {
    public enum Verdict: String, Sendable { case ok, warning, problem }
    public var verdict: Verdict
    /// `opencti.token`, `falcon.scope`, `opencti.stream_filter`.
    public var subject: String
    public var text: String
    /// A problem that lies at the remote side: exit code 4 instead of 1.
    public var isRemote: Bool

    public init(_ verdict: Verdict, _ subject: String, _ text: String, isRemote: Bool = false) {
        self.verdict = verdict
        self.subject = subject
        self.text = text
        self.isRemote = isRemote
    }
}

/// One line of `plan`.
public struct PlannedChange: Sendable {
    /// `create`, `update`, `mark`, `delete`, `skip`, `veto`, `dead_letter`.
    public var action: String
    public var subject: String
    public var detail: [(field: String, text: String)]
    public var reason: String
    public init(action: String, subject: String, detail: [(field: String, text: String)], reason: String) {
        self.action = action
        self.subject = subject
        self.detail = detail
        self.reason = reason
    }
}

/// Why a connector ended by itself.
public enum ConnectorError: ActionableError {
    /// A setting that only a person can mend; the process ends with exit code 3 when all connectors say so.
    case configuration(setting: String, reason: String)
    /// The remote side refuses us; a person must act there. Tried again slowly.
    case refused(code: ErrorCode, reason: String)
    /// Start again at once with what has changed.
    case restart(reason: String)
    /// A single run has come to its end, and not everything went well.
    case incomplete(reason: String)

    public var code: ErrorCode {
        switch self {
        case .configuration: "connector.configuration"
        case .refused(let code, _): code
        case .restart: "connector.restart"
        case .incomplete: "connector.incomplete"
        }
    }
    public var isRetryable: Bool { if case .configuration = self { false } else { true } }
    public var description: String {
        switch self {
        case .configuration(let setting, let reason): "\(setting): \(reason)"
        case .refused(_, let reason): reason
        case .restart(let reason), .incomplete(let reason): reason
        }
    }
}
