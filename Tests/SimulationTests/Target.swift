// SPDX-License-Identifier: Apache-2.0

import Base
import Engine

/// A stand-in for the target behind a sink: it holds contents, appends records, carries out acts.
struct Target {
    private(set) var contents: [Digest128: (id: String, content: [UInt8])] = [:]
    private var nextID = 1
    private(set) var writes = 0
    private(set) var records: [[UInt8]] = []
    private(set) var acts: [String: Int] = [:]

    mutating func apply(_ operation: Operation) -> OperationResult {
        switch operation.kind {
        case .create:
            // A create that meets its like was ours and its answer was lost: a sink adopts and updates it.
            let id = contents[operation.key]?.id ?? "id\(nextID)"
            nextID += 1
            write(operation, id)
            return .applied(remoteID: id)
        case .update:
            guard contents[operation.key]?.id == operation.remoteID else { return .missing }
            write(operation, operation.remoteID)
            return .applied(remoteID: operation.remoteID)
        case .delete:
            // Without an id the sink looks the key up.
            let isFound = operation.isBlind || contents[operation.key]?.id == operation.remoteID
            guard contents[operation.key] != nil, isFound else { return .missing }
            contents[operation.key] = nil
            writes += 1
            return .applied(remoteID: "")
        }
    }

    private mutating func write(_ operation: Operation, _ id: String) {
        contents[operation.key] = (id, operation.content)
        writes += 1
    }

    mutating func append(_ batch: [[UInt8]]) { records += batch }
    mutating func perform(_ act: String) { acts[act, default: 0] += 1 }
}
