"""Reads host names and connection strings. Imports nothing of the sink."""

from __future__ import annotations

import ipaddress
import re

from azure.servicebus import ServiceBusConnectionStringProperties, parse_connection_string

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})(?::[0-9]{1,5})?", re.ASCII)
_SUFFIX = ".servicebus.windows.net"


def parse(connection_string: str) -> ServiceBusConnectionStringProperties | None:
    """The parts of a connection string, or None where it cannot be read."""
    try:
        return parse_connection_string(connection_string)
    except ValueError:
        return None


def entity_path(connection_string: str) -> str | None:
    """The one queue or topic that a connection string is for, or None if for a whole namespace."""
    for part in connection_string.split(";"):
        name, _, value = part.partition("=")
        if _is_entity(name):
            return value.strip().strip("/") or None
    return None


def without_entity(connection_string: str) -> str:
    """The connection string without its EntityPath."""
    parts = connection_string.split(";")
    return ";".join(part for part in parts if not _is_entity(part.partition("=")[0]))


def _is_entity(name: str) -> bool:
    return name.strip().lower() == "entitypath"


def turns_tls_off(connection_string: str) -> bool:
    """Whether the client would speak plain AMQP: only this exact value means that to it."""
    parts = connection_string.split(";")
    return any(
        part.partition("=")[0].strip().lower() == "usedevelopmentemulator"
        and part.partition("=")[2].strip() == "true"
        for part in parts
    )


def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine itself.

    Args:
        host: ``127.0.0.1:5672``, ``[::1]:5672``, ``localhost`` or any other.
    """
    name, colon, port = host.rpartition(":")
    name = (name if colon and port.isdigit() else host).strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_host(text: str) -> bool:
    """Whether a text can be a host's name, with or without a port."""
    return is_loopback(text) or bool(_HOST.fullmatch(text))


def full_name(namespace: str) -> str:
    """The host of a namespace that may be given by its short name alone."""
    host = namespace.strip().removeprefix("sb://").rstrip("/")
    return host if "." in host or is_loopback(host) else host + _SUFFIX
