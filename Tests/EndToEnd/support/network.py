# SPDX-License-Identifier: Apache-2.0
"""What can stand between the program and a server: TLS with a certificate of our own making, and an HTTP proxy."""
from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run([
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sallyport test",
        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert),
    ], check=True, capture_output=True)
    return cert, key


class PKI:
    """An authority, a server certificate for 127.0.0.1 (its key also encrypted), a client certificate with an encrypted key."""

    passphrase = "open sesame, 3 times"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority, self.other_authority = folder / "ca.pem", folder / "other-ca.pem"
        self.certificate, self.key = folder / "server.pem", folder / "server.key"
        self.encrypted_key = folder / "server-encrypted.key"
        self.client_certificate, self.client_key = folder / "client.pem", folder / "client.key"
        new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        for name in ("ca", "other-ca"):
            self.openssl(
                *new, "-x509", "-nodes", "-days", "2", "-subj", f"/CN=Sallyport test {name}", "-keyout", f"{name}.key",
                "-out", f"{name}.pem")
        (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1\n")
        (folder / "client.ext").write_text("extendedKeyUsage=clientAuth\n")
        for name, options in (("server", ["-nodes"]), ("client", ["-passout", f"pass:{self.passphrase}"])):
            self.openssl(*new, *options, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
            self.openssl(
                "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        self.openssl(
            "pkey", "-in", "server.key", "-aes-256-cbc", "-passout", f"pass:{self.passphrase}", "-out", self.encrypted_key.name)

    def openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)


def address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    return parts.hostname, parts.port


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for side in (source, sink):
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)


def join(one: socket.socket, other: socket.socket) -> None:
    """Carries bytes both ways until either side ends."""
    back = threading.Thread(target=pump, args=(other, one), daemon=True)
    back.start()
    pump(one, other)
    back.join()


class Listener:
    """Accepts on a free port of 127.0.0.1; each connection is served by a thread of its own."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self.serve = serve
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                self.connections += 1
                threading.Thread(target=self.handle, args=(connection,), daemon=True).start()

    def handle(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            self.serve(connection)

    def close(self) -> None:
        self.socket.close()


class TLSFront(Listener):
    """TLS in front of a plain server."""

    def __init__(self, url: str, cert: Path, key: Path) -> None:
        target = address_of(url)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cert, key)

        def serve(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as inside, socket.create_connection(target) as outside:
                join(inside, outside)

        super().__init__(serve)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


class HTTPProxy(Listener):
    """Carries CONNECT tunnels and plain requests, one a connection, and remembers the hosts asked for."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        super().__init__(self.carry)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def carry(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(65_536)
            if not data:
                return
            head += data
        line, rest = head.split(b"\r\n", 1)
        method, target, version = line.decode().split(" ")
        if method == "CONNECT":
            host, port = target.rsplit(":", 1)
            first = b""
        else:
            parts = urlsplit(target)
            host, port = parts.hostname or "", str(parts.port or 80)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            # One request a connection keeps this simple.
            first = f"{method} {path} {version}\r\nConnection: close\r\n".encode() + rest
        self.hosts.append(f"{host}:{port}")
        with socket.create_connection((host, int(port))) as outside:
            if method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                outside.sendall(first)
            join(connection, outside)


def free_port() -> int:
    """A port on loopback that nobody has at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
