// SPDX-License-Identifier: Apache-2.0

public import Base
public import Engine
public import Falcon
public import JSON
public import Telemetry

/// The response actions of a Falcon tenant, as a library call: for the command line, Sekoia's platform and HTTP alike.
///
/// Lists that are longer than one call takes are split and the answers merged. A part that Falcon refuses for one of its
/// members is halved down to it; the others are done.
///
/// Source: Sekoia.io module, 5; Falcon API surface, 4 to 9.
public struct FalconActions: Sendable {
    /// Which API answers for behaviours and incidents.
    public enum LegacyAPI: String, Sendable, CaseIterable {
        /// Today's first, the literal call for what it did not answer.
        case auto
        /// The literal call only.
        case force
        /// Never the literal call.
        case off
    }

    public struct Options: Sendable {
        public var legacyAPI = LegacyAPI.auto
        /// Indicators of one create or update.
        public var indicatorBatch = 200
        /// IOCs that others made may be overwritten by `push_iocs_*`, `block_ioc` and `monitor_ioc`.
        public var adoptsAny = false
        /// `delete_indicators` looks first whose they are and leaves those of others.
        public var deletesOwnOnly = false
        /// What `push_iocs_*` must not send.
        public var guards = GuardPolicy.standard
        public init() {}
    }

    let falcon: FalconClient
    let options: Options
    let readFile: @Sendable (String) async throws -> [UInt8]
    let rehearsal: Rehearsal?
    let time: any TimeSource
    let log: Log

    /// - Parameters:
    ///   - readFile: gives the file that an argument names.
    ///   - rehearsal: the transport under `falcon` when nothing is to be changed.
    public init(
        falcon: FalconClient, options: Options = Options(),
        readFile: @escaping @Sendable (String) async throws -> [UInt8], rehearsal: Rehearsal? = nil,
        time: any TimeSource = SystemTime(), log: Log = .silent
    ) {
        self.falcon = falcon
        self.options = options
        self.readFile = readFile
        self.rehearsal = rehearsal
        self.time = time
        self.log = log
    }

    /// Checks the arguments against the action's schema and does it.
    ///
    /// - Parameter name: slug or docker parameter.
    /// - Throws: ``ActionError`` for what was not even tried, `FalconError` when nothing was done. What failed in part is in the result.
    public func run(_ name: String, _ arguments: JSONObject) async throws -> ActionResult {
        guard let action = FalconAction.named(name) else { throw ActionError.unknown(name) }
        let arguments = JSONObject(arguments.filter { !$0.value.isNull })
        try Self.check(arguments, of: action)
        var result = try await perform(action, Arguments(arguments))
        result.rehearsed = rehearsal?.calls
        return result
    }

    /// In the original's words where it has some.
    static func check(_ arguments: JSONObject, of action: FalconAction) throws(ActionError) {
        let required = (action.schema["required"]?.array ?? []).compactMap(\.string)
        if required.contains("ids"), arguments["ids"].map({ $0.array?.isEmpty ?? $0.isNull }) ?? true {
            throw .arguments("List of ID`s should not be empty.")
        }
        if action.slug == "add_new_comment_to_alert", arguments["comment"].map({ $0 == "" }) ?? true {
            throw .arguments("Comment should not be empty.")
        }
        if action.slug == "update_alert_status", let status = arguments["new_status"]?.string,
            !(action.schema["properties"]?["new_status"]?["enum"]?.array ?? []).contains(.string(status))
        {
            throw .arguments("'\(status)' is not a valid UpdateAlertStatus")
        }
        let problems = ArgumentCheck(schema: action.schema).problems(arguments)
        guard problems.isEmpty else {
            throw .arguments("\(action.slug): \(problems.prefix(5).joined(separator: "; ")).")
        }
    }

    private func perform(_ action: FalconAction, _ arguments: Arguments) async throws -> ActionResult {
        switch action.slug {
        case "add_new_comment_to_alert":
            try await updateAlerts(arguments.ids, AlertAction("append_comment", arguments.text("comment") ?? ""))
        case "update_alert_status":
            try await updateAlerts(arguments.ids, AlertAction("update_status", arguments.text("new_status") ?? ""))
        case "get_alerts_v2":
            try await inParts(arguments.ids, of: FalconClient.maxAlerts) { ids throws(FalconError) in
                try await falcon.alerts(ids)
            }
        case "get_behaviors": try await behaviors(arguments.ids)
        case "get_incidents": try await incidents(arguments.ids)
        case "isolate_endpoints": try await hostAction(.contain, arguments.ids)
        case "deisolate_endpoints": try await hostAction(.liftContainment, arguments.ids)
        case "perform_host_action": try await hostAction(arguments)
        case "get_device_details":
            try await inParts(arguments.ids, of: FalconClient.maxDeviceDetails) { ids throws(FalconError) in
                try await falcon.devices(ids)
            }
        case "get_online_state":
            try await inParts(arguments.ids, of: FalconClient.maxOnlineStates) { ids throws(FalconError) in
                try await falcon.onlineStates(ids)
            }
        case "query_devices_by_filter": try await queryDevices(arguments)
        case "query_device_login_history": try await loginHistory(arguments.ids)
        case "get_prevention_policies":
            try await inParts(arguments.ids, of: FalconClient.maxPolicies) { ids throws(FalconError) in
                try await falcon.preventionPolicies(ids)
            }
        case "delete_prevention_policies":
            try await inParts(arguments.ids, of: FalconClient.maxPolicies) { ids throws(FalconError) in
                try await falcon.deletePreventionPolicies(ids)
            }
        case "create_prevention_policies": try await createPolicies(arguments.list("resources"))
        case "update_prevention_policies":
            ActionResult(try await falcon.updatePreventionPolicies(arguments.list("resources")))
        case "perform_prevention_policy_action": try await policyAction(arguments)
        default: try await performOnIndicators(action, arguments)
        }
    }
}

/// Arguments that the schema has already passed.
struct Arguments: Sendable {
    let object: JSONObject

    init(_ object: JSONObject) { self.object = object }

    /// Each once, in their order.
    var ids: [String] {
        var seen: Set<String> = []
        return list("ids").compactMap(\.string).filter { seen.insert($0).inserted }
    }

    func text(_ name: String) -> String? { object[name]?.string }
    func int(_ name: String) -> Int64? { object[name]?.int }
    func flag(_ name: String) -> Bool? { object[name]?.bool }
    func list(_ name: String) -> [JSONValue] { object[name]?.array ?? [] }
}
