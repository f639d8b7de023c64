// SPDX-License-Identifier: Apache-2.0

extension OpenCTIDocuments {
    static let bundles = [
        stixBundlePush, stixBundlePushEarly, playbookStepExecution, playbookStepExecutionEarly, uploadPending,
        draftWorkspaceAdd, pingWork,
    ]

    static let stixBundlePush = GraphQLDocument(
        "stixBundlePush", capability: Capability.connectors,
        """
        mutation StixBundlePush($connectorId: String!, $bundle: String!, $work_id: String) {
          stixBundlePush(connectorId: $connectorId, bundle: $bundle, work_id: $work_id)
        }
        """)

    /// Platforms 6.3 and 6.4 may not know the work.
    static let stixBundlePushEarly = GraphQLDocument(
        "stixBundlePush", capability: Capability.connectors,
        """
        mutation StixBundlePush($connectorId: String!, $bundle: String!) {
          stixBundlePush(connectorId: $connectorId, bundle: $bundle)
        }
        """)

    static let playbookStepExecution = GraphQLDocument(
        "playbookStepExecution", capability: Capability.connectors, isIdempotent: false,
        """
        mutation PlaybookStepExecution(
          $execution_id: ID!, $event_id: ID!, $execution_start: DateTime!, $data_instance_id: ID!, $playbook_id: ID!,
          $previous_step_id: ID!, $step_id: ID!, $previous_bundle: String!, $bundle: String!
        ) {
          playbookStepExecution(
            execution_id: $execution_id, event_id: $event_id, execution_start: $execution_start,
            data_instance_id: $data_instance_id, playbook_id: $playbook_id, previous_step_id: $previous_step_id,
            step_id: $step_id, previous_bundle: $previous_bundle, bundle: $bundle
          )
        }
        """)

    /// Platforms 5.11 to 6.0: no event. Not valid on later ones, where it is required.
    static let playbookStepExecutionEarly = GraphQLDocument(
        "playbookStepExecution", capability: Capability.connectors, isIdempotent: false, fitsLatest: false,
        """
        mutation PlaybookStepExecution(
          $execution_id: ID!, $execution_start: DateTime!, $data_instance_id: ID!, $playbook_id: ID!,
          $previous_step_id: ID!, $step_id: ID!, $previous_bundle: String!, $bundle: String!
        ) {
          playbookStepExecution(
            execution_id: $execution_id, execution_start: $execution_start, data_instance_id: $data_instance_id,
            playbook_id: $playbook_id, previous_step_id: $previous_step_id, step_id: $step_id,
            previous_bundle: $previous_bundle, bundle: $bundle
          )
        }
        """)

    static let uploadPending = GraphQLDocument(
        "uploadPending", capability: Capability.importing, isIdempotent: false,
        """
        mutation UploadPending($file: Upload!, $entityId: String) {
          uploadPending(file: $file, entityId: $entityId) { id name }
        }
        """)

    static let draftWorkspaceAdd = GraphQLDocument(
        "draftWorkspaceAdd", capability: Capability.importing, isIdempotent: false,
        """
        mutation DraftWorkspaceAdd($input: DraftWorkspaceAddInput!) { draftWorkspaceAdd(input: $input) { id } }
        """)

    static let pingWork = GraphQLDocument(
        "pingWork", capability: Capability.connectors, "mutation PingWork($id: ID!) { workEdit(id: $id) { ping } }")
}
