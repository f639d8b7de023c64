// SPDX-License-Identifier: Apache-2.0

import Archives
import Base
import ConnectorKit
import Engine
import Falcon
import HTTPClient
import Settings
import VMRay

#if canImport(Glibc)
    import Glibc
#endif

/// Samples as Falcon delivers them: encrypted archives, which stay encrypted until they are sent on. Source: VMRay, 9.1.
struct FalconDepot: SampleDepot {
    let falcon: FalconClient
    let limits: SampleArchive.Limits
    let folder: String
    let time: any TimeSource

    /// Attempts of one download.
    private static let attempts = 4

    func fetch(_ sha256: String) async throws -> SubmissionFile {
        var failures = 0
        while true {
            do {
                let archive = try await receive(sha256)
                let content = try await archive.content(sha256: sha256)
                return SubmissionFile(name: sha256, length: content.length) { content.open() }
            } catch let error as ArchiveError {
                throw SampleRefusal(error)
            } catch let error as FalconError {
                failures += 1
                if case .transport(.cancelled) = error { throw CancellationError() }
                guard error.isRetryable, failures < Self.attempts else { throw SampleRefusal(error) }
                try await time.sleep(for: max(.seconds(1 << failures), min(error.retryAfter ?? .zero, .seconds(60))))
            }
        }
    }

    private func receive(_ sha256: String) async throws -> SampleArchive {
        let stream = try await falcon.openSample(sha256: sha256)
        defer { stream.cancel() }
        return try await SampleArchive.receive(
            {
                do throws(HTTPError) { return try await stream.next() } catch { throw FalconError.transport(error) }
            }, limits: limits, folder: folder)
    }
}

extension SampleRefusal {
    fileprivate init(_ error: ArchiveError) {
        switch error {
        case .integrity: self.init(outcome: .integrityFailed, reason: error.description)
        case .tooLarge, .bomb: self.init(outcome: .tooLarge, reason: error.description)
        case .spool: self.init(outcome: .downloadFailed, reason: error.description)
        }
    }

    fileprivate init(_ error: FalconError) { self.init(outcome: .downloadFailed, reason: error.description) }
}

extension SandboxTriageConnector {
    func depot(_ falcon: FalconClient) throws -> any SampleDepot {
        let settings = context.settings
        let limits = SampleArchive.Limits(contentBytes: Int64(settings[TriageSettings.maxSampleSize].bytes))
        return FalconDepot(falcon: falcon, limits: limits, folder: try downloadFolder(), time: context.time)
    }

    /// The folder, made where there is none. Where nobody has chosen one and it can't be made, that of temporary files.
    private func downloadFolder() throws -> String {
        let folder = context.settings[TriageSettings.downloadDirectory].text
        if mkdir(folder, 0o700) == 0 || errno == EEXIST, access(folder, W_OK | X_OK) == 0 { return folder }
        guard context.settings.isSet(TriageSettings.downloadDirectory) else { return temporaryFolders }
        throw ConnectorError.configuration(
            setting: "VMRAY_DOWNLOAD_DIR",
            reason: "“\(folder)” can't be written to: \(String(cString: strerror(errno))).")
    }

    /// Takes away what the original, or a crash of it, has left in the folder: archives and decrypted samples, named by
    /// their hashes.
    func wipeDownloads() {
        let folder = context.settings[TriageSettings.downloadDirectory].text
        for name in fileNames(in: folder) ?? [] {
            let hash = name.hasSuffix(".zip") ? String(name.dropLast(4)) : name
            if IndicatorRule.isSHA256(hash.lowercased()) { unlink("\(folder)/\(name)") }
        }
    }
}
