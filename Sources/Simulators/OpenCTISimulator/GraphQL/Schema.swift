// SPDX-License-Identifier: Apache-2.0

/// What of the platform's schema is served, with the version from which on it is known. Asking for anything else is an
/// error of the document, as it is at the platform.
///
/// Source: OpenCTI protocol, 2.3 and 6; the schema `OpenCTI-Platform/opencti:
/// opencti-platform/opencti-front/src/schema/relay.schema.graphql`.
enum Schema {
    struct Field {
        /// `nil` for a scalar.
        var type: String?
        var since = Release.always
        /// Known until this version, exclusively.
        var until: Release?
        /// Names with the version from which on they are known.
        var arguments: [String: Release] = [:]
        /// What the caller's user must be allowed; `nil` where anyone logged in may ask.
        var capability: String?
    }

    static let types: [String: [String: Field]] = [
        "Query": queries, "Mutation": mutations,
        "AppInfo": scalars("version memory dependencies debugStats"),
        "MeUser": scalars("id standard_id entity_type name user_email firstname lastname language api_token").merging(
            ["capabilities": Field(type: "Capability")]) { $1 },
        "Capability": scalars("id standard_id entity_type name description attribute_order"),
        "User": scalars("id standard_id entity_type name user_email"),
        "Creator": scalars("id standard_id entity_type name"),
        "StreamCollection": scalars("id name description filters stream_live stream_public"),
        "Connector": connector,
        "ConnectorConfig": scalars("listen listen_exchange push push_exchange dead_letter_routing").merging(
            [
                "connection": Field(type: "RabbitMQConnection", capability: "CONNECTORAPI"),
                "listen_routing": Field(since: .routingKeys), "push_routing": Field(since: .routingKeys),
                "listen_callback_uri": Field(since: .callbacks), "s3": Field(type: "S3Connection", since: .objectStore),
            ]) { $1 },
        "RabbitMQConnection": scalars("host use_ssl port user pass").merging(["vhost": Field(since: .routingKeys)]) {
            $1
        },
        "S3Connection": scalars("endpoint port use_ssl bucket_name bucket_region access_key secret_key"),
        "ConnectorQueueDetails": scalars("messages_number messages_size"),
        "Work": scalars(
            "id name timestamp status event_source_id received_time processed_time completed_time completed_number draft_context"
        ).merging(
            [
                "user": Field(type: "Creator"), "connector": Field(type: "Connector"),
                "messages": Field(type: "WorkMessage"), "errors": Field(type: "WorkMessage"),
                "tracking": Field(type: "WorkTracking"),
            ]) { $1 },
        "WorkMessage": scalars("timestamp message sequence source"),
        "WorkTracking": scalars("import_expected_number import_last_processed import_processed_number"),
        "WorkEditMutations": [
            "delete": Field(), "ping": Field(), "reportExpectation": Field(arguments: ["error": .always]),
            "addExpectations": Field(arguments: ["expectations": .always]),
            "addDraftContext": Field(arguments: ["draftContext": .always]),
            "toReceived": Field(arguments: ["message": .always]),
            "toProcessed": Field(arguments: ["message": .always, "inError": .always]),
        ],
        "IndicatorConnection": ["edges": Field(type: "IndicatorEdge"), "pageInfo": Field(type: "PageInfo")],
        "IndicatorEdge": ["cursor": Field(), "node": Field(type: "Indicator")],
        "Label": scalars("id standard_id value color"), "ExternalReference": scalars("id standard_id url source_name"),
        "Organization": scalars("id standard_id name description"), "Note": scalars("id standard_id"),
        "File": scalars("id name"), "DraftWorkspace": scalars("id name"),
        "StixObjectEditMutations": [
            "fieldPatch": Field(type: "BasicObject", arguments: ["input": .always]),
            "relationAdd": Field(type: "BasicObject", arguments: ["input": .always]),
            "relationDelete": Field(
                type: "BasicObject", arguments: ["toId": .always, "relationship_type": .always]),
        ],
        "StixCoreObjectEditMutations": ["askEnrichment": Field(type: "Work", arguments: ["connectorId": .always])],
        "BasicObject": scalars("id standard_id entity_type"),
        "ConnectorInfo": scalars(
            "run_and_terminate buffering queue_threshold queue_messages_size next_run_datetime last_run_datetime"),
        "PageInfo": scalars("startCursor endCursor hasNextPage hasPreviousPage globalCount"),
        "__Type": [
            "name": Field(), "kind": Field(), "inputFields": Field(type: "__InputValue"),
            "fields": Field(type: "__Field"),
        ],
        "__InputValue": scalars("name description defaultValue"),
        "__Field": scalars("name description"),
    ]

    private static let queries: [String: Field] = [
        "__typename": Field(),
        "__type": Field(type: "__Type", arguments: ["name": .always]),
        "about": Field(type: "AppInfo"),
        "me": Field(type: "MeUser"),
        "connector": Field(type: "Connector", arguments: ["id": .always], capability: "MODULES"),
        "connectors": Field(type: "Connector", capability: "MODULES"),
        "work": Field(type: "Work", arguments: ["id": .always], capability: "MODULES"),
        "isWorkAlive": Field(since: .workProbe, arguments: ["id": .always], capability: "MODULES"),
        "streamCollection": Field(type: "StreamCollection", arguments: ["id": .always], capability: "TAXIIAPI"),
        // Indicators have too many fields to list: any may be asked for, those that are not kept are null.
        "indicator": Field(type: "Indicator", arguments: ["id": .always], capability: "KNOWLEDGE"),
        "indicators": Field(
            type: "IndicatorConnection",
            arguments: [
                "first": .always, "after": .always, "orderBy": .always, "orderMode": .always, "filters": .always,
                "search": .always, "toStix": .always,
            ], capability: "KNOWLEDGE"),
        "stix": Field(arguments: ["id": .always], capability: "KNOWLEDGE"),
        "stixCoreObject": Field(type: "StixCoreObject", arguments: ["id": .always], capability: "KNOWLEDGE"),
        "stixCyberObservable": Field(type: "StixCyberObservable", arguments: ["id": .always], capability: "KNOWLEDGE"),
        "labels": Field(
            type: "LabelConnection",
            arguments: ["first": .always, "after": .always, "filters": .always, "search": .always],
            capability: "KNOWLEDGE"),
        "identities": Field(
            type: "IdentityConnection",
            arguments: ["first": .always, "after": .always, "filters": .always, "types": .always, "search": .always],
            capability: "KNOWLEDGE"),
    ]

    private static let mutations: [String: Field] = [
        "__typename": Field(),
        "registerConnector": Field(type: "Connector", arguments: ["input": .always], capability: "CONNECTORAPI"),
        "pingConnector": Field(
            type: "Connector", arguments: ["id": .always, "state": .always, "connectorInfo": .connectorInfo],
            capability: "CONNECTORAPI"),
        "resetStateConnector": Field(type: "Connector", arguments: ["id": .always], capability: "MODULES_MODMANAGE"),
        "deleteConnector": Field(arguments: ["id": .always], capability: "MODULES_MODMANAGE"),
        "workAdd": Field(
            type: "Work",
            arguments: ["connectorId": .always, "friendlyName": .always, "isMultiPartWork": .multiPartWorks],
            capability: "CONNECTORAPI"),
        "workEdit": Field(type: "WorkEditMutations", arguments: ["id": .always], capability: "CONNECTORAPI"),
        "labelAdd": Field(type: "Label", arguments: ["input": .always], capability: "SETTINGS_SETLABELS"),
        "externalReferenceAdd": Field(
            type: "ExternalReference", arguments: ["input": .always], capability: "KNOWLEDGE_KNUPDATE"),
        "organizationAdd": Field(type: "Organization", arguments: ["input": .always], capability: "KNOWLEDGE_KNUPDATE"),
        "noteAdd": Field(type: "Note", arguments: ["input": .always], capability: "KNOWLEDGE_KNUPDATE"),
        "stixCyberObservableEdit": Field(
            type: "StixObjectEditMutations", arguments: ["id": .always], capability: "KNOWLEDGE_KNUPDATE"),
        "stixDomainObjectEdit": Field(
            type: "StixObjectEditMutations", arguments: ["id": .always], capability: "KNOWLEDGE_KNUPDATE"),
        "stixCoreObjectEdit": Field(
            type: "StixCoreObjectEditMutations", arguments: ["id": .always], capability: "KNOWLEDGE_KNUPDATE"),
        "stixBundlePush": Field(
            since: .bundlePush, arguments: ["connectorId": .always, "bundle": .always, "work_id": .callbacks],
            capability: "CONNECTORAPI"),
        "playbookStepExecution": Field(
            since: .playbooks,
            arguments: [
                "execution_id": .always, "event_id": .playbookEvents, "execution_start": .always,
                "data_instance_id": .always, "playbook_id": .always, "previous_step_id": .always, "step_id": .always,
                "previous_bundle": .always, "bundle": .always,
            ], capability: "CONNECTORAPI"),
        "uploadPending": Field(
            type: "File", arguments: ["file": .always, "entityId": .always, "file_markings": .always],
            capability: "KNOWLEDGE_KNASKIMPORT"),
        "draftWorkspaceAdd": Field(
            type: "DraftWorkspace", since: .drafts, arguments: ["input": .always], capability: "KNOWLEDGE_KNASKIMPORT"),
    ]

    private static let connector = scalars(
        "id standard_id entity_type name active auto only_contextual connector_type connector_scope connector_state "
            + "connector_state_reset updated_at created_at"
    ).merging(
        [
            "playbook_compatible": Field(since: .playbooks), "connector_user_id": Field(since: .routingKeys),
            "connector_user": Field(type: "User"),
            "connector_info": Field(type: "ConnectorInfo", since: .connectorInfo),
            "auto_update": Field(since: .autoUpdate), "enrichment_resolution": Field(since: .autoUpdate),
            "connector_queue_details": Field(type: "ConnectorQueueDetails"), "config": Field(type: "ConnectorConfig"),
            "works": Field(type: "Work", arguments: ["status": .always]), "jwks": Field(since: .keySet),
            "xtm_one_intent": Field(since: .intent), "version": Field(since: .connectorVersion),
            "slug": Field(since: .connectorVersion),
        ]) { $1 }

    /// Fields of the registration's input.
    static let registration: [(name: String, since: Release)] = [
        ("id", .always), ("name", .always), ("type", .always), ("scope", .always), ("auto", .always),
        ("only_contextual", .always), ("playbook_compatible", .playbooks), ("listen_callback_uri", .callbacks),
        ("auto_update", .autoUpdate), ("enrichment_resolution", .autoUpdate), ("xtm_one_intent", .intent),
        ("version", .connectorVersion), ("slug", .connectorVersion),
    ]

    /// Types that a document's variables may name although some versions do not know them.
    static let inputTypes: [String: Release] = ["ConnectorInfoInput": .connectorInfo, "FilterGroup": .filterGroups]

    private static func scalars(_ names: String) -> [String: Field] {
        Dictionary(uniqueKeysWithValues: names.split(separator: " ").map { (String($0), Field()) })
    }
}
