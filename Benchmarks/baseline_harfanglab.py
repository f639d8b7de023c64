# SPDX-License-Identifier: Apache-2.0
"""What the Python original does for rules, without its reading of the platform: a search and a create, one after the other.

Usage: baseline_harfanglab.py CONSOLE SECONDS. Prints rules per second.
"""

import sys
import time

import requests

console, seconds = sys.argv[1], float(sys.argv[2])
session = requests.Session()
session.headers.update({"Authorization": "Token 8f2e6a0c5d9b4f17a3c8e1d06b7f94a2c5e8d013"})
base = f"{console}/api/data/threat_intelligence"
source = session.get(f"{base}/IOCSource", params={"name__exact": "from_OpenCTI"}).json()["results"][0]["id"]
count = 0
started = time.monotonic()
while time.monotonic() - started < seconds:
    value = f"baseline{count}.example"
    found = session.get(f"{base}/IOCRule", params={"source_id": source, "type": "domain_name", "value__exact": value})
    assert not found.json()["results"]
    made = session.post(f"{base}/IOCRule/", json={
        "source_id": source, "type": "domain_name", "value": value, "description": "", "hl_status": "stable",
        "enabled": True, "comment": "{}"})
    assert made.status_code == 201, made.text
    count += 1
print(count / (time.monotonic() - started), flush=True)
