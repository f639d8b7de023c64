// SPDX-License-Identifier: Apache-2.0

internal import STIX

/// The reader that builds a tree and the one that only collects observables accept the same patterns and refuse at the same
/// byte; every offset lies in the text; a canonical value stays as it is when it is read again.
@Sendable func fuzzPattern(_ bytes: UnsafeRawBufferPointer) {
    let text = bytes.bindMemory(to: UInt8.self)
    let limits = PatternLimits(maxBytes: 4096, maxDepth: 16)
    let tree = Result { () throws(PatternError) in try Pattern(parsing: text, limits: limits) }
    let flat = Result { () throws(PatternError) in try PatternParser.observables(in: text, limits: limits) }
    let places = 0...text.count
    switch (tree, flat) {
    case (.failure(let first), .failure(let second)):
        check(first == second, "\(first) but \(second)")
        check(places.contains(first.offset), "an offset outside the text: \(first)")
    case (.success(let pattern), .success(let extracted)):
        for issue in pattern.issues { check(places.contains(issue.offset), "an offset outside the text: \(issue)") }
        for skip in extracted.skipped { check(places.contains(skip.offset), "an offset outside the text: \(skip)") }
        check(Set(extracted.observables).count == extracted.observables.count, "a value twice in \(extracted)")
        extracted.observables.forEach(checkCanonical)
    default: check(false, "one reader says \(tree), the other \(flat)")
    }
}

private func checkCanonical(_ observable: Observable) {
    let path =
        switch observable.type {
        case .domainName: "domain-name:value"
        case .hostname: "hostname:value"
        case .ipv4Address: "ipv4-addr:value"
        case .ipv6Address: "ipv6-addr:value"
        case .fileName: "file:name"
        case .fileHash(let algorithm): "file:hashes.'\(algorithm.rawValue)'"
        // Taking `[.]` apart can make a new one: `[[.]]`.
        case .url, .emailAddress: ""
        }
    guard !path.isEmpty else { return }
    var literal = ""
    for scalar in observable.value.unicodeScalars {
        if scalar == "'" || scalar == "\\" { literal += "\\" }
        literal.unicodeScalars.append(scalar)
    }
    let again = try? PatternParser.observables(in: "[\(path) = '\(literal)']")
    check(
        again?.observables == [Observable(type: observable.type, value: observable.value)],
        "\(observable) reads again as \(String(describing: again))")
}
