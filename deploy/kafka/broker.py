#!/usr/bin/env python3
"""One Apache Kafka node for trying things and for tests: fetched from Maven Central, started, stopped.

    python deploy/kafka/broker.py fetch          # the jars into var/kafka/libs
    python deploy/kafka/broker.py run [PORT]     # and a broker in the foreground; its data stays in var/kafka/node

It needs Java 17 and Maven on the path, and no Python package.
"""
# ruff: noqa: T201, S603, S311 - a script prints; it runs java and mvn with its own arguments; a port is no secret

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
VAR = HERE.parent.parent / "var" / "kafka"
LIBS = VAR / "libs"

CLUSTER_ID = "aGFya2VuLXRyeS1pdC1vdQ"
"""Any 16 bytes in base 64; a cluster of one need not be told from another."""

JAVA = ("java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
"""A small heap, and a start that does not wait for the optimiser."""

READY_SECS = 60.0
STOP_SECS = 20.0


class BrokerError(Exception):
    """The broker could not be fetched or started; the text says why and what to do."""


def missing_tools() -> list[str]:
    """Which of the two programs this needs are not on the path."""
    return [tool for tool in ("java", "mvn") if shutil.which(tool) is None]


def fetch(libs: Path = LIBS, attempts: int = 3) -> Path:
    """Fetch the broker's jars unless those that pom.xml names are there; returns their folder."""
    pom = HERE / "pom.xml"
    stamp = libs / "fetched-for-pom.xml"
    if stamp.is_file() and stamp.read_bytes() == pom.read_bytes():
        return libs
    if tools := missing_tools():
        raise BrokerError(
            f"{' and '.join(tools)} not found; install Java 17 and Maven (openjdk-17-jre-headless, maven)"
        )
    libs.parent.mkdir(parents=True, exist_ok=True)
    # Into a folder of its own first, so that a fetch that is cut off leaves nothing half done.
    with tempfile.TemporaryDirectory(dir=libs.parent) as folder:
        command = ["mvn", "--batch-mode", "--quiet", "--file", str(pom), f"-Dmaven.repo.local={folder}/m2"]
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}/libs"]
        for attempt in range(1, attempts + 1):
            done = subprocess.run([*command, *goal], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode == 0:
                break
            if attempt == attempts:
                raise BrokerError(f"Maven failed {attempts} times; its last words:\n{done.stdout[-2000:]}")
            time.sleep(5 * attempt)
        shutil.copyfile(pom, Path(folder, "libs", stamp.name))
        shutil.rmtree(libs, ignore_errors=True)
        Path(folder, "libs").rename(libs)
    return libs


def free_port() -> int:
    """A port nobody listens on, below those the system hands to outgoing connections: a client that keeps trying a
    stopped broker's port would else sooner or later get it for itself."""
    while True:
        port = random.randrange(15000, 30000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def takes_connections(port: int) -> bool:
    """Whether something listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def end_with_us(pid: int) -> subprocess.Popen[bytes]:
    """Watches over a process we started: it is killed when this one ends, however it ends. Kill the watcher first where
    the process was stopped."""
    command = ["sh", "-c", 'cat; kill -9 "$0"', str(pid)]  # its standard input ends when we do
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)


class Broker:
    """A node with its data in `folder`; it may be stopped and started again on the same port with the same data.

    `properties` are settings over those of the template here; the words between @ signs may stand in them too.
    """

    def __init__(self, folder: Path, port: int, properties: Mapping[str, str] | None = None) -> None:
        self.port = port
        self.log = folder / "broker.log"
        self._folder = folder
        self._properties = folder / "server.properties"
        self._extra = dict(properties or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Its address, as clients take it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and return when it takes connections; raises BrokerError with the end of its log."""
        if not self._properties.is_file():
            self._format()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._properties)), stdout=log, stderr=log, start_new_session=True
            )
        self._watcher = end_with_us(self._process.pid)
        deadline = time.monotonic() + READY_SECS
        while not takes_connections(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise BrokerError(f"the broker did not start; the end of {self.log}:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it in order, or kill it where that takes too long."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECS)
            self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        for process in (self._watcher, self._process):
            if process is not None:
                process.kill()
                process.communicate()
        self._watcher = self._process = None

    def wait(self) -> int:
        """Wait until it ends by itself; its exit code."""
        return self._process.wait() if self._process else 0

    def _format(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        template = (HERE / "server.properties").read_text(encoding="utf-8").splitlines()
        lines = [line for line in template if line.partition("=")[0] not in self._extra]
        text = "\n".join([*lines, *(f"{name}={value}" for name, value in self._extra.items()), ""])
        words = {"@PORT@": str(self.port), "@CONTROLLER_PORT@": str(free_port()), "@DIR@": str(self._folder)}
        for word, value in words.items():
            text = text.replace(word, value)
        written = self._folder / "server.properties.new"
        written.write_text(text, encoding="utf-8")
        command = self._java("kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID, "-c", str(written))
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise BrokerError(f"the broker's folder {self._folder} could not be made ready:\n{done.stdout[-2000:]}")
        written.rename(self._properties)

    def _java(self, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
        return [*JAVA, logging, "-cp", str(LIBS / "*"), *arguments]


def main(arguments: list[str]) -> int:
    """The command line above."""
    if arguments[:1] not in (["fetch"], ["run"]) or len(arguments) > 2:
        print(__doc__)
        return 2
    try:
        print(f"Kafka's jars are in {os.path.relpath(fetch())}", flush=True)
        if arguments[0] == "run":
            return _run(int(arguments[1]) if arguments[1:] else 9092)
    except BrokerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(port: int) -> int:
    broker = Broker(VAR / f"node-{port}", port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    broker.start()
    try:
        print(f"Kafka listens on {broker.bootstrap}, logs to {os.path.relpath(broker.log)}; stop it with Ctrl-C")
        print(f"In config.yaml:  bus: {{type: kafka, servers: ['{broker.bootstrap}']}}", flush=True)
        return broker.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        broker.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
