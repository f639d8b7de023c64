// SPDX-License-Identifier: Apache-2.0

public import Base
public import Engine
public import OpenCTI

/// What `plan` delivers to: takes every operation for granted and reports it. What the target holds is read all the same.
public struct PlanningSink: FlowSink {
    /// How an operation reads: its subject, its fields, and under which condition it happens.
    public struct Wording: Sendable {
        public var subject: String
        public var detail: [(field: String, text: String)]
        public var condition: String

        public init(subject: String, detail: [(field: String, text: String)] = [], condition: String = "") {
            self.subject = subject
            self.detail = detail
            self.condition = condition
        }
    }

    private let inner: any FlowSink
    private let describe: @Sendable (Operation) -> Wording
    private let report: @Sendable (PlannedChange) -> Void

    public init(
        instead inner: any FlowSink, report: @escaping @Sendable (PlannedChange) -> Void,
        describe: @escaping @Sendable (Operation) -> Wording
    ) {
        self.inner = inner
        self.report = report
        self.describe = describe
    }

    public func deliver(_ batch: OperationBatch) async -> [OperationResult] {
        batch.operations.map { operation in
            let wording = describe(operation)
            report(
                PlannedChange(
                    action: operation.isMark ? "mark" : operation.kind.description, subject: wording.subject,
                    detail: wording.detail, reason: wording.condition))
            return .applied(remoteID: operation.remoteID.isEmpty ? "planned" : operation.remoteID)
        }
    }

    public func holding(_ key: Digest128, removal: [UInt8], source: Digest128) async -> FlowCore.Holding {
        await inner.holding(key, removal: removal, source: source)
    }
}

extension Connections {
    /// The platform and its version, for commands that do not register.
    ///
    /// - Throws: ``ConnectorError/refused(code:reason:)``.
    public func openCTIAndVersion() async throws -> (client: OpenCTIClient, version: PlatformVersion?) {
        let client = try openCTI()
        do { return (client, try await client.platformVersion()) } catch {
            throw ConnectorError.refused(code: error.code, reason: error.description)
        }
    }

    /// What a ledger knows an indicator by: the digest of the platform's internal id. A STIX id changes with the pattern:
    /// the platform says which indicator has it now.
    ///
    /// - Parameter id: an internal id, or a STIX id (`indicator--…`).
    /// - Returns: `nil` for any other text, and where the platform knows no such indicator.
    public func indicatorSource(
        of id: String, digest: (_ internalID: String) -> Digest128
    ) async throws -> Digest128? {
        if let uuid = Digest128(uuid: id) { return uuid }
        guard id.hasPrefix("indicator--") else { return nil }
        let client = try openCTI()
        do throws(OpenCTIError) {
            return try await client.indicator(id).map { digest($0.id) }
        } catch {
            throw ConnectorError.refused(code: error.code, reason: error.description)
        }
    }
}
