# SPDX-License-Identifier: Apache-2.0
"""What the Python original does for an indicator, by the same two libraries: pycti reads the live stream and keeps its
state, and for each event falconpy makes a search and a create with the fields that the original fills; its three log lines
are written, as with the log level of its sample configuration.

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
severities = ["informational", "low", "medium", "high", "critical"]
helper = OpenCTIConnectorHelper({})
count = 0
started = 0.0


def ioc(indicator) -> dict:
    path, _, value = indicator["pattern"].strip("[]").split(" ")[:3]
    score = helper.get_attribute_in_extension("score", indicator)
    platforms = helper.get_attribute_in_mitre_extension("platforms", indicator) or ["windows", "macos", "linux"]
    fields = {
        "action": "detect", "mobile_action": "detect", "type": types[path], "value": value.replace("'", ""),
        "severity": severities[min(score // 20, 4)] if isinstance(score, int) else None, "applied_globally": True,
        "source": "OpenCTI IOC", "platforms": ["mac" if name == "macos" else name for name in platforms],
    }
    for name, source in {"description": "description", "expiration": "valid_until", "tags": "labels"}.items():
        if source in indicator:
            fields[name] = indicator[source]
    return fields


def on_event(message) -> None:
    global count, started
    started = started or time.monotonic()
    if time.monotonic() - started >= seconds:
        print(count / (time.monotonic() - started), flush=True)
        os._exit(0)
    indicator = json.loads(message.data)["data"]
    if indicator["type"] != "indicator":
        return
    log = helper.connector_logger
    log.info("Starting to extract data...", {"pattern_type": indicator["pattern_type"]})
    identity = helper.get_attribute_in_extension("id", indicator)
    log.info("[CREATE] Processing indicator", {"Indicator ID": identity})
    fields = ioc(indicator)
    found = falcon.indicator_search(filter=f'value:"{fields["value"]}"+created_by:"{client_id}"')
    assert found["status_code"] == 200, found
    created = falcon.indicator_create(body={"comment": "IOC imported from OpenCTI", "indicators": [fields]})
    assert created["status_code"] == 201, created
    log.info("[API] IOC successfully created in Crowdstrike", {"ioc_value": fields["value"]})
    count += 1


helper.listen_stream(on_event).join()
