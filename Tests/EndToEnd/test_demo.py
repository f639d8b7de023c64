# SPDX-License-Identifier: Apache-2.0
"""The demo: the whole program against its simulators, judged by what the feed's maker means."""
from __future__ import annotations

import subprocess

from support.program import Sallyport


# covers: cli:demo, cli:simulate (both simulators, ports of their own)
def test_the_demo_loses_and_doubles_nothing(sallyport: Sallyport) -> None:
    # Its deadline is its own: it ends by itself, and says why when the invariants do not hold.
    done = subprocess.run(
        [str(sallyport.binary), "demo"], env=sallyport.environment(None), cwd=sallyport.folder,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    (sallyport.logs / "demo.log").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
