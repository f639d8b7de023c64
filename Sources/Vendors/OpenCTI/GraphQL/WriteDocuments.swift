// SPDX-License-Identifier: Apache-2.0

extension OpenCTIDocuments {
    static let writes = [
        entity, labels, labelAdd, externalReferenceAdd, organizations, organizationAdd, noteAdd, patchObservable,
        patchObject, attachToObservable, attachToObject, detachFromObservable, detachFromObject,
    ]

    /// An entity of any type as it stands now, with what an enrichment has to know.
    static let entity = GraphQLDocument(
        "entity", capability: Capability.knowledge,
        """
        query Entity($id: String!) {
          stixCoreObject(id: $id) {
            id standard_id entity_type parent_types
            objectLabel { id value }
            objectMarking { standard_id definition_type definition }
            externalReferences { edges { node { id url } } }
            ... on StixCyberObservable { x_opencti_description x_opencti_score }
          }
        }
        """)

    static let labels = GraphQLDocument(
        "labels", capability: Capability.knowledge,
        """
        query Labels($filters: FilterGroup) {
          labels(filters: $filters, first: 500) { edges { node { id value color } } }
        }
        """)

    static let labelAdd = GraphQLDocument(
        "labelAdd", capability: Capability.labels,
        "mutation LabelAdd($input: LabelAddInput!) { labelAdd(input: $input) { id value color } }")

    static let externalReferenceAdd = GraphQLDocument(
        "externalReferenceAdd", capability: Capability.updating,
        """
        mutation ExternalReferenceAdd($input: ExternalReferenceAddInput!) {
          externalReferenceAdd(input: $input) { id standard_id url }
        }
        """)

    static let organizations = GraphQLDocument(
        "organizations", capability: Capability.knowledge,
        """
        query Organizations($filters: FilterGroup) {
          identities(types: ["Organization"], filters: $filters, first: 1) {
            edges { node { id standard_id name } }
          }
        }
        """)

    static let organizationAdd = GraphQLDocument(
        "organizationAdd", capability: Capability.updating,
        "mutation OrganizationAdd($input: OrganizationAddInput!) { organizationAdd(input: $input) { id standard_id } }")

    static let noteAdd = GraphQLDocument(
        "noteAdd", capability: Capability.updating,
        "mutation NoteAdd($input: NoteAddInput!) { noteAdd(input: $input) { id standard_id } }")

    static let patchObservable = GraphQLDocument(
        "stixCyberObservableEdit", capability: Capability.updating,
        """
        mutation PatchObservable($id: ID!, $input: [EditInput]!) {
          stixCyberObservableEdit(id: $id) { fieldPatch(input: $input) { id } }
        }
        """)

    static let patchObject = GraphQLDocument(
        "stixDomainObjectEdit", capability: Capability.updating,
        """
        mutation PatchObject($id: ID!, $input: [EditInput]!) {
          stixDomainObjectEdit(id: $id) { fieldPatch(input: $input) { id } }
        }
        """)

    static let attachToObservable = GraphQLDocument(
        "stixCyberObservableEdit", capability: Capability.updating,
        """
        mutation AttachToObservable($id: ID!, $input: StixRefRelationshipAddInput!) {
          stixCyberObservableEdit(id: $id) { relationAdd(input: $input) { id } }
        }
        """)

    static let attachToObject = GraphQLDocument(
        "stixDomainObjectEdit", capability: Capability.updating,
        """
        mutation AttachToObject($id: ID!, $input: StixRefRelationshipAddInput!) {
          stixDomainObjectEdit(id: $id) { relationAdd(input: $input) { id } }
        }
        """)

    static let detachFromObservable = GraphQLDocument(
        "stixCyberObservableEdit", capability: Capability.updating,
        """
        mutation DetachFromObservable($id: ID!, $toId: StixRef!, $type: String!) {
          stixCyberObservableEdit(id: $id) { relationDelete(toId: $toId, relationship_type: $type) { id } }
        }
        """)

    static let detachFromObject = GraphQLDocument(
        "stixDomainObjectEdit", capability: Capability.updating,
        """
        mutation DetachFromObject($id: ID!, $toId: StixRef!, $type: String!) {
          stixDomainObjectEdit(id: $id) { relationDelete(toId: $toId, relationship_type: $type) { id } }
        }
        """)
}
