// SPDX-License-Identifier: Apache-2.0

import JSON

#if canImport(Glibc)
    import Glibc
#endif

/// `sallyport-bench --sallyport BINARY [--only NAME,…] [--count N] [--events N] [--python PYTHON]`: prints one JSON object.
@main
struct Bench {
    static func main() async {
        do {
            let options = try BenchOptions(Array(CommandLine.arguments.dropFirst()))
            let report = try await Suite(options).run()
            print(report.text)
        } catch {
            perror("sallyport-bench: \(error)")
            exit(1)
        }
    }
}

struct BenchOptions {
    var sallyport = ".build/release/sallyport"
    var only: Set<String> = []
    var count = 200_000
    var large = 1_000_000
    /// Events of each run of the event stream.
    var events = 1_000_000
    var python: String?

    init(_ arguments: [String]) throws {
        var index = 0
        while index + 1 < arguments.count {
            let value = arguments[index + 1]
            switch arguments[index] {
            case "--sallyport": sallyport = value
            case "--only": only = Set(value.split(separator: ",").map(String.init))
            case "--count": count = Int(value) ?? count
            case "--large": large = Int(value) ?? large
            case "--events": events = Int(value) ?? events
            case "--python": python = value
            default: throw BenchFailure("unknown option \(arguments[index])")
            }
            index += 2
        }
    }

    func wants(_ name: String) -> Bool { only.isEmpty || only.contains(name) }
}

struct BenchFailure: Error, CustomStringConvertible {
    let description: String
    init(_ text: String) { description = text }
}
