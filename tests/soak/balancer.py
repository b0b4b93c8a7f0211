"""nginx in front of replicas, and whoever tells it which of them are ready.

Knows of a replica its port and its ``/readyz``, nothing else: as a balancer does.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.wire import eventually

_INTERVAL = 0.05
_PROBE_SECONDS = 5.0
# One connection for each request: a reload closes idle ones, just when the client may use one
# again. Nothing is tried elsewhere: what goes to a replica that is gone is seen.
_CONFIGURATION = """
{user}
daemon off;
worker_processes 2;
pid nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    keepalive_timeout 0;
    client_max_body_size 4m;
    client_body_temp_path temporary;
    proxy_temp_path temporary;
    fastcgi_temp_path temporary;
    uwsgi_temp_path temporary;
    scgi_temp_path temporary;
    upstream replicas {{
        {servers}
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://replicas;
            proxy_next_upstream off;
        }}
    }}
}}
"""


class Balancer:
    """Sends each request to one of the replicas that answer ``/readyz`` with 200.

    Args:
        program: nginx.
        folder: An empty folder of its own.
        ports: Says where the replicas listen now.

    Attributes:
        port: Where it listens.
        routed: The ports that it sends to; no request goes to any other.
        failure: What has ended its watch, if something has.
    """

    def __init__(self, program: str, folder: Path, ports: Callable[[], Iterable[int]]) -> None:
        self.port = _free_port()
        self.routed: frozenset[int] = frozenset()
        self.failure: BaseException | None = None
        self._folder = folder
        self._ports = ports
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._write(())
        log = folder / "error.log"
        command = (program, "-p", str(folder), "-e", str(log), "-c", str(folder / "nginx.conf"))
        self._process = subprocess.Popen(command)
        eventually(lambda: self._workers() and _listens(self.port), f"nginx serves; see {log}")
        self._thread.start()

    def close(self) -> None:
        """End the watch, then nginx."""
        self._over.set()
        self._thread.join()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def _watch(self) -> None:
        try:
            while not self._over.wait(_INTERVAL):
                ready = frozenset(port for port in self._ports() if _is_ready(port))
                if ready != self.routed:
                    self._route(ready)
        except BaseException as error:  # noqa: BLE001  # the test looks at it
            self.failure = error

    def _route(self, ports: frozenset[int]) -> None:
        """Change the routing, and wait until what was routed before is answered."""
        before = self._workers()
        self._write(ports)
        self._process.send_signal(signal.SIGHUP)
        eventually(lambda: self._workers().isdisjoint(before) and self._workers(), "it reloads")
        self.routed = ports

    def _write(self, ports: Iterable[int]) -> None:
        nobody = "server 127.0.0.1:9 down;"
        servers = [f"server 127.0.0.1:{port} max_fails=0;" for port in sorted(ports)]
        text = _CONFIGURATION.format(
            # Or the workers of root could not enter the folder.
            user="user root;" if os.geteuid() == 0 else "",
            port=self.port,
            servers="\n        ".join(servers or [nobody]),
        )
        (self._folder / "nginx.conf").write_text(text)

    def _workers(self) -> frozenset[str]:
        pid = self._process.pid
        return frozenset(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port
