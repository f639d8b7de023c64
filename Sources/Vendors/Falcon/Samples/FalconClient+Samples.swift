// SPDX-License-Identifier: Apache-2.0

import Base
public import HTTPClient
import JSON

/// Files that the sensor has uploaded. Source: Falcon API surface, 8.
extension FalconClient {
    /// Opens the download of a file, as a zip archive that is encrypted with the password `infected` and holds one member
    /// named by the hash. What comes is malware: it is read as a stream, and never written decrypted.
    ///
    /// `GET /samples/entities/samples/v3?ids=<sha256>&password_protected=true`, scope “Sample uploads: Read”
    ///
    /// - Throws: ``FalconError/notFound(_:traceID:)`` when Falcon has no copy; an error that comes as a JSON body of a success
    ///   is thrown by its own code.
    public func openSample(sha256: String) async throws(FalconError) -> any HTTPStream {
        let query = [(name: "ids", value: sha256), (name: "password_protected", value: "true")]
        let call = FalconCall(
            .get, "/samples/entities/samples/v3", query: query, operation: "falcon.sample_get", scope: .samplesRead)
        let stream = try await open(call)
        guard stream.head.headers["Content-Type"]?.lowercased().contains("json") == true else { return stream }
        let body = try await Self.whole(stream, atMost: 64 << 10)
        throw refusal(HTTPResponse(head: stream.head, body: body), insideSuccessOf: call)
    }

    private static func whole(_ stream: any HTTPStream, atMost limit: Int) async throws(FalconError) -> [UInt8] {
        var body: [UInt8] = []
        do throws(HTTPError) {
            while body.count <= limit, let piece = try await stream.next() { body += piece }
        } catch { throw .transport(error) }
        stream.cancel()
        return body
    }
}
