# SPDX-License-Identifier: Apache-2.0
"""The release binary as a test sees it: started, waited for, stopped, killed, and its whole output kept."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

# Generous on purpose: a busy machine may be slow, and a test fails by its condition, not by its speed.
DEADLINE = 90.0


def eventually(condition: Callable[[], T], what: str, deadline: float = DEADLINE) -> T:
    """Polls until `condition` is true and returns its value. An AssertionError inside counts as not yet."""
    end = time.monotonic() + deadline
    last: Any = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except AssertionError as failure:
            last = failure
        if time.monotonic() > end:
            raise AssertionError(f"never happened: {what}; last seen: {last!r}")
        time.sleep(0.01)


@dataclass(frozen=True)
class Result:
    """What one finished command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines() if line.strip()]


class Program:
    """A process in the background. Standard output and error go to files, so that neither can fill a pipe and block."""

    def __init__(self, command: list[str], env: dict[str, str], cwd: Path, log: Path, **options: Any) -> None:
        self.command = command
        self.out_path, self.err_path = log.with_suffix(".out"), log.with_suffix(".err")
        with self.out_path.open("wb") as out, self.err_path.open("wb") as err:
            self.process = subprocess.Popen(
                command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err, **options)

    @property
    def out(self) -> str:
        return self.out_path.read_text(errors="replace")

    @property
    def err(self) -> str:
        return self.err_path.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def first_json_line(self) -> dict[str, Any]:
        """The line with which a server says that it is ready, and where."""
        def line() -> str | None:
            if not self.is_running:
                raise RuntimeError(f"{self.command} ended with {self.process.returncode}:\n{self.err[-4000:]}")
            text = self.out
            return text.split("\n", 1)[0] if "\n" in text else None
        return json.loads(eventually(line, f"the first line of {self.command}"))

    def wait_until(self, condition: Callable[[], T], what: str) -> T:
        """As `eventually`, but a program that ends meanwhile fails the test at once, with the end of its log."""
        def alive() -> T:
            if not self.is_running:
                raise RuntimeError(
                    f"{self.command} ended with {self.process.returncode} before {what}:\n{self.err[-4000:]}")
            return condition()
        return eventually(alive, what)

    def wait(self) -> int:
        return self.process.wait(timeout=DEADLINE)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM: drain, commit, leave. Returns the exit code."""
        if self.is_running:
            self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """What a power cut looks like to the process."""
        if self.is_running:
            self.process.kill()
        self.process.wait(timeout=DEADLINE)


class Sallyport:
    """Starts the binary with exactly the environment a test names, nothing inherited, and keeps all it writes."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.binary, self.folder = binary, folder
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True)
        self.started: list[Program] = []

    def environment(self, extra: dict[str, str] | None) -> dict[str, str]:
        # HOME and PATH as any shell has them; everything else is the test's.
        return {"HOME": str(self.folder), "PATH": os.defpath, **(extra or {})}

    def run(
        self, *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None, stdin: str | None = None,
    ) -> Result:
        """Runs one command to its end."""
        done = subprocess.run(
            [str(self.binary), *arguments], env=self.environment(env), cwd=cwd or self.folder, input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None, capture_output=True, text=True, timeout=DEADLINE)
        (self.logs / f"{len(list(self.logs.iterdir())):03}-{arguments[0] if arguments else 'none'}.log").write_text(
            done.stdout + done.stderr)
        return Result(done.returncode, done.stdout, done.stderr)

    def start(
        self, *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None, **options: Any,
    ) -> Program:
        """Starts one command in the background; the fixture ends it after the test."""
        log = self.logs / f"{len(list(self.logs.iterdir())):03}-{arguments[0]}"
        program = Program(
            [str(self.binary), *arguments], self.environment(env), cwd or self.folder, log, **options)
        self.started.append(program)
        return program

    def stop_all(self) -> None:
        for program in self.started:
            program.kill()
