// SPDX-License-Identifier: Apache-2.0

import Base

@testable import Engine
@testable import FalconIndicators

extension IOCContent {
    /// An indicator of which a test changes what it is about.
    static func sample(
        _ value: String = "a.example", _ type: IOCType = .domain, _ change: (inout IOCContent) -> Void = { _ in }
    ) -> IOCContent {
        var content = IOCContent(
            type: type, value: value, action: .detect, severity: .medium, platforms: .standard, description: "",
            expiration: .none, tags: [], fileName: "")
        change(&content)
        return content
    }
}

extension IOCModel {
    func operation(_ kind: Operation.Kind, _ content: IOCContent, id: String = "", isMark: Bool = false) -> Operation {
        let bytes = content.encoded
        return Operation(
            kind: kind, key: key(content.type, content.value), remoteID: id, content: bytes,
            digest: digest(of: bytes), isMark: isMark)
    }
}

extension OperationBatch {
    init(_ operations: [Operation]) {
        self.init(id: 1, kind: operations.first?.kind ?? .create, operations: operations)
    }
}

extension OperationResult {
    var code: String? {
        switch self {
        case .kept(let code, _), .refused(let code, _), .retry(_, let code, _), .unavailable(_, let code, _): code
        case .applied, .missing: nil
        }
    }
}
