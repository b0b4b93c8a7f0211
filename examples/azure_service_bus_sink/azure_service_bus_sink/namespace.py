"""Opens the official client on the namespace that the settings name.

The only module that hands credentials on. Imports ``settings`` and ``endpoint``.
"""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import certifi
from azure.core.credentials import AzureNamedKeyCredential
from azure.servicebus.aio import ServiceBusClient

from .endpoint import full_name, is_loopback, without_entity
from .settings import ServiceBusSettings

if TYPE_CHECKING:
    from azure.identity.aio import DefaultAzureCredential

# One quick retry inside the client, mostly for a connection that Azure has closed while it was
# idle. It also sends again after a lost acknowledgement, as the hub would, with the same message
# id. All other patience is the hub's: it retries as its pipe says.
_RETRY: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.05}


def open_client(settings: ServiceBusSettings, open_ends: AsyncExitStack) -> ServiceBusClient:
    """A client for the namespace; connects to nothing yet.

    Args:
        settings: The sink's settings, already checked.
        open_ends: Takes what must be closed in the end, the client and its credentials.
    """
    client = _client(settings, open_ends)
    open_ends.push_async_callback(client.close)
    return client


def _client(settings: ServiceBusSettings, open_ends: AsyncExitStack) -> ServiceBusClient:
    options = {**_RETRY, "ssl_context": _tls()}
    if settings.connection_string:
        return ServiceBusClient.from_connection_string(
            # The client compares EntityPath letter by letter; the sink does as Service Bus does.
            without_entity(settings.connection_string.reveal()),
            **options,
        )
    host = full_name(settings.service_namespace or "")
    name, key = settings.service_sas_token_name, settings.service_sas_token_value
    if name is None or key is None:
        identity = _identity()
        open_ends.push_async_callback(identity.close)
        return ServiceBusClient(host, identity, **options)
    if is_loopback(host):
        return ServiceBusClient.from_connection_string(
            f"Endpoint=sb://{host};SharedAccessKeyName={name};"
            f"SharedAccessKey={key.reveal()};UseDevelopmentEmulator=true",
            **options,
        )
    return ServiceBusClient(host, AzureNamedKeyCredential(name, key.reveal()), **options)


def _tls() -> ssl.SSLContext:
    """What the client would make for every connection anew: 1 MB and 30 ms for each reconnect.

    Same as its own: whom certifi vouches for is trusted, and the host's name must be right.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certifi.where())
    return context


def _identity() -> DefaultAzureCredential:
    # Imported where it is needed: it costs 14 MB that a sink with a key can do without.
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential()
