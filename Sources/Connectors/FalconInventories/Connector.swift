// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
public import Engine
import Falcon
import OCSF
import Sekoia
public import Settings
import Storage
public import Telemetry

/// Falcon's hosts → Sekoia's assets, as OCSF 5001. A drop-in for the device assets of Sekoia's module “CrowdStrike Falcon”.
public struct DeviceAssetsConnector: Connector {
    public static let declaration = ConnectorSettings(
        name: "sekoia-device-assets", aliases: ["crowdstrike_falcon_device_asset_connector"],
        title: "CrowdStrike Falcon devices → Sekoia.io",
        summary: "Sends each host of a tenant once to Sekoia's assets, as OCSF “Device Inventory Info”.",
        settings: InventorySettings.devices, adapter: SymphonySettings.adapter(for: InventorySettings.devices))

    private let inventory: Inventory

    public init(_ context: ConnectorContext) throws { inventory = Inventory(context) }

    public static func declareMetrics(in metrics: Metrics) { Inventory.declareMetrics(in: metrics) }

    public var flowName: String { inventory.context.name }
    public var targetName: String { "sekoia/assets" }

    public func run(until stop: StopSignal) async throws {
        try await inventory.run(until: stop) { parts in
            let reader = device(parts)
            let begin = parts.context.time.now
            var count = try await reader.cycle()
            if parts.context.settings[InventorySettings.sendsUpdates] {
                count += try await reader.updates(since: begin)
            }
            return count
        }
    }

    private func device(_ parts: Inventory.Parts) -> DeviceInventory {
        DeviceInventory(
            falcon: parts.falcon,
            mapping: DeviceMapping(
                domainControllersAreServers: parts.context.settings[InventorySettings.domainControllers]),
            groups: parts.groups, checkpoints: parts.checkpoints, events: parts.events, time: parts.context.time,
            emit: parts.emit, isResumable: parts.isDurable)
    }

    public func check(_ report: @Sendable (CheckLine) -> Void) async {
        await inventory.check(
            [
                .init(.hostsRead, for: "the hosts"),
                .init(.hostGroupsRead, for: "the names of host groups", isOptional: true),
            ], report)
    }

    public func plan(
        _ report: @escaping @Sendable (PlannedChange) -> Void, until stop: StopSignal
    ) async throws -> Accounting {
        try await inventory.plan(report) { parts in try await device(parts).cycle() }
    }

    public var explanation: String? { Inventory.explanation }
}

/// People → Sekoia's assets, as OCSF 5003. A drop-in for the user assets of the same module.
public struct UserAssetsConnector: Connector {
    public static let declaration = ConnectorSettings(
        name: "sekoia-user-assets", aliases: ["crowdstrike_falcon_user_asset_connector"],
        title: "CrowdStrike Falcon users → Sekoia.io",
        summary:
            "Sends the users of the directories that Identity Protection watches, or those of the Falcon console, once each to "
            + "Sekoia's assets, as OCSF “User Inventory Info”.",
        settings: InventorySettings.users, adapter: SymphonySettings.adapter(for: InventorySettings.users))

    private let inventory: Inventory

    public init(_ context: ConnectorContext) throws { inventory = Inventory(context) }

    public static func declareMetrics(in metrics: Metrics) { Inventory.declareMetrics(in: metrics) }

    public var flowName: String { inventory.context.name }
    public var targetName: String { "sekoia/assets" }

    public func run(until stop: StopSignal) async throws {
        try await inventory.run(until: stop) { parts in try await users(parts).cycle() }
    }

    private func users(_ parts: Inventory.Parts) -> UserInventory {
        let settings = parts.context.settings
        return UserInventory(
            falcon: parts.falcon, source: settings[InventorySettings.userSource],
            sendsUpdates: settings[InventorySettings.sendsUpdates], checkpoints: parts.checkpoints,
            events: parts.events, emit: parts.emit)
    }

    public func check(_ report: @Sendable (CheckLine) -> Void) async {
        let source = inventory.context.settings[InventorySettings.userSource]
        var needs: [FalconScopes.Need] = []
        if source != .console {
            needs += [FalconScope.identityRead, .identityGraphQL].map {
                .init($0, for: "the users of directories", isOptional: source == .auto)
            }
        }
        if source != .identity {
            needs.append(.init(.usersRead, for: "the users of the console", isOptional: false))
        }
        await inventory.check(needs, report)
    }

    public func plan(
        _ report: @escaping @Sendable (PlannedChange) -> Void, until stop: StopSignal
    ) async throws -> Accounting {
        try await inventory.plan(report) { parts in try await users(parts).cycle() }
    }

    public var explanation: String? { Inventory.explanation }
}
