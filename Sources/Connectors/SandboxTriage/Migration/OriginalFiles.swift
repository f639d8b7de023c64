// SPDX-License-Identifier: Apache-2.0

import Base
import Settings

#if canImport(Glibc)
    import Glibc
#endif

/// The original's Python configuration, where it lies beside the program or in `VMRAY_CONFIG_DIR`. It is read as text;
/// nothing of it is executed. A variable that is set wins over it.
///
/// Source: VMRay, 7; `vmray/crowdstrike-falcon: app/config`.
enum OriginalFiles {
    private static let folderVariable = "VMRAY_CONFIG_DIR"
    private static let folders = ["config", "app/config", "."]
    /// File, class, section of our keys.
    private static let files = [
        (name: "crowdstrike_conf.py", type: "CrowdStrikeConfig", section: "crowdstrike"),
        (name: "vmray_conf.py", type: "VMRayConfig", section: "vmray"),
        (name: "general_conf.py", type: "GeneralConfig", section: "general"),
    ]
    /// Names that only help to build others, or repeat one of another class.
    private static let helpers: Set<String> = ["DOWNLOAD_DIR_PATH", "LOG_DIR", "crowdstrike.TIME_SPAN"]
    /// Built from the program's own place in the original's sample: our default is the same name in the working folder.
    private static let paths: Set<String> = ["LOG_FILE_PATH", "DOWNLOAD_DIR"]

    static let adapter: ConnectorSettings.Adapter = { input throws(SettingsError) in
        // An empty text means standard output alone, which an unset variable would not.
        for name in ["VMRAY_LOG_FILE", "GENERAL_LOG_FILE_PATH"] where input.environment[name]?.isEmpty == true {
            input.environment[name] = "-"
        }
        let named = input.environment.removeValue(forKey: folderVariable)
        for file in files {
            let places = named.map { [$0] } ?? folders
            let paths = places.map { "\($0)/\(file.name)" }
            guard let path = paths.first(where: { access($0, R_OK) == 0 }) else { continue }
            do throws(FileReadError) {
                let text = String(decoding: try readFile(path, atMost: 256 << 10), as: UTF8.self)
                adopt(PythonClasses(reading: text), file.type, file.section, path, &input)
            } catch {
                throw SettingsError(problems: [
                    problem(
                        .error, nil, path, "The file can't be read: \(error).",
                        "It should be the original's \(file.name); mend it or take it away.")
                ])
            }
        }
        if let named, access(named, R_OK | X_OK) != 0 {
            throw SettingsError(problems: [
                problem(
                    .error, folderVariable, named, "The folder can't be read.",
                    "Name the folder of crowdstrike_conf.py, vmray_conf.py and general_conf.py.")
            ])
        }
    }

    private static func adopt(
        _ source: PythonClasses, _ type: String, _ section: String, _ path: String, _ input: inout SettingsInput
    ) {
        for (name, value) in (source.classes[type] ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard !isHelper(name, section) else { continue }
            guard let setting = setting(section, name) else {
                input.warnings.append(
                    problem(.warning, nil, path, "\(type).\(name) is not known.", "It has no effect; remove it."))
                continue
            }
            let text = value.setting
            // The sample's placeholders: “<CrowdStrike-Client-ID>”.
            guard !text.isEmpty, !(text.hasPrefix("<") && text.hasSuffix(">")), !isSet(setting, input) else { continue }
            input.environment[setting.variables[0]] = text
        }
        for name in source.unread where name.hasPrefix(type + ".") {
            let key = String(name.dropFirst(type.count + 1))
            guard !isHelper(key, section), !paths.contains(key), let setting = setting(section, key),
                !isSet(setting, input)
            else { continue }
            input.warnings.append(
                problem(
                    .warning, setting.variables[0], path, "\(name) is no constant, and code is not executed.",
                    "Set \(setting.variables[0]); the default stands meanwhile."))
        }
    }

    private static func isHelper(_ name: String, _ section: String) -> Bool {
        helpers.contains(name) || helpers.contains("\(section).\(name)")
    }

    /// The setting that the original calls so, in the section of its class.
    private static func setting(_ section: String, _ name: String) -> (any AnySetting)? {
        let key = "\(section).\(name.lowercased())"
        return TriageSettings.all.first { ([$0.key] + $0.aliasKeys).contains(key) }
    }

    private static func isSet(_ setting: any AnySetting, _ input: SettingsInput) -> Bool {
        setting.variables.contains { name in
            ["", "_FILE"].contains { input.environment["\(name)\($0)"]?.isEmpty == false }
        }
    }

    private static func problem(
        _ severity: SettingsProblem.Severity, _ variable: String?, _ path: String, _ what: String, _ remedy: String
    ) -> SettingsProblem {
        SettingsProblem(
            severity: severity, key: nil, variable: variable,
            location: SourceLocation(file: path, line: 1, column: 1), what: what, remedy: remedy)
    }
}
