// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Two authorities, a server certificate for 127.0.0.1 and a client certificate with an encrypted key, all by the first.
final class TestPKI: Sendable {
    static let shared = Result { try TestPKI() }

    private let folder: TemporaryFolder
    var authority: String { folder.path("ca.pem") }
    var otherAuthority: String { folder.path("other.pem") }
    var server: String { folder.path("server.pem") }
    var clientCertificate: String { folder.path("client.pem") }
    var clientKey: String { folder.path("client.key") }
    let passphrase = "open sesame"

    private init() throws {
        folder = try TemporaryFolder()
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
        for (name, subject) in [("ca", "Test CA"), ("other", "Other CA")] {
            try shell(
                "openssl req -x509 \(key) -nodes -keyout \(name).key -out \(name).pem -days 30 -subj '/CN=\(subject)'",
                in: folder.url)
        }
        try shell(
            """
            set -e
            printf 'subjectAltName=IP:127.0.0.1' > server.ext
            openssl req \(key) -nodes -keyout server.key -out server.csr -subj '/CN=server'
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 30 -extfile server.ext -out server.crt
            cat server.crt server.key > server.pem
            openssl req \(key) -passout 'pass:\(passphrase)' -keyout client.key -out client.csr -subj '/CN=client'
            openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -days 30 -out client.pem
            """, in: folder.url)
    }
}

/// Speaks TLS with the client and plain text with a ``RawServer``, to which it first writes a line of what it learned:
/// `alpn=… client=…`. Needs the `python3` that the tests' other tools need too.
final class TLSFront: Sendable {
    let port: Int
    private let process: Process
    private let input: Pipe

    init(_ backend: RawServer, _ pki: TestPKI, alpn: [String] = ["http/1.1"], client: String = "none") throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c", Self.program, String(backend.port), pki.server, pki.authority, alpn.joined(separator: ","),
            client,
        ]
        let output = Pipe()
        input = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var line = ""
        while !line.hasSuffix("\n") {
            let byte = output.fileHandleForReading.readData(ofLength: 1)
            guard !byte.isEmpty else { throw RawServer.Broken() }
            line += String(decoding: byte, as: UTF8.self)
        }
        guard let port = Int(line.dropLast()) else { throw RawServer.Broken() }
        self.port = port
    }

    // The program ends when its standard input does.
    deinit { try? input.fileHandleForWriting.close() }

    var url: String { "https://127.0.0.1:\(port)" }

    private static let program = """
        import os, socket, ssl, sys, threading
        backend, server, authority, alpn, client = sys.argv[1:]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server)
        context.load_verify_locations(authority)
        context.set_alpn_protocols(alpn.split(','))
        context.verify_mode = {'none': ssl.CERT_NONE, 'optional': ssl.CERT_OPTIONAL, 'required': ssl.CERT_REQUIRED}[client]
        def serve(raw):
            try:
                peer = context.wrap_socket(raw, server_side=True)
            except OSError:
                return raw.close()
            inner = socket.create_connection(('127.0.0.1', int(backend)))
            name = dict(pair[0] for pair in (peer.getpeercert() or {}).get('subject', ())).get('commonName', '')
            inner.sendall(f'alpn={peer.selected_alpn_protocol()} client={name}\\n'.encode())
            def pump(source, sink, close):
                try:
                    while data := source.recv(65536):
                        sink.sendall(data)
                except OSError:
                    pass
                close()
            def end():
                try:
                    peer.unwrap()
                except OSError:
                    pass
                peer.close()
            threading.Thread(target=pump, args=(peer, inner, lambda: inner.shutdown(socket.SHUT_WR)), daemon=True).start()
            pump(inner, peer, end)
        listener = socket.socket()
        listener.bind(('127.0.0.1', 0))
        listener.listen(64)
        print(listener.getsockname()[1], flush=True)
        def accept():
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        sys.stdin.read()
        """
}
