// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

/// What can be done to hosts. Source: Falcon API surface, 7.
public enum HostAction: String, Sendable, CaseIterable {
    case contain
    case liftContainment = "lift_containment"
    case hide = "hide_host"
    case unhide = "unhide_host"
    case suppressDetections = "detection_suppress"
    case unsuppressDetections = "detection_unsuppress"
    case liftFilesystemContainment = "lift_filesystem_containment_all"
}

/// Hosts and their groups. Source: Falcon API surface, 7; `CrowdStrike/psfalcon: public/hosts.ps1`.
extension FalconClient {
    public static let maxDeviceDetails = 5000
    public static let maxDevicePage = 5000
    public static let maxScrollPage = 10_000
    /// `offset + limit` of a search by offset reaches no further; ``scrollDevices(_:sort:limit:cursor:)`` does.
    public static let maxDeviceOffset: Int64 = 10_000
    /// Safe for every action; `hide_host` and `unhide_host` take no more.
    public static let maxHostActionIDs = 100
    public static let maxOnlineStates = 100
    public static let maxHostGroups = 100
    public static let maxLoginHistory = 500
    /// Of the second version.
    public static let maxLoginHistoryV2 = 10

    /// Ids of hosts, one page a call.
    ///
    /// `GET /devices/queries/devices/v1?filter&sort&limit&offset`, scope “Hosts: Read”
    ///
    /// - Parameters:
    ///   - filter: FQL as the caller wrote it.
    ///   - sort: `first_seen.desc`, with a dot.
    ///   - limit: at most ``maxDevicePage``; `nil` leaves it to the server.
    ///   - offset: sent when there is one; with the limit at most ``maxDeviceOffset``.
    public func queryDevices(
        _ filter: String? = nil, sort: String? = nil, limit: Int? = nil, offset: Int64? = nil
    ) async throws(FalconError) -> FalconIDPage {
        var query = search(filter, sort, limit)
        if let offset { query.append((name: "offset", value: String(offset))) }
        let call = FalconCall(
            .get, "/devices/queries/devices/v1", query: query, operation: "falcon.device_query", scope: .hostsRead)
        return try await idPage(call, from: offset ?? 0)
    }

    /// The same without an end at 10,000. A cursor lives for two minutes.
    ///
    /// `GET /devices/queries/devices-scroll/v1?filter&sort&limit&offset`
    public func scrollDevices(
        _ filter: String? = nil, sort: String? = nil, limit: Int = maxScrollPage, cursor: String? = nil
    ) async throws(FalconError) -> FalconIDPage {
        var query = search(filter, sort, limit)
        if let cursor { query.append((name: "offset", value: cursor)) }
        let call = FalconCall(
            .get, "/devices/queries/devices-scroll/v1", query: query, operation: "falcon.device_scroll",
            scope: .hostsRead)
        let envelope = try await list(call) { $0.string }
        // A cursor that stands still would be followed for ever.
        let next = envelope.rows.isEmpty || envelope.offset == cursor ? nil : envelope.offset
        return FalconIDPage(ids: envelope.rows, total: envelope.total, next: next)
    }

    /// Hosts that have been taken out of the lists: hidden by hand, or silent for 45 days.
    ///
    /// `GET /devices/queries/devices-hidden/v1?filter&sort&limit&offset`
    public func queryHiddenDevices(
        _ filter: String? = nil, sort: String? = nil, limit: Int = maxDevicePage, offset: Int64? = nil
    ) async throws(FalconError) -> FalconIDPage {
        var query = search(filter, sort, limit)
        if let offset { query.append((name: "offset", value: String(offset))) }
        let call = FalconCall(
            .get, "/devices/queries/devices-hidden/v1", query: query, operation: "falcon.device_hidden",
            scope: .hostsRead)
        return try await idPage(call, from: offset ?? 0)
    }

    /// Hosts by agent id, read by the caller. Unknown ids are named in the errors with code 404.
    ///
    /// `POST /devices/entities/devices/v2` `{"ids": […]}`, at most ``maxDeviceDetails``
    public func devices<Row: Sendable>(
        _ ids: [String], row: @Sendable (JSONElement) -> Row?
    ) async throws(FalconError) -> FalconRows<Row> {
        let envelope = try await send(try deviceCall(ids), row: row)
        return FalconRows(rows: envelope.rows, errors: envelope.errors)
    }

    /// The same as the API answers.
    public func devices(_ ids: [String]) async throws(FalconError) -> FalconAnswer {
        try await answer(try deviceCall(ids))
    }

    /// Does something to hosts. The service works on it after its answer (202).
    ///
    /// `POST /devices/entities/devices-actions/v2?action_name=…` `{"ids": […]}` → `[{"id", "path"}]`
    ///
    /// - Parameter note: goes as the action parameter `note`.
    /// - Throws: ``FalconError/conflict(_:traceID:)`` when a host already is in that state or on its way.
    public func perform(
        _ action: HostAction, on ids: [String], note: String? = nil
    ) async throws(FalconError) -> FalconAnswer {
        try Self.check(ids, atMost: Self.maxHostActionIDs)
        var body: JSONObject = ["ids": .array(ids.map { .string($0) })]
        if let note { body["action_parameters"] = [["name": "note", "value": .string(note)]] }
        return try await answer(
            FalconCall(
                .post, "/devices/entities/devices-actions/v2", query: [(name: "action_name", value: action.rawValue)],
                body: JSONValue.object(body).bytes, operation: "falcon.device_action", scope: .hostsWrite,
                isIdempotent: true))
    }

    /// `GET /devices/entities/online-state/v1?ids=…` → `[{"id", "cid", "last_seen", "state"}]`
    public func onlineStates(_ ids: [String]) async throws(FalconError) -> FalconAnswer {
        try Self.check(ids, atMost: Self.maxOnlineStates)
        return try await answer(
            FalconCall(
                .get, "/devices/entities/online-state/v1", query: Self.idsQuery(ids),
                operation: "falcon.device_online_state", scope: .hostsRead))
    }

    /// `POST /devices/combined/devices/login-history/v1` → `[{"device_id", "cid", "recent_logins": […]}]`
    public func loginHistory(_ ids: [String]) async throws(FalconError) -> FalconAnswer {
        try Self.check(ids, atMost: Self.maxLoginHistory)
        return try await answer(
            FalconCall(
                .post, "/devices/combined/devices/login-history/v1", body: Self.idsBody(ids),
                operation: "falcon.device_login_history", scope: .hostsRead, isIdempotent: true))
    }

    /// The second version: the same shape, ten ids a call, at most 100 logins a host.
    public func loginHistoryV2(_ ids: [String]) async throws(FalconError) -> FalconAnswer {
        try Self.check(ids, atMost: Self.maxLoginHistoryV2)
        return try await answer(
            FalconCall(
                .post, "/devices/combined/devices/login-history/v2", query: [(name: "limit", value: "100")],
                body: Self.idsBody(ids), operation: "falcon.device_login_history_v2", scope: .hostsRead,
                isIdempotent: true))
    }

    /// Groups of hosts by id; unknown ids are missing.
    ///
    /// `GET /devices/entities/host-groups/v1?ids=…`
    /// - Throws: ``FalconError/notFound(_:traceID:)`` when the service knows none of them.
    public func hostGroups(_ ids: [String]) async throws(FalconError) -> [HostGroup] {
        try Self.check(ids, atMost: Self.maxHostGroups)
        let call = FalconCall(
            .get, "/devices/entities/host-groups/v1", query: Self.idsQuery(ids), operation: "falcon.host_groups",
            scope: .hostGroupsRead)
        return try await send(call, row: HostGroup.init).rows
    }

    private func deviceCall(_ ids: [String]) throws(FalconError) -> FalconCall {
        try Self.check(ids, atMost: Self.maxDeviceDetails)
        return FalconCall(
            .post, "/devices/entities/devices/v2", body: Self.idsBody(ids), operation: "falcon.device_details",
            scope: .hostsRead, isIdempotent: true)
    }

    private func search(_ filter: String?, _ sort: String?, _ limit: Int?) -> [(name: String, value: String)] {
        var query: [(name: String, value: String)] = []
        if let filter, !filter.isEmpty { query.append((name: "filter", value: filter)) }
        if let sort, !sort.isEmpty { query.append((name: "sort", value: sort)) }
        if let limit { query.append((name: "limit", value: String(limit))) }
        return query
    }
}

/// A group of hosts.
public struct HostGroup: Sendable, Hashable {
    public let id: String
    /// `nil` when the service gives none.
    public let name: String?
    public let description: String?

    public init(id: String, name: String?, description: String?) {
        self.id = id
        self.name = name
        self.description = description
    }

    init?(_ element: JSONElement) {
        guard let id = element["id"]?.string, !id.isEmpty else { return nil }
        self.init(id: id, name: element["name"]?.string, description: element["description"]?.string)
    }
}
