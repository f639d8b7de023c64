# SPDX-License-Identifier: Apache-2.0
"""A RabbitMQ of its own: on loopback, with its own data folder, ports and node name; ended by its process id.

It speaks plain AMQP on one port and TLS on another, where it asks for a client certificate of its own authority."""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from support.network import PKI, free_port
from support.program import DEADLINE, eventually

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class Broker:
    def __init__(self, folder: Path) -> None:
        assert SERVER.exists(), "rabbitmq-server is missing: run scripts/bootstrap"
        self.folder = folder
        self.port, self.tls_port, self.epmd, self.distribution = (free_port() for _ in range(4))
        self.pki = PKI(folder)
        (folder / "rabbitmq.conf").write_text("\n".join([
            f"listeners.tcp.1 = 127.0.0.1:{self.port}", "loopback_users = none", "log.console = true", "log.file = false",
            f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}", f"ssl_options.cacertfile = {self.pki.authority}",
            f"ssl_options.certfile = {self.pki.certificate}", f"ssl_options.keyfile = {self.pki.key}",
            "ssl_options.verify = verify_peer", "ssl_options.fail_if_no_peer_cert = true", ""]))
        (folder / "plugins").write_text("[].\n")
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self.epmd), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"), "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"), "RABBITMQ_NODENAME": f"t{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.distribution), "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        self.starts += 1
        log = self.folder / f"server-{self.starts}.log"
        with log.open("wb") as out:
            # A group of its own: the script starts the node as a child.
            self.process = subprocess.Popen(
                [str(SERVER)], env=self.environment, cwd=self.folder, stdout=out, stderr=out, start_new_session=True)

        def is_up() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise RuntimeError(f"RabbitMQ ended with {self.process.returncode}:\n{log.read_text()[-3000:]}")
            return "Server startup complete" in log.read_text(errors="replace")
        # A node that was killed reads its messages back first.
        eventually(is_up, "RabbitMQ is up", deadline=3 * DEADLINE)

    def kill(self) -> None:
        """At once, as when its machine loses power; what it had confirmed is on its disk."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=DEADLINE)

    def restart(self) -> None:
        self.kill()
        self.start()

    def allow_memory(self, share: float) -> None:
        """The share of the machine's memory that it may use; 0 raises the alarm at once."""
        # Not by rabbitmqctl, which starts a whole Erlang of its own: on a busy machine that takes minutes.
        subprocess.run(
            ["erl_call", "-sname", self.environment["RABBITMQ_NODENAME"], "-c", (self.folder / ".erlang.cookie").read_text(),
             "-a", f"vm_memory_monitor set_vm_memory_high_watermark [{share}]"],
            env=self.environment, check=True, capture_output=True, timeout=DEADLINE)

    def end(self) -> None:
        self.kill()
        # The name server that the node started; it serves this node only.
        subprocess.run(
            [shutil.which("epmd") or "/usr/bin/epmd", "-port", str(self.epmd), "-kill"], env=self.environment,
            capture_output=True, timeout=DEADLINE)
