// SPDX-License-Identifier: Apache-2.0

import JSON

/// The platform's record of one run or one job of a connector.
public struct Work: Sendable, Hashable {
    public let id: String
    public let name: String?
    /// `wait`, `progress`, `complete` or `timeout`.
    public let status: String
    public let expected: Int64
    public let processed: Int64
    /// The connector has reported its end. A work can be `complete` without: its bundles were taken, its report never came.
    public let isProcessed: Bool
    public let errors: [String]

    /// Everything that was announced has been taken.
    public var isComplete: Bool { status == "complete" }
}

/// Works. Order of an import: add, then for each bundle expectations before publishing, then processed.
/// Source: OpenCTI protocol, 6.
extension OpenCTIClient {
    /// - Parameter isMultiPart: the work completes only by ``processed(work:message:isError:)``, not when its counters
    ///   match. Platforms before 7.260430 have no such works: there the flag does nothing.
    /// - Returns: the work's id.
    public func addWork(
        connector: String, name: String, isMultiPart: Bool = false, on version: PlatformVersion?
    ) async throws(OpenCTIError) -> String {
        var variables: JSONObject = ["connectorId": .string(connector), "friendlyName": .string(name)]
        var document = OpenCTIDocuments.addWork
        if isMultiPart, version?.hasMultiPartWorks ?? false {
            variables["isMultiPartWork"] = true
            document = OpenCTIDocuments.addMultiPartWork
        }
        guard let id = try await execute(document, variables: variables)["workAdd"]?["id"]?.string else {
            throw .malformed(operation: "workAdd", reason: "the work's id is missing")
        }
        return id
    }

    public func received(work id: String, message: String) async throws(OpenCTIError) {
        _ = try await execute(
            OpenCTIDocuments.workReceived, variables: ["id": .string(id), "message": .string(message)])
    }

    public func processed(work id: String, message: String, isError: Bool = false) async throws(OpenCTIError) {
        _ = try await execute(
            OpenCTIDocuments.workProcessed,
            variables: ["id": .string(id), "message": .string(message), "inError": .bool(isError)])
    }

    /// - Returns: false when the work was deleted in the console: stop sending for it.
    public func addExpectations(work id: String, count: Int) async throws(OpenCTIError) -> Bool {
        try await isAlive {
            (client) throws(OpenCTIError) in
            _ = try await client.execute(
                OpenCTIDocuments.addExpectations, variables: ["id": .string(id), "expectations": .int(count)])
        }
    }

    /// - Parameter error: what failed and where; `nil` for a success.
    /// - Returns: false when the work was deleted in the console.
    public func reportExpectation(
        work id: String, error: (message: String, source: String)? = nil
    ) async throws(OpenCTIError) -> Bool {
        let details: JSONValue = error.map { ["error": .string($0.message), "source": .string($0.source)] } ?? .null
        return try await isAlive {
            (client) throws(OpenCTIError) in
            _ = try await client.execute(
                OpenCTIDocuments.reportExpectation, variables: ["id": .string(id), "error": details])
        }
    }

    public func addDraftContext(work id: String, draft: String) async throws(OpenCTIError) {
        _ = try await execute(
            OpenCTIDocuments.addDraftContext, variables: ["id": .string(id), "draftContext": .string(draft)])
    }

    /// Deleting what is gone succeeds.
    public func delete(work id: String) async throws(OpenCTIError) {
        _ = try await isAlive {
            (client) throws(OpenCTIError) in
            _ = try await client.execute(OpenCTIDocuments.deleteWork, variables: ["id": .string(id)])
        }
    }

    /// `nil` when there is no such work. Needs MODULES.
    public func work(_ id: String) async throws(OpenCTIError) -> Work? {
        let data = try await execute(OpenCTIDocuments.work, variables: ["id": .string(id)])
        guard let work = data["work"], let id = work["id"]?.string else { return nil }
        return Work(
            id: id, name: work["name"]?.string, status: work["status"]?.string ?? "",
            expected: work["tracking"]?["import_expected_number"]?.int ?? 0,
            processed: work["tracking"]?["import_processed_number"]?.int ?? 0,
            isProcessed: work["processed_time"]?.string?.isEmpty == false,
            errors: work["errors"]?.array?.compactMap { $0["message"]?.string } ?? [])
    }

    /// Whether a work still exists. Platforms before 6.8.10 are asked for the work itself.
    public func isWorkAlive(_ id: String, on version: PlatformVersion?) async throws(OpenCTIError) -> Bool {
        guard version?.hasWorkProbe ?? false else { return try await work(id) != nil }
        return try await execute(OpenCTIDocuments.isWorkAlive, variables: ["id": .string(id)])["isWorkAlive"]?.bool
            ?? false
    }

    private func isAlive(
        _ call: (OpenCTIClient) async throws(OpenCTIError) -> Void
    ) async throws(OpenCTIError) -> Bool {
        do throws(OpenCTIError) {
            try await call(self)
            return true
        } catch {
            if error.refusalCode?.family == .gone { return false }
            throw error
        }
    }
}
