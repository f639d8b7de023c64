// SPDX-License-Identifier: Apache-2.0

internal import Base
internal import Glibc
internal import Settings

/// Settings files of any content give settings or problems that say where; the same each time; and no problem tells a secret.
@Sendable func fuzzSettings(_ bytes: UnsafeRawBufferPointer) {
    let yaml = Array(bytes)
    let first = outcome(of: yaml)
    check(first == outcome(of: yaml), "read twice, different problems")
    for problem in first {
        check(!problem.description.contains(secret), "tells the secret: \(problem)")
        check(!problem.what.isEmpty, "a problem without words")
        if let place = problem.location { check(place.line >= 1 && place.column >= 1, "no such place: \(place)") }
    }
}

/// The same for the originals' `config.yml` and `.env`.
@Sendable func fuzzDropIn(_ bytes: UnsafeRawBufferPointer) {
    guard let file = tmpfile() else { return }
    defer { fclose(file) }
    guard fwrite(bytes.baseAddress, 1, bytes.count, file) == bytes.count, fflush(file) == 0 else { return }
    let path = "/proc/self/fd/\(fileno(file))"
    for files in [DropInFiles(config: path), DropInFiles(dotEnv: path)] {
        let problems = problems {
            try catalogue.dropIn(connector, files: files, input: input)
        }
        for problem in problems { check(!problem.description.contains(secret), "tells the secret: \(problem)") }
    }
}

private let secret = "tH3-s3cret-0f-th3-envir0nment"
private let input = SettingsInput(environment: ["SAMPLE_SECRET": secret, "SECRET": secret])

private let connector = ConnectorSettings(
    name: "sample", title: "Sample", summary: "A setting of each sort.",
    settings: [
        Setting<EndpointURL>("opencti.url", "URL.").at(.connection("opencti", "url")),
        Setting<Secret>("opencti.token", "Token.").at(.connection("opencti", "token")),
        Setting<Int>("sample.count", default: 200, "A number.").within(1...2000),
        Setting<Bool>("sample.flag", default: false, "A flag."),
        Setting<[String]>("sample.list", default: [], "A list."),
        Setting<Secret?>("sample.secret", "A secret."),
        Setting<Duration>("sample.wait", default: .seconds(5), "A time."),
    ])

private let catalogue = SettingsCatalogue(connectors: [connector])

private func outcome(of yaml: [UInt8]) -> [SettingsProblem] {
    problems { try catalogue.read(yaml: yaml, named: "sallyport.yaml", input: input) }
}

private func problems(_ read: () throws -> Configuration) -> [SettingsProblem] {
    do { return try read().warnings } catch let error as SettingsError {
        check(error.problems.contains { $0.severity == .error }, "refused without an error")
        return error.problems
    } catch {
        check(false, "another error: \(error)")
        return []
    }
}
