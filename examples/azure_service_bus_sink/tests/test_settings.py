"""The settings: which credentials, which host, and whether with TLS."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import falcon
import pytest
from azure.servicebus.aio import ServiceBusClient
from service_bus_emulator import running
from sesam_connector_sdk import SettingsError, wsgi_app

from azure_service_bus_sink import ServiceBusSettings, ServiceBusSink
from azure_service_bus_sink.endpoint import full_name, is_loopback
from azure_service_bus_sink.namespace import open_client
from azure_service_bus_sink.settings import OWN_PATHS

from .processes import SinkProcess
from .support import CANARY, bodies, local, variables

STRING = (
    f"Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey={CANARY}"
)
NAMESPACE = {"SERVICE_NAMESPACE": "contoso"}
NAME = {"SERVICE_SAS_TOKEN_NAME": "k"}
KEY = {"SERVICE_SAS_TOKEN_VALUE": CANARY}
BY_STRING = {"CONNECTION_STRING": STRING}
ACCEPTED = [NAMESPACE | NAME | KEY, NAMESPACE, BY_STRING]


def problems(environment: dict[str, str]) -> tuple[str, ...]:
    """What is wrong with some variables, line by line."""
    try:
        ServiceBusSettings.from_env(environment)
    except SettingsError as error:
        return error.problems
    return ()


def every_combination() -> list[dict[str, str]]:
    """Each of the four variables of the credentials set or not: sixteen environments."""
    groups = (NAMESPACE, NAME, KEY, BY_STRING)
    return [
        {
            name: value
            for group, use in zip(groups, uses, strict=True)
            if use
            for name, value in group.items()
        }
        for uses in itertools.product([False, True], repeat=4)
    ]


@pytest.mark.parametrize(
    "environment", every_combination(), ids=lambda each: "+".join(each) or "none"
)
def test_only_one_whole_set_of_credentials_is_accepted(environment: dict[str, str]) -> None:
    """Of all combinations three are accepted; the others name a variable and show no value."""
    found = problems(environment)
    assert (not found) == (environment in ACCEPTED)
    for line in found:
        assert "SERVICE_" in line or "CONNECTION_STRING" in line
        assert CANARY not in line


def test_all_problems_are_told_at_once() -> None:
    """A process with several wrong variables names each on stderr and ends with 2."""
    made = SinkProcess(
        {
            "SERVICE_SAS_TOKEN_NAME": "k",
            "SENDERS": "none",
            "SEND_TIMEOUT": "-1",
            "PORT": CANARY,
            "LOG_LEVEL": "LOUD",
        }
    )
    try:
        assert made.wait() == 2
        for name in ("SENDERS", "SEND_TIMEOUT", "PORT", "LOG_LEVEL"):
            assert f"{name} is not" in made.complaints
        assert CANARY not in made.complaints
        assert made.log == ""
    finally:
        made.close()


@pytest.mark.parametrize(
    "string",
    [
        "nonsense",
        ";",
        "Endpoint=sb://contoso.servicebus.windows.net/",
        f"Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKey={CANARY}",
        "Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=k",
        f"Endpoint=contoso;SharedAccessKeyName=k;SharedAccessKey={CANARY}",
        f"SharedAccessKeyName=k;SharedAccessKey={CANARY}",
        f"Endpoint=sb://[::1;SharedAccessKeyName=k;SharedAccessKey={CANARY}",
    ],
)
def test_an_unreadable_connection_string_is_refused_unseen(string: str) -> None:
    """What the client could not read is refused at the start, and not quoted."""
    found = problems({"CONNECTION_STRING": string})
    assert found == ("CONNECTION_STRING cannot be read. Copy it whole from the Azure portal.",)


def test_settings_do_not_show_their_secrets() -> None:
    """Neither repr nor str of the settings shows a key, alone or in a connection string."""
    for environment in ACCEPTED:
        settings = ServiceBusSettings.from_env(environment)
        assert CANARY not in f"{settings!r} {settings}"


@pytest.mark.parametrize("name", ["metrics", "/metrics", "Metrics"])
def test_a_destination_that_the_connectors_own_paths_hide_is_refused(name: str) -> None:
    """A post to its bare name would never reach the sink; the line says how to write it.

    Seen to fail when the names are compared with their slashes, or their case.
    """
    found = problems(NAMESPACE | {"ALLOWED_DESTINATIONS": f"orders,{name}"})
    assert found == (
        "ALLOWED_DESTINATIONS names metrics, a path of the connector's own. Write metrics/ there,"
        " and in the url of the pipe's sink.",
    )


@pytest.mark.parametrize("name", ["metrics/", "metrics/eu", "eu/metrics", "healthz-2"])
def test_a_destination_beside_the_connectors_own_paths_is_accepted(name: str) -> None:
    """Only the bare names are taken."""
    assert problems(NAMESPACE | {"ALLOWED_DESTINATIONS": name}) == ()


def test_every_path_that_the_sdk_answers_on_itself_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A route that the SDK gains hides a queue: the list of names must have it.

    Seen to fail when a name is taken out of the list.
    """
    routes: list[str] = []
    monkeypatch.setattr(falcon.App, "add_route", lambda _app, path, _resource: routes.append(path))
    wsgi_app(ServiceBusSink(ServiceBusSettings.from_env(NAMESPACE)))
    own = {path.strip("/") for path in routes if path != ServiceBusSink.route}
    assert own
    assert own <= OWN_PATHS


LOOPBACK = ["127.0.0.1", "127.0.0.1:5672", "127.1.2.3:5672", "localhost", "localhost:1"]
LOOPBACK += ["[::1]", "[::1]:5672"]
ELSEWHERE = ["127.0.0.1.evil.example", "127.0.0.1.evil.example:5672", "localhost.example"]
ELSEWHERE += ["localhost.example:5672", "localhost.", "evil.example:127", "128.0.0.1"]
ELSEWHERE += ["127.0.0.1@evil.example", "evil.example#127.0.0.1", "[::2]:5672", "xlocalhost", "::"]
ELSEWHERE += ["127.1", "0177.0.0.1", "[::ffff:10.0.0.1]", "10.0.0.1:5672", "[::1].evil.example"]


@pytest.mark.parametrize("host", LOOPBACK)
def test_a_loopback_address_may_do_without_tls(host: str) -> None:
    """Addresses that stay on the machine are spoken to without TLS."""
    assert is_loopback(host)
    assert problems(BY_STRING | {"CONNECTION_STRING": unsafe(host)}) == ()


@pytest.mark.parametrize("host", ELSEWHERE)
def test_what_only_looks_like_loopback_needs_tls(host: str) -> None:
    """A host on the network that looks like this machine is refused without TLS.

    Seen to fail when only the beginning of the name is looked at.
    """
    assert not is_loopback(host)
    assert problems(BY_STRING | {"CONNECTION_STRING": unsafe(host)})


def unsafe(host: str) -> str:
    """A connection string that turns TLS off."""
    return (
        f"Endpoint=sb://{host};SharedAccessKeyName=k;SharedAccessKey={CANARY};"
        "UseDevelopmentEmulator=true"
    )


def test_tls_is_turned_off_for_the_network_only_when_meant() -> None:
    """ALLOW_PLAIN_AMQP, and nothing else, lets a connection string turn TLS off."""
    string = {"CONNECTION_STRING": unsafe("bus.example")}
    (line,) = problems(string)
    assert "TLS" in line
    assert CANARY not in line
    assert problems(string | {"ALLOW_PLAIN_AMQP": "true"}) == ()


@pytest.mark.parametrize(
    ("namespace", "host"),
    [
        ("contoso", "contoso.servicebus.windows.net"),
        (" contoso ", "contoso.servicebus.windows.net"),
        ("contoso.servicebus.windows.net", "contoso.servicebus.windows.net"),
        ("sb://contoso.servicebus.windows.net/", "contoso.servicebus.windows.net"),
        ("contoso.servicebus.chinacloudapi.cn", "contoso.servicebus.chinacloudapi.cn"),
        ("127.0.0.1:5672", "127.0.0.1:5672"),
        ("localhost:5672", "localhost:5672"),
        ("[::1]:5672", "[::1]:5672"),
    ],
)
def test_a_namespace_may_be_given_short_or_in_full(namespace: str, host: str) -> None:
    """The short name is completed, everything with a dot is taken as it is."""
    assert full_name(namespace) == host


async def connected_with(environment: dict[str, str]) -> tuple[str, str, bool]:
    """The host, the class of the credentials and whether TLS is on, of a client not yet used."""
    async with contextlib.AsyncExitStack() as open_ends:
        client: ServiceBusClient = open_client(ServiceBusSettings.from_env(environment), open_ends)
        sender = client.get_queue_sender("queue")
        return (
            sender.fully_qualified_namespace,
            type(sender._credential).__name__,
            sender._config.use_tls,
        )


HOST = "contoso.servicebus.windows.net"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (NAMESPACE, (HOST, "DefaultAzureCredential", True)),
        (NAMESPACE | NAME | KEY, (HOST, "ServiceBusAzureNamedKeyTokenCredentialAsync", True)),
        (BY_STRING, (HOST, "ServiceBusSharedKeyCredential", True)),
        (
            {"SERVICE_NAMESPACE": "127.0.0.1:7"} | NAME | KEY,
            ("127.0.0.1:7", "ServiceBusSharedKeyCredential", False),
        ),
        (
            {"SERVICE_NAMESPACE": "127.0.0.1.evil.example:7"} | NAME | KEY,
            ("127.0.0.1.evil.example", "ServiceBusAzureNamedKeyTokenCredentialAsync", True),
        ),
        (
            {"CONNECTION_STRING": STRING + ";UseDevelopmentEmulator=True"},
            (HOST, "ServiceBusSharedKeyCredential", True),
        ),
    ],
    ids=["entra", "sas", "string", "loopback", "lookalike", "almost-emulator"],
)
def test_the_settings_choose_credentials_and_tls(
    environment: dict[str, str], expected: tuple[str, str, bool]
) -> None:
    """Entra where no SAS variables are set, else the key; TLS everywhere but on loopback."""
    assert asyncio.run(connected_with(environment)) == expected


@pytest.mark.parametrize("host", ["127.1.2.3", "localhost"])
def test_every_form_of_loopback_reaches_the_emulator(host: str) -> None:
    """The forms that are taken for loopback are ones that the client can really connect to.

    All but `[::1]`: the official client loses the brackets, and with them the port.
    """
    with running(queues=["queue"], host=host) as emulator, local(variables(emulator)) as sink:
        assert sink.post("/queue", [{"_id": host}]).status == 200
        assert len(bodies(emulator, "queue")) == 1
