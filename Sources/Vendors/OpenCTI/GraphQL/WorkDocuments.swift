// SPDX-License-Identifier: Apache-2.0

extension OpenCTIDocuments {
    static let works = [
        addWork, addMultiPartWork, workReceived, workProcessed, addExpectations, reportExpectation, addDraftContext,
        deleteWork, work, isWorkAlive,
    ]

    static let addWork = GraphQLDocument(
        "workAdd", capability: Capability.connectors, isIdempotent: false,
        """
        mutation WorkAdd($connectorId: String!, $friendlyName: String) {
          workAdd(connectorId: $connectorId, friendlyName: $friendlyName) { id }
        }
        """)

    /// Platforms from 7.260430 on: the work completes only when it is reported as processed.
    static let addMultiPartWork = GraphQLDocument(
        "workAdd", capability: Capability.connectors, isIdempotent: false,
        """
        mutation WorkAdd($connectorId: String!, $friendlyName: String, $isMultiPartWork: Boolean) {
          workAdd(connectorId: $connectorId, friendlyName: $friendlyName, isMultiPartWork: $isMultiPartWork) { id }
        }
        """)

    static let workReceived = GraphQLDocument(
        "toReceived", capability: Capability.connectors,
        "mutation ToReceived($id: ID!, $message: String) { workEdit(id: $id) { toReceived(message: $message) } }")

    static let workProcessed = GraphQLDocument(
        "toProcessed", capability: Capability.connectors,
        """
        mutation ToProcessed($id: ID!, $message: String, $inError: Boolean) {
          workEdit(id: $id) { toProcessed(message: $message, inError: $inError) }
        }
        """)

    static let addExpectations = GraphQLDocument(
        "addExpectations", capability: Capability.connectors, isIdempotent: false,
        """
        mutation AddExpectations($id: ID!, $expectations: Int) {
          workEdit(id: $id) { addExpectations(expectations: $expectations) }
        }
        """)

    static let reportExpectation = GraphQLDocument(
        "reportExpectation", capability: Capability.connectors, isIdempotent: false,
        """
        mutation ReportExpectation($id: ID!, $error: WorkErrorInput) {
          workEdit(id: $id) { reportExpectation(error: $error) }
        }
        """)

    static let addDraftContext = GraphQLDocument(
        "addDraftContext", capability: Capability.connectors,
        """
        mutation AddDraftContext($id: ID!, $draftContext: String) {
          workEdit(id: $id) { addDraftContext(draftContext: $draftContext) }
        }
        """)

    static let deleteWork = GraphQLDocument(
        "deleteWork", capability: Capability.connectors,
        "mutation DeleteWork($id: ID!) { workEdit(id: $id) { delete } }")

    static let work = GraphQLDocument(
        "work", capability: Capability.modules,
        """
        query Work($id: ID!) {
          work(id: $id) {
            id name status received_time processed_time completed_time
            tracking { import_expected_number import_processed_number }
            messages { timestamp message }
            errors { timestamp message source }
          }
        }
        """)

    static let isWorkAlive = GraphQLDocument(
        "isWorkAlive", capability: Capability.modules, "query IsWorkAlive($id: ID!) { isWorkAlive(id: $id) }")
}
