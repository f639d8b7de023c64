// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON
import SimulatorKit
import Synchronization

/// The sample store: downloads only (Falcon API, 8).
struct SampleShelf: Sendable {
    private var samples: [String: StoredSample] = [:]
    let traffic = Traffic()

    /// - Parameter hash: by which it is asked for.
    mutating func put(_ sample: StoredSample, as hash: String) { samples[hash.lowercased()] = sample }

    func answer(to operation: FalconOperation, _ call: EntityCall) -> ServerResponse? {
        guard operation == .sampleGet else { return nil }
        let ids = call.query.all("ids")
        guard ids.count == 1, let hash = ids.first?.lowercased(), hash.utf8.count == 64 else {
            return call.refuse(400, "ids must be one SHA-256")
        }
        guard let sample = samples[hash], sample.shape != .missing else {
            return call.refuse(404, "sample not found", id: hash)
        }
        if sample.shape == .errorJSON {
            return call.give([], [.init(code: 404, message: "sample not found", id: hash)])
        }
        // An older falconpy writes it as Python does.
        guard call.query["password_protected"]?.lowercased() == "true" else { return plain(sample) }
        guard sample.shape != .notZip else { return plain(StoredSample(content: .bytes(Array("no archive".utf8)))) }
        let maker = Mutex(ArchiveMaker(sample, named: hash))
        let download = Traffic.Download(traffic)
        return .pieces(contentType: Self.type) { withExtendedLifetime(download) { maker.withLock { $0.next() } } }
    }

    private static let type = "application/octet-stream"

    private func plain(_ sample: StoredSample) -> ServerResponse {
        let offset = Mutex(0)
        return .pieces(contentType: Self.type) {
            offset.withLock { offset in
                guard offset < sample.count else { return nil }
                let piece = sample.piece(at: offset)
                offset += piece.count
                return piece
            }
        }
    }
}

/// How many downloads are under way.
final class Traffic: Sendable {
    private let counts = Mutex((now: 0, most: 0))

    var most: Int { counts.withLock { $0.most } }

    /// Under way as long as somebody holds it: the answer's body does.
    final class Download: Sendable {
        private let traffic: Traffic

        init(_ traffic: Traffic) {
            self.traffic = traffic
            traffic.counts.withLock { counts in
                counts.now += 1
                counts.most = max(counts.most, counts.now)
            }
        }

        deinit { traffic.counts.withLock { $0.now -= 1 } }
    }
}
