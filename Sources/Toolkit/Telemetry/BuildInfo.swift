// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// What this program is, for `sallyport version`, user agents, metrics and health.
public enum BuildInfo {
    public static let version = "0.1.0"

    /// The commit it was built from, where the package or image says so in `SALLYPORT_COMMIT`.
    public static let commit: String? = getenv("SALLYPORT_COMMIT").map { String(cString: $0) }.flatMap { text in
        (7...64).contains(text.utf8.count) && text.allSatisfy(\.isHexDigit) ? text : nil
    }

    /// Major and minor version of the compiler.
    public static let swift: String = {
        #if compiler(>=6.5)
            "6.5 or later"
        #elseif compiler(>=6.4)
            "6.4"
        #elseif compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }()

    /// Adds `sallyport_build_info`, always 1.
    public static func register(in metrics: Metrics) {
        metrics.gauge(
            "sallyport_build_info", "What runs here; the value is always 1.", labels: ["version", "commit", "swift"]
        ).with(version, commit ?? "unknown", swift).set(1)
    }
}
