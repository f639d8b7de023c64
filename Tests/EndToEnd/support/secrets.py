# SPDX-License-Identifier: Apache-2.0
"""No secret may be found in anything that the program writes: logs, metrics, errors, state."""
from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

from support.simulators import CLIENT_SECRET, CROWDSEC_KEY, TOKEN, VMRAY_KEY, VMRAY_VERDICT_KEY

SPELLINGS = {
    spelling.encode()
    for secret in (TOKEN, CLIENT_SECRET, CROWDSEC_KEY, VMRAY_KEY, VMRAY_VERDICT_KEY)
    for spelling in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode())
}


def secrets_in(content: bytes) -> list[bytes]:
    return [spelling for spelling in SPELLINGS if spelling in content]


def assert_no_secret(folders: list[Path]) -> None:
    for folder in folders:
        for path in folder.rglob("*") if folder.exists() else []:
            if path.is_file():
                assert not secrets_in(path.read_bytes()), f"a secret in {path}"
