"""``python -m azure_service_bus_sink``: the process that the image runs."""

from sesam_connector_sdk import serve

from .sink import ServiceBusSink

if __name__ == "__main__":
    serve(ServiceBusSink)
