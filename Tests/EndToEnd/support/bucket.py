# SPDX-License-Identifier: Apache-2.0
"""An S3 bucket that checks signatures (AWS Signature Version 4) by the standard's own words."""
from __future__ import annotations

import hashlib
import hmac
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit

ACCESS_KEY, SECRET_KEY, REGION = "bucket-user", "b7Qm2Xk9Lr4TzW1nYc8Vd5", "eu-west-3"


def signature(method: str, target: str, headers: dict[str, str], names: str, stamp: str) -> str:
    url = urlsplit(target)
    query = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(parse_qsl(url.query, True)))
    fields = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names.split(";"))
    request = "\n".join([method, url.path, query, fields, names, headers["x-amz-content-sha256"]])
    scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = ("AWS4" + SECRET_KEY).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class Bucket:
    """Objects by key, and what was refused."""

    def __init__(self, objects: dict[str, tuple[str, bytes]]) -> None:
        self.objects = objects
        self.refused: list[str] = []
        bucket = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def answer(self, status: int, body: str = "") -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                parts = dict(
                    part.strip().split("=", 1) for part in headers["authorization"].split(" ", 1)[1].split(","))
                expected = signature(
                    self.command, self.path, headers, parts["SignedHeaders"], headers["x-amz-date"])
                if parts["Signature"] != expected or headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest() \
                        or not parts["Credential"].startswith(ACCESS_KEY + "/"):
                    bucket.refused.append(f"{self.command} {self.path}")
                    return self.answer(403)
                key = unquote(urlsplit(self.path).path).removeprefix("/intel/")
                if self.command == "PUT":
                    bucket.objects[key] = ("2099-01-01T00:00:00.000Z", body)
                elif self.command == "DELETE":
                    bucket.objects.pop(key, None)
                else:
                    prefix = dict(parse_qsl(urlsplit(self.path).query)).get("prefix", "")
                    return self.answer(200, "<ListBucketResult>" + "".join(
                        f"<Contents><Key>{name}</Key><LastModified>{modified}</LastModified></Contents>"
                        for name, (modified, _) in bucket.objects.items() if name.startswith(prefix)
                    ) + "</ListBucketResult>")
                self.answer(200)

            do_PUT = do_GET = do_DELETE = handle_any

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self) -> Bucket:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
