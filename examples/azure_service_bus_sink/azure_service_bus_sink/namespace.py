"""Opens the official client on the namespace that the settings name.

The only module that hands credentials on. Imports ``settings`` and ``endpoint``.
"""

from __future__ import annotations

from typing import Any

from azure.core.credentials import AzureNamedKeyCredential
from azure.servicebus.aio import ServiceBusClient

from .endpoint import full_name, is_loopback
from .settings import ServiceBusSettings

# One quick retry inside the client, for a connection that Azure has closed while it was idle.
# Everything else is reported at once: the hub retries, with the pipe's own patience.
_RETRY: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.05}


def open_client(settings: ServiceBusSettings) -> ServiceBusClient:
    """A client for the namespace; connects to nothing yet.

    Args:
        settings: The sink's settings, already checked.
    """
    if settings.connection_string:
        return ServiceBusClient.from_connection_string(
            settings.connection_string.reveal(), **_RETRY
        )
    host = full_name(settings.service_namespace or "")
    name, key = settings.service_sas_token_name, settings.service_sas_token_value
    if name is None or key is None:
        return ServiceBusClient(host, _identity(), **_RETRY)
    if is_loopback(host):
        return ServiceBusClient.from_connection_string(
            f"Endpoint=sb://{host};SharedAccessKeyName={name};"
            f"SharedAccessKey={key.reveal()};UseDevelopmentEmulator=true",
            **_RETRY,
        )
    return ServiceBusClient(host, AzureNamedKeyCredential(name, key.reveal()), **_RETRY)


def _identity() -> Any:
    # Imported where it is needed: it costs 14 MB that a sink with a key can do without.
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential()
