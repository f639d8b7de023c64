# SPDX-License-Identifier: Apache-2.0
"""What the Python original does for devices, without its mapping: a page of 100 ids, their details, one post, and so on.

Usage: baseline_assets.py FALCON SEKOIA SECONDS. Prints devices per second.
"""

import json
import sys
import time

import requests

falcon, sekoia, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
session = requests.Session()
token = session.post(f"{falcon}/oauth2/token", data={
    "client_id": "ed578da6b8d84d1e9312e833e493773a", "client_secret": "Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz"}).json()
reading = {"Authorization": f"Bearer {token['access_token']}"}
writing = {"Authorization": "Bearer sim-asset-key-51c9", "Content-Type": "application/json"}
count, offset = 0, 0
started = time.monotonic()
while time.monotonic() - started < seconds:
    page = session.get(
        f"{falcon}/devices/queries/devices/v1", params={"limit": 100, "offset": offset, "sort": "first_seen.desc"},
        headers=reading).json()
    offset = (offset + 100) % 9900
    devices = session.post(
        f"{falcon}/devices/entities/devices/v2", json={"ids": page["resources"]}, headers=reading).json()["resources"]
    items = [{"device": {"uid": one["device_id"], **one}} for one in devices]
    answer = session.post(
        f"{sekoia}/api/v2/asset-management/asset-connector/bench",
        data=json.dumps({"version": 1, "items": items}), headers=writing)
    assert answer.status_code == 200, answer.text
    count += len(items)
print(count / (time.monotonic() - started), flush=True)
