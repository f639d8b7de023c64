// SPDX-License-Identifier: Apache-2.0

public import Base
public import Engine
public import Falcon
public import HTTPClient
public import HarfangLab
public import OpenCTI
public import Settings
import Synchronization
public import Telemetry

/// Makes vendor clients out of a flow's settings. Flows of one tenant share its request budget.
public struct Connections: Sendable {
    private let context: ConnectorContext

    public init(_ context: ConnectorContext) { self.context = context }

    /// The platform's client. Calls that may be repeated are, a few times; the live stream has its own patience.
    ///
    /// - Throws: ``ConnectorError/configuration(setting:reason:)``: a file that cannot be read, for example.
    public func openCTI() throws -> OpenCTIClient { try configured("opencti") { try makeOpenCTI() } }

    private func makeOpenCTI() throws -> OpenCTIClient {
        let settings = context.settings
        let transport = try transport("opencti", settings[OpenCTISettings.verification]) { http in
            if let file = settings[OpenCTISettings.authorities] { http.tls.authorities.append(Self.pem(file.text)) }
        }
        let token = rereading(OpenCTISettings.token)
        let headers = settings[OpenCTISettings.customHeaders].map { CustomHeaders(parsing: $0.reveal()).headers }
        let configuration = try OpenCTIClient.Configuration(
            url: settings[OpenCTISettings.url].text, token: token, userAgent: Self.userAgent,
            customHeaders: headers ?? [:])
        return OpenCTIClient(
            transport: patient(transport, "opencti"), configuration: configuration, time: context.time)
    }

    /// The tenant's client, inside the tenant's request budget.
    ///
    /// - Parameter secret: the API client's, where it does not come from the settings.
    /// - Parameter wrap: puts something between the client and the network: a rehearsal, which holds changes back.
    public func falcon(
        secret: Secret? = nil, through wrap: (any HTTPTransport) -> any HTTPTransport = { $0 }
    ) throws -> FalconClient {
        try configured("falcon") { try makeFalcon(secret, wrap) }
    }

    /// Calls to a service that is neither platform nor tenant, counted under that name.
    public func plainTransport(_ kind: StaticString) throws -> any HTTPTransport {
        try configured("\(kind)") { try transport(kind, .system) { _ in } }
    }

    /// The console's client.
    ///
    /// - Throws: ``ConnectorError/configuration(setting:reason:)``.
    public func harfangLab(_ names: HarfangLabSettings) throws -> HarfangLabClient {
        try configured("harfanglab") {
            let settings = context.settings
            let token = RereadSecret(settings.source(of: names.token))
            var policy = RetryPolicy()
            policy.attempts = 3
            policy.totalTime = .seconds(20)
            let inner = try transport("harfanglab", settings[names.verification]) {
                $0.timeouts = HarfangLabSettings.timeouts
            }
            let transport = Retrying(
                inner, policy: policy, time: context.time,
                observer: HTTPMetrics(context.metrics, connection: "harfanglab"))
            return try HarfangLabClient(
                transport: transport, url: settings[names.url].text, token: { token.value() },
                userAgent: Self.userAgent, time: context.time)
        }
    }

    /// Makes a client of the connection; what is wrong with its settings comes as
    /// ``ConnectorError/configuration(setting:reason:)``.
    public func configured<Client>(_ connection: String, _ make: () throws -> Client) throws -> Client {
        do { return try make() } catch let error as any ActionableError {
            throw ConnectorError.configuration(setting: "connection \(connection)", reason: error.description)
        }
    }

    private func makeFalcon(
        _ given: Secret?, _ wrap: (any HTTPTransport) -> any HTTPTransport
    ) throws -> FalconClient {
        let settings = context.settings
        let secret = RereadSecret(
            given.map { SecretSource($0) } ?? settings.source(of: FalconSettings.clientSecret))
        let credentials = try FalconCredentials(
            clientID: settings[FalconSettings.clientID], clientSecret: { secret.value() },
            memberCID: settings[FalconSettings.memberCID])
        let key = FalconBudget.key(
            try FalconAddress(settings[FalconSettings.baseURL]), memberCID: credentials.memberCID)
        let budget = FalconBudget.shared(
            in: context.shared, tenant: key, perMinute: settings[FalconSettings.requestsPerMinute],
            time: context.time)
        let inner = Budgeted(
            inner: try transport("falcon", settings[FalconSettings.verification]) { _ in }, budget: budget)
        return try FalconClient(
            transport: wrap(patient(inner, "falcon")), credentials: credentials,
            baseURL: settings[FalconSettings.baseURL], userAgent: Self.userAgent, timeout: .seconds(60),
            time: context.time)
    }

    /// Repeats what may be repeated, for a short time: the engine has the longer patience, and says what it waits for.
    private func patient<Inner: HTTPTransport>(_ inner: Inner, _ connection: String) -> Retrying<Inner> {
        var policy = RetryPolicy()
        policy.attempts = 3
        policy.totalTime = .seconds(20)
        return Retrying(
            inner, policy: policy, time: context.time, observer: HTTPMetrics(context.metrics, connection: connection))
    }

    /// The metrics of calls, whatever the connection.
    public static func declareMetrics(in metrics: Metrics) { _ = HTTPMetrics(metrics, connection: "") }

    /// Names the tenant for the ledger: client and, where there is one, the child CID.
    public var tenant: String {
        let settings = context.settings
        let address = (try? FalconAddress(settings[FalconSettings.baseURL]))?.host ?? ""
        return "\(address)/\(settings[FalconSettings.memberCID] ?? settings[FalconSettings.clientID])"
    }

    /// The text of a secret setting, read again now and then where it comes from a file.
    public func rereading(_ setting: Setting<Secret>) -> @Sendable () -> Secret {
        let secret = RereadSecret(context.settings.source(of: setting))
        return { secret.value() }
    }

    /// A transport of its own for one connection, with metrics; `adjust` sets what is particular to it.
    public func transport(
        _ kind: StaticString, _ verification: TLSVerification, _ adjust: (inout HTTPConfiguration) -> Void
    ) throws -> Metered<CurlTransport> {
        var configuration = HTTPConfiguration(userAgent: Self.userAgent)
        switch verification {
        case .system: break
        case .off:
            configuration.tls.verifies = false
            context.log.warning(
                "TLS certificates are not verified: anybody on the way can read and change what is exchanged",
                .field("connection", "\(kind)"))
        case .certificates(let path):
            configuration.tls.authorities = [.file(path.text)]
            configuration.tls.trustsSystemAuthorities = false
        }
        adjust(&configuration)
        let observer = HTTPMetrics(context.metrics, connection: "\(kind)")
        return Metered(try CurlTransport(configuration: configuration), observer: observer, time: context.time)
    }

    private static func pem(_ text: String) -> TLSConfiguration.PEM {
        text.contains("-----BEGIN") ? .text(Secret(text)) : .file(text)
    }

    /// `Sallyport/1.0.0`
    public static var userAgent: String { "Sallyport/\(BuildInfo.version)" }
}

/// A secret whose file is looked at again now and then, so that a rotated one is in force without a restart.
private final class RereadSecret: Sendable {
    private let source: SecretSource
    private let last: Mutex<Secret>

    init(_ source: SecretSource) {
        self.source = source
        last = Mutex(source.initial)
    }

    /// An unreadable file leaves the last secret in force: the server then says what is wrong with it.
    func value() -> Secret {
        guard source.canChange, let fresh = try? source.read() else { return last.withLock { $0 } }
        return last.withLock { last in
            last = fresh
            return fresh
        }
    }
}
