# SPDX-License-Identifier: Apache-2.0
"""What the Python original does for an indicator, by the same two libraries: pycti reads the live stream, and for each
event falconpy makes a search and a create.

Usage: baseline_indicators.py FALCON_URL SECONDS, the platform in the environment. Prints indicators per second.
"""
import json
import os
import sys
import time

from falconpy import IOC
from pycti import OpenCTIConnectorHelper

url, seconds = sys.argv[1], float(sys.argv[2])
client_id = "ed578da6b8d84d1e9312e833e493773a"
falcon = IOC(
    client_id=client_id, client_secret="Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz", base_url=url, ssl_verify=False)
types = {
    "domain-name:value": "domain", "hostname:value": "domain", "ipv4-addr:value": "ipv4", "ipv6-addr:value": "ipv6",
    "file:hashes.'SHA-256'": "sha256", "file:hashes.'MD5'": "md5",
}
count = 0
started = 0.0


def on_event(message) -> None:
    global count, started
    started = started or time.monotonic()
    if time.monotonic() - started >= seconds:
        print(count / (time.monotonic() - started), flush=True)
        os._exit(0)
    indicator = json.loads(message.data)["data"]
    if indicator["type"] != "indicator":
        return
    path, _, value = indicator["pattern"].strip("[]").split(" ")[:3]
    value = value.replace("'", "")
    found = falcon.indicator_search(filter=f'value:"{value}"+created_by:"{client_id}"')
    assert found["status_code"] == 200, found
    created = falcon.indicator_create(
        body={
            "comment": "IOC imported from OpenCTI",
            "indicators": [
                {
                    "action": "detect", "mobile_action": "detect", "type": types[path], "value": value,
                    "severity": "medium", "applied_globally": True, "source": "OpenCTI IOC",
                    "platforms": ["windows", "mac", "linux"],
                }
            ],
        })
    assert created["status_code"] == 201, created
    count += 1


OpenCTIConnectorHelper({}).listen_stream(on_event).join()
