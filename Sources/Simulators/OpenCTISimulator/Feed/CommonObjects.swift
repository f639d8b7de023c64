// SPDX-License-Identifier: Apache-2.0

/// Objects that indicators refer to.
enum CommonObjects {
    static let authorID: StaticString = "identity--5f18c204-0a7f-5061-a146-d29561d9c8aa"
    /// TLP:CLEAR's id in STIX 2.1.
    static let markingID: StaticString = "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
    /// When they were made.
    static let milliseconds: Int64 = 1_735_700_000_000

    static let authorAndMarking: [Element] = [
        Element(
            id: "c2b8e1f0-77aa-4f6e-9f3b-1f5f0c9d8e7a", stixID: "\(authorID)",
            object: Array(
                """
                {"id":"\(authorID)","spec_version":"2.1","type":"identity","created":"2025-01-01T00:00:00.000Z",\
                "modified":"2025-01-01T00:00:00.000Z","name":"Example feed","identity_class":"organization",\
                "extensions":{"extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba":{"extension_type":\
                "property-extension","id":"c2b8e1f0-77aa-4f6e-9f3b-1f5f0c9d8e7a","type":"Organization","is_inferred":false}}}
                """.utf8),
            message: #""creates a Organization `Example feed`""#, updated: milliseconds, isInStream: false),
        Element(
            id: "7f1c8d2e-3b4a-4c5d-8e6f-90a1b2c3d4e5", stixID: "\(markingID)",
            object: Array(
                """
                {"id":"\(markingID)","spec_version":"2.1","type":"marking-definition","created":"2025-01-01T00:00:00.000Z",\
                "definition_type":"TLP","name":"TLP:CLEAR","definition":{"TLP":"TLP:CLEAR"},\
                "extensions":{"extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba":{"extension_type":\
                "property-extension","id":"7f1c8d2e-3b4a-4c5d-8e6f-90a1b2c3d4e5","type":"Marking-Definition",\
                "is_inferred":false}}}
                """.utf8),
            message: #""creates a Marking-Definition `TLP:CLEAR`""#, updated: milliseconds, isInStream: false),
    ]
}
