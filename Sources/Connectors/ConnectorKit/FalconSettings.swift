// SPDX-License-Identifier: Apache-2.0

public import Base
import Falcon
public import Settings

/// Settings of a connection to a Falcon tenant. Source: OpenCTI → CrowdStrike Endpoint Security, 2.
public enum FalconSettings {
    public static let baseURL = Setting<String>(
        "crowdstrike.api_base_url", default: "https://api.crowdstrike.com",
        "The Falcon cloud: its API's URL or its name (`us-1`, `us-2`, `eu-1`, `us-gov-1` …). Commercial tenants of another "
            + "cloud are found by themselves."
    ).at(.connection("falcon", "base_url")).checking { text in
        do throws(FalconError) {
            _ = try FalconAddress(text)
            return nil
        } catch { return InvalidValue("is no address of Falcon's API", remedy: error.description) }
    }
    public static let clientID = Setting<String>(
        "crowdstrike.client_id", "Id of the API client (Support and resources › API clients and keys)."
    ).at(.connection("falcon", "client_id"))
    public static let clientSecret = Setting<Secret>(
        "crowdstrike.client_secret", "Its secret; the client needs the scope `IOC Management: Read` and `Write`."
    ).at(.connection("falcon", "client_secret"))
    public static let memberCID = Setting<String?>(
        "crowdstrike.member_cid", "CID of the child tenant to work in, for clients of a parent (Flight Control)."
    ).at(.connection("falcon", "member_cid")).checking { cid in
        guard let cid, !FalconCredentials.isCID(cid) else { return nil }
        return InvalidValue(
            "is no CID", remedy: "Give 32 hexadecimal digits, with or without the suffix, as the console shows it.")
    }
    public static let verification = Setting<TLSVerification>(
        "crowdstrike.ssl_verify", default: .system,
        "Whether the API's certificate is checked, or the file of the CA to check it against (an inspecting proxy)."
    ).at(.connection("falcon", "ssl_verify"))
    public static let requestsPerMinute = Setting<Int>(
        "crowdstrike.requests_per_minute", default: 6000,
        "The tenant's request budget, shared by all flows of this process; the server's own count corrects it."
    ).at(.connection("falcon", "requests_per_minute")).within(1...1_000_000)

    public static let all: [any AnySetting] = [
        baseURL, clientID, clientSecret, memberCID, verification, requestsPerMinute,
    ]
}
