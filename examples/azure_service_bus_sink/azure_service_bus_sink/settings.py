"""The variables that the sink reads; the first five are those of the published example."""

from __future__ import annotations

from collections.abc import Iterable

from sesam_connector_sdk import Secret, Settings
from sesam_connector_sdk.settings import Count, Seconds

from .endpoint import full_name, is_host, is_loopback, parse, turns_tls_off

OWN_PATHS = frozenset({"healthz", "metrics", "readyz"})
"""The SDK's own routes, or names kept for them. With a slash behind it, the name is a queue's."""


class ServiceBusSettings(Settings):
    """Which namespace, with whose credentials, and what to send."""

    service_namespace: str | None = None
    """Name of the Service Bus namespace, such as ``contoso``, or its full host name.

    ``127.0.0.1:5672`` and other loopback addresses are spoken to without TLS, for the emulator.
    """

    service_sas_token_name: str | None = None
    """Name of the shared access key. Leave both SAS variables out to use Entra identity."""

    service_sas_token_value: Secret | None = None
    """The shared access key itself."""

    payload_key: str | None = None
    """Root field whose value is sent. Not set: the whole entity is sent, as the hub sent it."""

    connection_string: Secret | None = None
    """A connection string, instead of the three SERVICE_ variables."""

    allowed_destinations: tuple[str, ...] = ()
    """Queues and topics that may be written to, which are then connected to at start. Empty: all
    that the credentials allow."""

    max_destinations: Count = 16
    """Queues and topics connected to at once. The one idle for longest makes room for another."""

    max_requests_per_destination: Count = 10
    """Requests to one queue or topic at once; a further one is answered 429. The hub sends up to
    10. Keep it below THREADS, so that a queue that does not answer leaves some for the others."""

    senders: Count = 1
    """Parallel senders for each queue or topic. More than 1 is faster where acknowledgements are
    slow, and keeps the order of the versions of an entity, but not the order between entities."""

    max_batch_messages: Count = 4500
    """Most messages in one Service Bus batch. 4500 is what the Basic and Standard tiers take."""

    send_timeout: Seconds = 20.0
    """Seconds that Service Bus gets to acknowledge one batch, the client's retry included. Keep it
    below DRAIN_TIMEOUT, so that a batch on its way can end before the process does."""

    allow_plain_amqp: bool = False
    """Let CONNECTION_STRING turn TLS off for a host that is not the loopback address."""

    def problems(self) -> Iterable[str]:
        """Say which credentials are missing or given twice."""
        named = self.service_sas_token_name, self.service_sas_token_value
        if self.connection_string:
            if self.service_namespace or any(named):
                yield "CONNECTION_STRING and SERVICE_ variables are both set. Set only one of them."
            yield from self._connection_string_problems(self.connection_string.reveal())
        elif not self.service_namespace:
            yield "SERVICE_NAMESPACE is not set. Set it, or CONNECTION_STRING."
        elif not is_host(full_name(self.service_namespace)):
            yield "SERVICE_NAMESPACE is no host name. Set the namespace's name, such as contoso."
        elif any(named) and not all(named):
            yield (
                "SERVICE_SAS_TOKEN_NAME and SERVICE_SAS_TOKEN_VALUE belong together."
                " Set both, or none to use Entra identity."
            )
        yield from self._destination_problems()

    def _destination_problems(self) -> Iterable[str]:
        for name in sorted({each.lower().lstrip("/") for each in self.allowed_destinations}):
            if name in OWN_PATHS:
                yield (
                    f"ALLOWED_DESTINATIONS names {name}, a path of the connector's own. Write"
                    f" {name}/ there, and in the url of the pipe's sink."
                )

    def _connection_string_problems(self, text: str) -> Iterable[str]:
        parts = parse(text)
        if parts is None:
            yield "CONNECTION_STRING cannot be read. Copy it whole from the Azure portal."
        elif (
            turns_tls_off(text)
            and not self.allow_plain_amqp
            and not is_loopback(parts.fully_qualified_namespace)
        ):
            yield (
                "CONNECTION_STRING turns TLS off for a host on the network. Remove"
                " UseDevelopmentEmulator from it, or set ALLOW_PLAIN_AMQP to true if you mean it."
            )
