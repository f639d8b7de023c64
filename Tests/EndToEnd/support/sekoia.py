# SPDX-License-Identifier: Apache-2.0
"""Sekoia's platform as a module meets it: the callback, secrets and logs of a run, and the asset API."""
from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PLATFORM_TOKEN = "sekoia-run-token-5hJq2WvY8c"
API_KEY = "sekoia-asset-key-Tn7Zp4LsXe"
CONFIGURATION = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"


class SekoiaPlatform:
    """A server of its own on loopback. Start it with `with`."""

    def __init__(self, client_secret: str | None = None) -> None:
        self.reports: list[dict[str, Any]] = []
        self.logs: list[dict[str, Any]] = []
        self.assets: list[dict[str, Any]] = []
        self.batches: list[int] = []
        self.strangers: list[str] = []
        self.client_secret = client_secret
        # Answers the n-th push (from 0) with a status and a body, or with None as usual.
        self.refuse: Callable[[int, list[dict[str, Any]]], tuple[int, dict[str, Any]] | None] = lambda number, items: None
        self.tasks: dict[str, list[str]] = {}
        self.pushes = 0
        self.lock = threading.Lock()
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: Any) -> None:
                pass

            def reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with platform.lock:
                    self.reply(*platform.answer(
                        self.command, self.path, self.headers.get("Authorization", ""), json.loads(body or b"null")))

            do_GET = do_POST = do_PATCH = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> SekoiaPlatform:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """What the platform gives to each run."""
        return {"TOKEN": PLATFORM_TOKEN, "URL_CALLBACK": f"{self.url}/run/callback"}

    def answer(self, method: str, path: str, authorization: str, body: Any) -> tuple[Any, ...]:
        secrets = {} if self.client_secret is None else {"client_secret": self.client_secret}
        key = API_KEY if path.startswith("/api/") else PLATFORM_TOKEN
        if authorization != f"Bearer {key}":
            self.strangers.append(path)
            return 401, {"message": "who are you"}
        match method, path:
            case "PATCH", "/run/callback":
                self.reports.append(body)
                return 200, {"module_configuration": {"value": secrets}}
            case "GET", "/run/secrets":
                return 200, {"value": secrets}
            case "POST", "/run/logs":
                self.logs += body["logs"]
                return 200, {}
            case "POST", p if p == f"/api/v2/asset-management/asset-connector/{CONFIGURATION}":
                number, self.pushes = self.pushes, self.pushes + 1
                assert body["version"] == 1
                if (refusal := self.refuse(number, body["items"])) is not None:
                    return refusal
                self.assets += body["items"]
                self.batches.append(len(body["items"]))
                return 200, {}
            case "GET", p if p.startswith("/api/v1/tasks/"):
                statuses = self.tasks[p.rsplit("/", 1)[1]]
                return 200, {"status": statuses.pop(0) if len(statuses) > 1 else statuses[0]}
        self.strangers.append(path)
        return 404, {"message": "no such path"}

    def uids(self) -> list[str]:
        return [(item.get("device") or item["user"])["uid"] for item in self.assets]
