// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient
public import JSON
import Telemetry

/// One run of an action (or of the account validation) as the platform starts it: report that it runs, get the secrets,
/// do it, report how it ended.
///
/// Source: Sekoia.io module, 5.1 and 5.4.
public struct SymphonyAction: Sendable {
    /// What an action gets.
    public struct Call: Sendable {
        public let parameters: SymphonyParameters
        /// `arguments`, as they came.
        public let arguments: JSONObject
        /// `module_configuration` with the platform's secrets laid over it. Holds secrets: never print it.
        public let module: JSONObject
        public let data: any DataFolder

        /// A member of the module configuration as text; `nil` when it is not there or no text.
        public func module(_ name: String) -> String? { module[name]?.string }

        /// An argument, else the file in the data path that `<name>_path` names, as JSON.
        ///
        /// - Throws: ``SymphonyError`` when neither is there or the file cannot be read.
        public func argument(orFile name: String) async throws(SymphonyError) -> JSONValue {
            if let value = arguments[name], !value.isNull { return value }
            guard let path = arguments[name + "_path"]?.string else {
                throw .invalidParameter(key: "arguments", reason: "it has neither `\(name)` nor `\(name)_path`")
            }
            guard let bytes = try await data.read(path) else {
                throw .data(name: path, reason: "there is no such file")
            }
            guard let value = try? JSONValue(parsing: bytes) else {
                throw .data(name: path, reason: "it is no JSON")
            }
            return value
        }
    }

    /// How it ended. Both may be set: some ids worked and others did not.
    public struct Ending: Sendable {
        public var results: JSONValue?
        /// A short sentence without secrets.
        public var error: String?
        public init(results: JSONValue? = nil, error: String? = nil) {
            self.results = results
            self.error = error
        }
    }

    private let parameters: SymphonyParameters
    private let platform: SymphonyPlatform?
    private let data: any DataFolder
    private let time: any TimeSource

    /// - Parameter transport: for the platform's own calls.
    public init(
        _ parameters: SymphonyParameters, transport: any HTTPTransport, time: any TimeSource = SystemTime()
    ) throws(SymphonyError) {
        self.parameters = parameters
        self.time = time
        platform = SymphonyPlatform(parameters, transport: transport, time: time)
        data = try openDataFolder(DataPath(parameters), transport: transport, time: time)
    }

    /// Runs `body` between the two reports. Without a platform it just runs, with the configuration that is there.
    ///
    /// - Parameters:
    ///   - needsSecrets: what the first report says; the validation's does not.
    ///   - logs: gives the lines that `body` has logged, for the last report.
    /// - Returns: how it ended, also when the platform could not be told.
    /// - Throws: ``SymphonyError`` when the platform can't be told that it runs, or how it ended.
    public func run(
        needsSecrets: Bool = true, logs: @Sendable () -> [SymphonyPlatform.Line] = { [] },
        _ body: @Sendable (Call) async throws -> Ending
    ) async throws(SymphonyError) -> Ending {
        var report = SymphonyPlatform.Report.running
        report.needsSecrets = needsSecrets
        let secrets = try await platform?.report(report) ?? [:]
        let ending: Ending
        do {
            var module = try parameters.moduleConfiguration()
            for (name, value) in secrets { module[name] = value }
            ending = try await body(
                Call(parameters: parameters, arguments: try parameters.arguments(), module: module, data: data))
        } catch let error as any ActionableError {
            ending = Ending(error: error.description)
        } catch {
            // The error's type alone: its text might quote what it worked on.
            ending = Ending(error: "An unexpected error occurred: \(type(of: error))")
        }
        var last = SymphonyPlatform.Report(status: "finished")
        last.results = ending.results
        last.error = ending.error
        last.logs = logs().map { "\($0.date): \($0.level): \($0.message)" }.joined(separator: "\n")
        _ = try await platform?.report(last)
        return ending
    }
}
