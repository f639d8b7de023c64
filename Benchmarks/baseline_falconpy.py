# SPDX-License-Identifier: Apache-2.0
"""What the Python original does for one indicator, by the vendor's own client: a search, then a create.

Usage: baseline_falconpy.py URL SECONDS. Prints indicators per second.
"""

import sys
import time

from falconpy import IOC

url, seconds = sys.argv[1], float(sys.argv[2])
client_id = "ed578da6b8d84d1e9312e833e493773a"
falcon = IOC(
    client_id=client_id, client_secret="Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz", base_url=url, ssl_verify=False)
count = 0
started = time.monotonic()
while time.monotonic() - started < seconds:
    value = f"baseline-{count}.example"
    found = falcon.indicator_search(filter=f'value:"{value}"+created_by:"{client_id}"')
    assert found["status_code"] == 200, found
    created = falcon.indicator_create(
        body={
            "comment": "IOC imported from OpenCTI",
            "indicators": [
                {
                    "action": "detect", "mobile_action": "detect", "type": "domain", "value": value,
                    "severity": "medium", "applied_globally": True, "source": "OpenCTI IOC",
                    "platforms": ["windows", "mac", "linux"],
                }
            ],
        })
    assert created["status_code"] == 201, created
    count += 1
print(count / (time.monotonic() - started), flush=True)
