// SPDX-License-Identifier: Apache-2.0

import ConnectorKit
import FalconActions
import Settings

/// `<program> <docker parameter>`: how Sekoia's platform starts the items of a module.
enum DockerParameter {
    /// What each one means here.
    static let commands: [String: [String]] = {
        var commands: [String: [String]] = [
            "event_stream_trigger": ["run", "sekoia-event-stream"],
            "crowdstrike_falcon_device_asset_connector": ["run", "sekoia-device-assets"],
            "crowdstrike_falcon_user_asset_connector": ["run", "sekoia-user-assets"],
            "validate_module_configuration": ["action", "validate_module_configuration", "--platform"],
        ]
        for action in FalconAction.all { commands[action.dockerParameter] = ["action", action.slug, "--platform"] }
        return commands
    }()

    /// The command line that the first argument stands for; any other stays as it is.
    ///
    /// - Throws: the original's words for an item that it does not have, where its platform has started us.
    static func commandLine(_ arguments: [String], root: Command = .sallyport) throws(UsageError) -> [String] {
        guard let first = arguments.first, !first.hasPrefix("-"), root.subcommand(named: first) == nil else {
            return arguments
        }
        if let command = commands[first] { return command + arguments.dropFirst() }
        guard SymphonyParameters(environment: SettingsInput.process().environment).hasPlatform else { return arguments }
        throw UsageError(
            "Could not find any Action or Trigger matching command '\(first)'",
            remedy: "There are: \(commands.keys.sorted().joined(separator: ", ")).", path: [])
    }
}
