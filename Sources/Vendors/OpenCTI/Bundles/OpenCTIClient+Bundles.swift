// SPDX-License-Identifier: Apache-2.0

public import Base
import HTTPClient
public import JSON

/// Bundles by way of the API. Source: OpenCTI protocol, 6 and 7.
extension OpenCTIClient {
    /// Hands a whole bundle over; the platform queues it for its workers. From 6.3 on.
    ///
    /// The token's user is the applicant, and drafts are not possible.
    public func push(
        bundle: JSONValue, connector: String, work: String?
    ) async throws(OpenCTIError) {
        var variables: JSONObject = ["connectorId": .string(connector), "bundle": .string(bundle.text)]
        guard let work else {
            _ = try await execute(OpenCTIDocuments.stixBundlePushEarly, variables: variables)
            return
        }
        variables["work_id"] = .string(work)
        do throws(OpenCTIError) {
            _ = try await execute(OpenCTIDocuments.stixBundlePush, variables: variables)
        } catch {
            guard error.refusalCode?.family == .document else { throw error }
            variables["work_id"] = nil
            _ = try await execute(OpenCTIDocuments.stixBundlePushEarly, variables: variables)
        }
    }

    /// Gives a playbook the result of its step, or the same bundle when there is nothing to add: without an answer its
    /// run stops there.
    ///
    /// - Parameter start: when the request was received.
    public func answer(
        _ step: PlaybookStep, bundle: JSONValue, start: Instant, on version: PlatformVersion?
    ) async throws(OpenCTIError) {
        var variables: JSONObject = [
            "execution_id": .string(step.executionID), "execution_start": .string(start.description),
            "data_instance_id": .string(step.dataInstanceID), "playbook_id": .string(step.playbookID),
            "previous_step_id": .string(step.previousStepID), "step_id": .string(step.stepID),
            "previous_bundle": .string(step.bundle.text), "bundle": .string(bundle.text),
        ]
        guard version?.hasPlaybookEvents ?? false, let event = step.eventID else {
            _ = try await execute(OpenCTIDocuments.playbookStepExecutionEarly, variables: variables)
            return
        }
        variables["event_id"] = .string(event)
        _ = try await execute(OpenCTIDocuments.playbookStepExecution, variables: variables)
    }

    /// Puts a bundle into a workbench for somebody to look at. Needs KNOWLEDGE_KNASKIMPORT.
    public func uploadPending(
        fileName: String, bundle: JSONValue, entity: String?
    ) async throws(OpenCTIError) {
        _ = try await execute(
            OpenCTIDocuments.uploadPending, variables: ["entityId": entity.map(JSONValue.string) ?? .null],
            file: .init(name: "0", fileName: fileName, contentType: "application/json", body: .bytes(bundle.bytes)))
    }

    /// - Returns: the draft's id.
    public func addDraft(name: String, entity: String?) async throws(OpenCTIError) -> String {
        var input: JSONObject = ["name": .string(name)]
        if let entity { input["entity_id"] = .string(entity) }
        let data = try await execute(OpenCTIDocuments.draftWorkspaceAdd, variables: ["input": .object(input)])
        guard let id = data["draftWorkspaceAdd"]?["id"]?.string else {
            throw .malformed(operation: "draftWorkspaceAdd", reason: "the draft's id is missing")
        }
        return id
    }

    /// Tells the platform that a long work is still going on.
    public func ping(work id: String) async throws(OpenCTIError) {
        _ = try await execute(OpenCTIDocuments.pingWork, variables: ["id": .string(id)])
    }
}
