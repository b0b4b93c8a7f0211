"""The alarm for a new waitress: each hook by its name, as it was when it was used.

Also that the list of hooks in the room's docstring is the whole list.
"""

from __future__ import annotations

import ast
import inspect
import re
import socket
import threading
from collections import deque
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import waitress.adjustments
import waitress.buffers
import waitress.channel
import waitress.parser
import waitress.receiver
import waitress.server
import waitress.task
import waitress.trigger
import waitress.utilities
from waitress import wasyncore

from sesam_connector_sdk.server import waitress_hooks
from sesam_connector_sdk.server.waitress_hooks import StrictServer
from sesam_connector_sdk.server.waitress_hooks.channel import StrictChannel
from sesam_connector_sdk.server.waitress_hooks.chunks import Chunks
from sesam_connector_sdk.server.waitress_hooks.parser import StrictParser
from sesam_connector_sdk.server.waitress_hooks.task import BreakableTask, ProblemTask
from tests.server.hostile import GOOD
from tests.server.waitress_hooks.stepped import Stepped, answer

LOCK = type(threading.Lock())
HOOKS: dict[str, dict[str, Any]] = {
    "adjustments.Adjustments": {
        "__init__": ["self", "kw"],
        "inbuf_overflow": 512 * 1024,
        "threads": 4,
    },
    "buffers.OverflowableBuffer": {"overflow": int},
    "channel.HTTPChannel": {
        "close_when_flushed": False,
        "connected": False,
        "error_task_class": waitress.task.ErrorTask,
        "handle_close": ["self"],
        "handle_write": ["self"],
        "last_activity": 0,
        "parser_class": waitress.parser.HTTPRequestParser,
        "received": ["self", "data"],
        "request": None,
        "requests": list,
        "requests_lock": LOCK,
        "server": waitress.server.TcpWSGIServer,
        "socket": socket.socket,
        "task_class": waitress.task.WSGITask,
        "total_outbufs_len": 0,
        "will_close": False,
        "write_soon": ["self", "data"],
    },
    "parser": {"ParsingError": Exception},
    "parser.HTTPRequestParser": {
        "__init__": ["self", "adj"],
        "adj": waitress.adjustments.Adjustments,
        "body_bytes_received": 0,
        "body_rcv": None,
        "chunked": False,
        "close": ["self"],
        "completed": False,
        "content_length": 0,
        "error": None,
        "expect_continue": False,
        "header_bytes_received": 0,
        "header_plus": b"",
        "headers": dict,
        "parse_header": ["self", "header_plus"],
        "path": str,
        "received": ["self", "data"],
    },
    "receiver.ChunkedReceiver": {
        "__len__": ["self"],
        "completed": False,
        "error": None,
        "getbuf": ["self"],
        "getfile": ["self"],
        "received": ["self", "s"],
    },
    "receiver.FixedStreamReceiver": {"getbuf": ["self"]},
    "server.TcpWSGIServer": {
        "__init__": [
            *("self", "application", "map", "_start", "_sock", "dispatcher", "adj", "sockinfo"),
            *("bind_socket", "kw"),
        ],
        "accepting": False,
        "active_channels": dict,
        "add_task": ["self", "task"],
        "channel_class": waitress.channel.HTTPChannel,
        "del_channel": ["self", "map"],
        "effective_host": str,
        "effective_port": str,
        "in_connection_overflow": False,
        "maintenance": ["self", "now"],
        "pull_trigger": ["self"],
        "socket": socket.socket,
        "task_dispatcher": waitress.task.ThreadedTaskDispatcher,
        "trigger": waitress.trigger.trigger,
    },
    "task": {"WSGITask": waitress.task.Task},
    "task.ErrorTask": {"complete": True, "execute": ["self"]},
    "task.Task": {
        "build_response_header": ["self"],
        "channel": waitress.channel.HTTPChannel,
        "close_on_finish": False,
        "complete": False,
        "content_bytes_written": 0,
        "content_length": None,
        "has_body": bool,
        "request": waitress.parser.HTTPRequestParser,
        "response_headers": list,
        "service": ["self"],
        "set_close_on_finish": ["self"],
        "status": "200 OK",
        "write": ["self", "data"],
        "wrote_header": False,
    },
    "task.ThreadedTaskDispatcher": {
        "__init__": ["self"],
        "add_task": ["self", "task"],
        "lock": LOCK,
        "queue_cv": threading.Condition,
        "set_thread_count": ["self", "count"],
        "shutdown": ["self", "cancel_pending", "timeout"],
    },
    "threading.Condition": {"_waiters": deque, "notify": ["self", "n"]},
    "trigger.trigger": {"pull_trigger": ["self", "thunk"]},
    "utilities": {"BadRequest": waitress.utilities.Error},
    "utilities.BadRequest": {"code": 400},
    "utilities.Error": {"body": str, "code": 500, "reason": "Internal Server Error"},
    "utilities.InternalServerError": {"code": 500},
    "utilities.RequestEntityTooLarge": {"code": 413},
    "utilities.RequestHeaderFieldsTooLarge": {"code": 431},
    "wasyncore": {
        "close_all": ["map", "ignore_all"],
        "loop": ["timeout", "use_poll", "map", "count"],
    },
}
"""By class or module: the parameters of a function, the value in a class, or else a kind."""

ROOM = Path(waitress_hooks.__file__).parent
MODULES = sorted(file.stem for file in ROOM.glob("*.py") if file.stem != "__init__")


@pytest.fixture(scope="module")
def made() -> Iterator[dict[str, Any]]:
    """One of each class, made by waitress itself; none works."""
    loop_map: dict[int, Any] = {}
    threads = waitress.task.ThreadedTaskDispatcher()
    server = waitress.server.TcpWSGIServer(
        answer, loop_map, dispatcher=threads, listen="127.0.0.1:0"
    )
    client, its_peer = socket.socketpair()
    channel = waitress.channel.HTTPChannel(server, its_peer, ("", 0), server.adj, loop_map)
    parser = waitress.parser.HTTPRequestParser(server.adj)
    parser.received(b"GET /path HTTP/1.0\r\n\r\n")
    with client:
        yield {
            "buffers.OverflowableBuffer": waitress.buffers.OverflowableBuffer(1),
            "channel.HTTPChannel": channel,
            "parser.HTTPRequestParser": parser,
            "server.TcpWSGIServer": server,
            "task.Task": waitress.task.WSGITask(channel, parser),
            "task.ThreadedTaskDispatcher": threads,
            "threading.Condition": threading.Condition(),
            "utilities.Error": waitress.utilities.BadRequest("body"),
        }
    wasyncore.close_all(loop_map)


@pytest.mark.parametrize(
    ("owner", "name"), [(owner, name) for owner, names in HOOKS.items() for name in names]
)
def test_waitress_has_the_hook(owner: str, name: str, made: dict[str, Any]) -> None:
    """With these parameters, this value or of this kind. A failure names the hook that changed."""
    expected = HOOKS[owner][name]
    kind: Any = attrgetter(owner)(SimpleNamespace(**vars(waitress), threading=threading))
    missing = object()
    found: Any = getattr(kind, name, missing)
    if inspect.isroutine(found):
        assert list(inspect.signature(found).parameters) == expected
    elif inspect.ismodule(kind):
        assert issubclass(found, expected)
    elif found is missing or isinstance(found, property):
        one = made.get(owner)
        assert hasattr(one, name), f"{owner}.{name} is gone; see waitress_hooks"
        assert isinstance(getattr(one, name), expected)
    else:
        assert found == expected


def test_waitress_calls_every_hook(stepped: Stepped, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the course of a good and a bad request. A failure names the hooks that were not called."""
    called: set[str] = set()

    def watch(kind: type, name: str) -> None:
        original = getattr(kind, name)

        def noting(*args: Any) -> Any:
            called.add(f"{kind.__name__}.{name}")
            return original(*args)

        monkeypatch.setattr(kind, name, noting)

    hooks = [
        (StrictChannel, "parser_class"),
        (StrictChannel, "received"),
        (StrictChannel, "handle_write"),
        (StrictParser, "received"),
        (StrictParser, "parse_header"),
        (Chunks, "received"),
        (Chunks, "getfile"),
        (Chunks, "__len__"),
        (ProblemTask, "execute"),
        (BreakableTask, "service"),
        (BreakableTask, "write"),
        (StrictServer, "add_task"),
        (StrictServer, "maintenance"),
    ]
    for kind, name in hooks:
        watch(kind, name)
    client, channel = stepped.connect()
    with client:
        chunks = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        client.sendall(GOOD + chunks + b"bad\r\n\r\n")
        stepped.until(lambda: channel.heard_out_since)

    assert {f"{kind.__name__}.{name}" for kind, name in hooks} - called == set()


# --- The list in the docstring --------------------------------------------------------------------


def listed() -> dict[str, dict[str, set[str]]]:
    """The names in the room's docstring, by module and by what they are names of."""
    modules = re.findall(r"^ {4}(\w+)\n((?: {8}.+\n?)+)", waitress_hooks.__doc__ or "", re.M)
    return {
        module: {
            owner: set(re.findall(r"\w+", names))
            for owner, names in re.findall(r"^ {8}([\w.]+): (.+(?:\n {12}.+)*)", text, re.M)
        }
        for module, text in modules
    }


def taken(tree: ast.Module) -> set[str]:
    """What a module imports from waitress."""
    imports = [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
    return {
        alias.name
        for each in imports
        if each.module is not None and each.module.split(".")[0] == "waitress"
        for alias in each.names
    }


def touched(tree: ast.Module) -> Iterator[str]:
    """The attributes that a module has to do with, but for those of what is not waitress'."""
    imports = [each for each in ast.walk(tree) if isinstance(each, ast.Import | ast.ImportFrom)]
    others = {alias.name for each in imports for alias in each.names} - taken(tree) | {"socket"}
    for each in ast.walk(tree):
        if isinstance(each, ast.Attribute):
            of = each.value
            name = of.id if isinstance(of, ast.Name) else getattr(of, "attr", "")
            if name not in others:
                yield each.attr
        elif isinstance(each, ast.ClassDef):
            for line in each.body:
                yield from named(line)


def named(line: ast.stmt) -> Iterator[str]:
    """What a line of a class gives a name to."""
    if isinstance(line, ast.FunctionDef):
        yield line.name
    elif isinstance(line, ast.Assign | ast.AnnAssign):
        targets = line.targets if isinstance(line, ast.Assign) else [line.target]
        yield from (each.id for each in targets if isinstance(each, ast.Name))


def test_every_hook_that_is_listed_is_looked_at() -> None:
    """And the other way round: the docstring and the table here are about the same names."""
    found: dict[str, set[str]] = {}
    for owners in listed().values():
        for owner, names in owners.items():
            found[owner] = found.get(owner, set()) | names

    assert found == {owner: set(names) for owner, names in HOOKS.items()}
    assert sorted(listed()) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_the_hooks_of_a_module_are_listed_under_it(module: str, made: dict[str, Any]) -> None:
    """All that are there, and no other. A failure names those that the docstring is wrong about.

    An attribute is a hook if what waitress makes has one of this name. So this fails as well when a
    new waitress takes a name that the room has given to something of its own.
    """
    tree = ast.parse((ROOM / f"{module}.py").read_text("utf-8"))
    names = {*touched(tree), *taken(tree)}
    owners = listed()[module]
    found = set().union(*owners.values())
    own = ["channel.HTTPChannel", "parser.HTTPRequestParser", "server.TcpWSGIServer", "task.Task"]
    own += ["task.ThreadedTaskDispatcher"]
    hooks = {name for kind in own for name in dir(made[kind])} - set(dir(object)) | taken(tree)

    assert found - names == set(), "listed, but not there"
    assert (names & hooks) - found - {owner.split(".")[-1] for owner in owners} == set()
