// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// `fuzz TARGET [libFuzzer options and corpus folders]`: feeds one parser with what libFuzzer invents.
///
/// One program for all targets: one build, one link. Without a target it lists them, one a line.
enum Fuzz {
    /// Gets any bytes and returns, or dies with what it found.
    typealias Body = @Sendable (UnsafeRawBufferPointer) -> Void

    static let targets: KeyValuePairs<String, Body> = [
        "json": fuzzJSON,
        "json-raw": fuzzRawMember,
        "json-write": fuzzJSONWriter,
        "net-address": fuzzNetAddress,
        "stix-pattern": fuzzPattern,
        "opencti-stream": fuzzStream,
        "opencti-event": fuzzEvent,
        "enrichment-message": fuzzEnrichmentMessage,
        "bundle": fuzzBundle,
        "sample-archive": fuzzArchive,
        "settings": fuzzSettings,
        "settings-drop-in": fuzzDropIn,
    ]

    static let body: Body? = targets.first { CommandLine.arguments.dropFirst().first == $0.key }?.value
}

/// What holds for every input. libFuzzer keeps the input that breaks it.
func check(_ holds: Bool, _ what: @autoclosure () -> String) {
    if !holds { fatalError(what()) }
}

// libFuzzer brings `main` and calls these two: https://llvm.org/docs/LibFuzzer.html

@_cdecl("LLVMFuzzerInitialize")
func start(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
) -> CInt {
    guard Fuzz.body != nil else {
        for (name, _) in Fuzz.targets { print(name) }
        exit(count.pointee > 1 ? 2 : 0)
    }
    // Takes the target's name out: libFuzzer is to see only its own options.
    for index in 1..<Int(count.pointee) { arguments.pointee[index] = arguments.pointee[index + 1] }
    count.pointee -= 1
    return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.body?(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}
