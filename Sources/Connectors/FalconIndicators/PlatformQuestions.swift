// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import OpenCTI
import STIX

/// Asks OpenCTI whether another live indicator wants a value, while the ledger does not know all of them yet.
final class PlatformQuestions: Sendable {
    private let client: OpenCTIClient
    private let version: PlatformVersion?
    private let time: any TimeSource

    init(client: OpenCTIClient, version: PlatformVersion?, time: any TimeSource) {
        self.client = client
        self.version = version
        self.time = time
    }

    func holding(_ content: IOCContent, besides source: Digest128, model: IOCModel) async -> FlowCore.Holding {
        let key = model.key(content.type, content.value)
        do throws(OpenCTIError) {
            let records = try await client.liveIndicators(
                holding: content.value, at: time.now, on: version)
            guard let records else { return .unknown }
            let holds = records.contains { record in
                guard model.source(record.id) != source,
                    let extracted = try? PatternParser.observables(in: record.pattern)
                else { return false }
                return extracted.observables.contains { observable in
                    IOCType(observable.type).map { model.key($0, observable.value) == key } ?? false
                }
            }
            return holds ? .held : .free
        } catch {
            return .unknown
        }
    }
}
