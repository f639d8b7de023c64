// SPDX-License-Identifier: Apache-2.0

extension OpenCTIDocuments {
    static let reads = [
        me, streamCollection, indicator, indicatorWithObservables, indicatorsHolding, stix, connectorQueue,
    ]

    static let me = GraphQLDocument("me", "query Me { me { id name user_email capabilities { name } } }")

    static let streamCollection = GraphQLDocument(
        "streamCollection", capability: Capability.sharing,
        """
        query StreamCollection($id: String!) {
          streamCollection(id: $id) { id name stream_live stream_public filters }
        }
        """)

    static let indicator = GraphQLDocument(
        "indicator", capability: Capability.knowledge,
        """
        query Indicator($id: String!) {
          indicator(id: $id) {
            id standard_id name description pattern pattern_type
            valid_from valid_until revoked confidence created modified updated_at
            x_opencti_score x_opencti_detection x_mitre_platforms
            objectLabel { value }
          }
        }
        """)

    /// What an indicator is based on besides its pattern.
    static let indicatorWithObservables = GraphQLDocument(
        "indicatorWithObservables", capability: Capability.knowledge,
        """
        query IndicatorWithObservables($id: String!) {
          indicator(id: $id) {
            id standard_id name description pattern pattern_type
            valid_from valid_until revoked confidence created modified updated_at
            x_opencti_score x_opencti_detection x_mitre_platforms
            observables(first: 500) { edges { node { id entity_type observable_value } } }
          }
        }
        """)

    /// Candidates only: `search` with a quoted value is a full-text phrase search, which has covered the pattern of
    /// indicators in every version since 5. A filter on `pattern` would need an operator per version.
    /// Source: `OpenCTI-Platform/opencti: src/database/engine.js` (`elGenerateFullTextSearchShould`,
    /// `BASE_SEARCH_ATTRIBUTES`).
    static let indicatorsHolding = GraphQLDocument(
        "indicatorsHolding", capability: Capability.knowledge,
        """
        query IndicatorsHolding($search: String, $filters: FilterGroup, $first: Int, $after: ID) {
          indicators(search: $search, filters: $filters, first: $first, after: $after) {
            edges { node { id standard_id pattern pattern_type revoked valid_until } }
            pageInfo { endCursor hasNextPage }
          }
        }
        """)

    /// The STIX 2.1 text of any object, extensions included.
    static let stix = GraphQLDocument(
        "stix", capability: Capability.knowledge, "query Stix($id: String!) { stix(id: $id) }")

    static let connectorQueue = GraphQLDocument(
        "connector", capability: Capability.modules,
        """
        query Connector($id: String!) {
          connector(id: $id) { id connector_state connector_queue_details { messages_number messages_size } }
        }
        """)
}
