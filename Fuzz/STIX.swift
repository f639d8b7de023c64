// SPDX-License-Identifier: Apache-2.0

internal import STIX

/// Every way to read a pattern accepts the same texts and stops at the same byte; what is read survives the platform's
/// spacing, and a canonical value stays as it is.
@Sendable func fuzzPattern(_ text: UnsafeRawBufferPointer) {
    let bytes = text.bindMemory(to: UInt8.self)
    let limits = PatternLimits(maxBytes: 4096, maxDepth: 16)
    let tree = Result { () throws(PatternError) in try Pattern(parsing: bytes, limits: limits) }
    let verdict = Result { () throws(PatternError) in try PatternParser.validate(bytes, limits: limits) }
    let found = Result { () throws(PatternError) in try PatternParser.observables(in: bytes, limits: limits) }
    let walk = Result { () throws(PatternError) in
        try PatternParser.forEachComparison(in: bytes, limits: limits) { comparison in
            check(comparison.offset < bytes.count, "a comparison outside the text")
            _ = comparison.literal
        }
    }
    guard case (.success(let pattern), .success, .success(let extracted), .success) = (tree, verdict, found, walk)
    else {
        let errors = [error(of: tree), error(of: verdict), error(of: found), error(of: walk)]
        check(errors.allSatisfy { $0 != nil && $0 == errors[0] }, "the readers disagree: \(errors)")
        check((0...bytes.count).contains(errors[0]?.offset ?? -1), "an offset outside the text: \(errors)")
        return
    }
    check(pattern.issues.allSatisfy { (0..<bytes.count).contains($0.offset) }, "an issue outside the text")
    check(extracted.skipped.allSatisfy { (0..<bytes.count).contains($0.offset) }, "a reason outside the text")
    for observable in extracted.observables { checkSettled(observable) }

    let text = String(decoding: bytes, as: UTF8.self)
    guard let spaced = try? PatternText.spacedByPlatform(text) else {
        return check(text.utf8.count > 4096, "not spaced")
    }
    check((try? PatternText.spacedByPlatform(spaced)) == spaced, "spacing does not settle: \(spaced)")
    let before = try? PatternParser.observables(in: text).observables
    check((try? PatternParser.observables(in: spaced).observables) == before, "spacing changes the meaning: \(spaced)")
}

private func error<Success>(of result: Result<Success, PatternError>) -> PatternError? {
    if case .failure(let error) = result { error } else { nil }
}

/// Reading a canonical value again gives it back. URLs and addresses of mail are left out: undoing `[[.]]` shows a `[.]`.
private func checkSettled(_ observable: Observable) {
    let path: String
    switch observable.type {
    case .domainName: path = "domain-name:value"
    case .hostname: path = "hostname:value"
    case .ipv4Address: path = "ipv4-addr:value"
    case .ipv6Address: path = "ipv6-addr:value"
    case .fileName: path = "file:name"
    case .fileHash(let algorithm): path = "file:hashes.'\(algorithm.rawValue)'"
    case .url, .emailAddress: return
    }
    let again = try? PatternParser.observables(in: "[\(path) = \(PatternText.quoted(observable.value))]").observables
    check(again == [Observable(type: observable.type, value: observable.value)], "\(observable) became \(again ?? [])")
}
