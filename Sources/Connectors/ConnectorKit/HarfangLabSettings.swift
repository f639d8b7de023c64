// SPDX-License-Identifier: Apache-2.0

public import Base
import HTTPClient
public import Settings

/// Settings of a connection to a HarfangLab console. Each of the originals has them in a section of its own; the section
/// of the first, `harfanglab`, is read after it.
///
/// Source: HarfangLab ↔ OpenCTI, 4.
public struct HarfangLabSettings: Sendable {
    public let url: Setting<EndpointURL>
    public let token: Setting<Secret>
    public let verification: Setting<TLSVerification>

    /// - Parameter section: `harfanglab_intel`, `harfanglab_incidents`, or `harfanglab`, which knows the others' names too.
    public init(section: String) {
        let others = section == "harfanglab" ? ["harfanglab_intel", "harfanglab_incidents"] : ["harfanglab"]
        func named<Value>(_ setting: Setting<Value>, _ name: String) -> Setting<Value> {
            others.reduce(setting) { $0.or("\($1).\(name)") }.at(.connection("harfanglab", name))
        }
        url = named(
            Setting<EndpointURL>("\(section).url", "The console's URL, with its port.")
                .example("https://tenant.hurukai.io:8443"), "url")
        token = named(
            Setting<Secret>(
                "\(section).token",
                "API token of a user who may read and write threat intelligence, or read security events."), "token")
        verification = named(
            Setting<TLSVerification>(
                "\(section).ssl_verify", default: .system,
                "Whether the console's certificate is checked, or the file of the CA to check it against. An explicit "
                    + "`false` is honoured with a warning."), "ssl_verify")
    }

    /// How long a call may take: 10 s to connect, 60 s in all. Source: HarfangLab ↔ OpenCTI, 2.7.
    static var timeouts: HTTPConfiguration.Timeouts {
        var timeouts = HTTPConfiguration.Timeouts()
        timeouts.connect = .seconds(10)
        timeouts.total = .seconds(60)
        return timeouts
    }

    public var all: [any AnySetting] { [url, token, verification] }

    /// Keys of the first original that no original ever sent anywhere.
    public static let withoutEffect: [any AnySetting] = ["login", "password"].map { name in
        Setting<Secret?>("harfanglab.\(name)", "Accepted for compatibility.").at(.dropIn)
            .ignored(because: "the console is spoken to with the token; the original never used it either")
    }
}
