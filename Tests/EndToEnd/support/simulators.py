# SPDX-License-Identifier: Apache-2.0
"""The simulators' admin endpoints: what a test loads into them, and what it reads from them."""
from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

# The secrets are odd on purpose, so that they cannot be found anywhere by accident.
TOKEN = "7d3f0a52-1c9b-4b7e-9f60-2e5a8c4d1b39"
CLIENT_ID = "ed578da6b8d84d1e9312e833e493773a"
CLIENT_SECRET = "Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz"
CONNECTOR_ID = "5f0c8e0a-6a65-4d2b-8f5e-6b0f4c1f2d11"
STREAM_ID = "1d0a53c4-6b62-4a3c-b0c5-7a7d1e5d9a20"


class Simulator:
    def __init__(self, ready: dict[str, Any]) -> None:
        self.url: str = ready["url"]
        self.admin: str = ready["admin"]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.admin}/{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from error
        return json.loads(text) if text else None

    def reset(self) -> None:
        self.ask("POST", "reset")


class FalconSimulator(Simulator):
    pass


class OpenCTISimulator(Simulator):
    pass
