"""A Sesam sink that delivers entities to Azure Service Bus queues and topics."""

from .settings import ServiceBusSettings
from .sink import ServiceBusSink

__all__ = ["ServiceBusSettings", "ServiceBusSink"]
