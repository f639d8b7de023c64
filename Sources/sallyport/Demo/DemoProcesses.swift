// SPDX-License-Identifier: Apache-2.0

import JSON
import Subprocesses

#if canImport(Glibc)
    import Glibc
#endif

/// The processes of the demo, and what they leave in its folder.
extension DemoCommand {
    func simulator(_ name: String, _ options: [String]) async throws -> (Subprocess, String) {
        let process = try Subprocess(
            program, ["simulate", name, "--port", "0", "--json"] + options, environment: [:],
            errors: .file("\(folder)/\(name).log"))
        guard let line = await process.nextLine(), let url = (try? JSONValue(parsing: line))?["url"]?.string else {
            throw DemoFailure("The \(name) simulator did not start. Log: \(folder)/\(name).log")
        }
        return (process, url)
    }

    /// - Parameters:
    ///   - connector: its name, as an operator would say it.
    ///   - part: names its log and the folder of its state.
    ///   - variables: what the original would be told, too.
    func start(_ connector: String, as part: String, _ variables: [String: String]) throws -> Subprocess {
        let common = [
            "SALLYPORT_STATE_DIR": state(part), "SALLYPORT_HTTP_LISTEN": "127.0.0.1:0",
            "SALLYPORT_LOG_FORMAT": "logfmt",
        ]
        return try Subprocess(
            program, ["run", connector], environment: common.merging(variables) { $1 },
            errors: .file("\(folder)/\(part).log"))
    }

    func state(_ part: String) -> String { "\(folder)/state-\(part)" }

    func end(_ process: Subprocess, _ signal: Int32 = SIGTERM) async {
        process.signal(signal)
        _ = await process.exitStatus()
    }

    func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard isBound else { throw DemoFailure("There is no free port on loopback.") }
        return UInt16(bigEndian: address.sin_port)
    }

    func removeFolder() async throws {
        let removal = try Subprocess("/bin/rm", ["-r", folder], environment: [:])
        _ = await removal.exitStatus()
    }
}
