// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient

#if canImport(Glibc)
    import Glibc
#endif

/// The module's own folder, where `cache.json`, `context.json` and the files of actions lie: a volume or an S3 bucket.
public protocol DataFolder: Sendable {
    /// `nil` when there is no such file.
    func read(_ name: String) async throws(SymphonyError) -> [UInt8]?
    /// Replaces the whole file, durably, or leaves the old one.
    func write(_ name: String, _ bytes: [UInt8]) async throws(SymphonyError)
}

/// Where it is. Source: Sekoia.io module, 0.1.
public struct DataPath: Sendable {
    public static let defaultFolder = "/symphony_data"

    public enum Place: Sendable {
        case folder(String)
        case bucket(S3Bucket)
    }
    public var place: Place

    public init(folder: String) { place = .folder(folder) }

    /// `file_backend` = `S3` with the bucket's parameters, else the local folder with its `sub_folder`.
    ///
    /// - Parameter folder: nil takes the one of the variable `SYMPHONY_DATA_PATH`, else ``defaultFolder``.
    public init(_ parameters: SymphonyParameters, folder: String? = nil) {
        let folder = folder ?? parameters.text("symphony_data_path") ?? Self.defaultFolder
        let sub = parameters.text("sub_folder")
        guard parameters.text("file_backend")?.uppercased() == "S3", let bucket = parameters.text("aws_bucket_name")
        else {
            place = .folder(sub.map { folder + "/" + $0 } ?? folder)
            return
        }
        place = .bucket(
            S3Bucket(
                name: bucket, region: parameters.text("aws_default_region") ?? "us-east-1",
                endpoint: parameters.text("aws_s3_endpoint_url"), prefix: sub ?? "",
                accessKey: parameters.text("aws_access_key_id") ?? "",
                secretKey: parameters.secret("aws_secret_access_key") ?? Secret(""),
                sessionToken: parameters.secret("aws_session_token"), authorities: parameters.secret("ca_cert"),
                certificate: parameters.secret("client_cert"), certificateKey: parameters.secret("client_key")))
    }
}

/// - Throws: ``SymphonyError/data(name:reason:)`` for a bucket that can't be addressed.
public func openDataFolder(
    _ path: DataPath, transport: any HTTPTransport, time: any TimeSource = SystemTime()
) throws(SymphonyError) -> any DataFolder {
    switch path.place {
    case .folder(let folder): LocalFolder(folder)
    case .bucket(let bucket): S3Folder(bucket, transport: try bucket.transport() ?? transport, time: time)
    }
}

extension S3Bucket {
    /// One of its own where the bucket wants a certificate or is known to authorities of its own.
    fileprivate func transport() throws(SymphonyError) -> (any HTTPTransport)? {
        guard let tls else { return nil }
        var configuration = HTTPConfiguration(userAgent: Connections.userAgent)
        configuration.tls = tls
        do throws(HTTPConfigurationError) { return try CurlTransport(configuration: configuration) } catch {
            throw .data(name: name, reason: error.description)
        }
    }
}

/// A folder of this machine. Disks block, so its work is done on a thread of its own.
public actor LocalFolder: DataFolder {
    private let folder: String
    private let thread = DedicatedThread(name: "data")

    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    public init(_ folder: String) { self.folder = folder }

    public func read(_ name: String) throws(SymphonyError) -> [UInt8]? {
        let path = try path(of: name)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failed(name)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &block, block.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw failed(name)
            }
            bytes += block[..<count]
        }
    }

    /// A temporary file beside it, made durable, then renamed: a crash leaves the old file or the new one.
    public func write(_ name: String, _ bytes: [UInt8]) throws(SymphonyError) {
        let path = try path(of: name)
        let temporary = path + ".new"
        mkdir(folder, 0o700)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failed(name) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(descriptor, buffer.baseAddress.map { $0 + written }, buffer.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = failed(name)
                close(descriptor)
                unlink(temporary)
                throw error
            }
            written += count
        }
        guard fsync(descriptor) == 0 else {
            let error = failed(name)
            close(descriptor)
            unlink(temporary)
            throw error
        }
        close(descriptor)
        guard rename(temporary, path) == 0 else { throw failed(name) }
        syncFolder(folder)
    }

    private func path(of name: String) throws(SymphonyError) -> String {
        guard !name.isEmpty, !name.hasPrefix("/"), !name.split(separator: "/").contains("..") else {
            throw .data(name: name, reason: "its name leads out of the data path")
        }
        return folder + "/" + name
    }

    private func failed(_ name: String) -> SymphonyError {
        .data(name: folder + "/" + name, reason: String(cString: strerror(errno)))
    }
}
