"""``python -m schema_router``: the process that the image runs."""

from sesam_connector_sdk import serve

from .transform import SchemaRouter

if __name__ == "__main__":
    serve(SchemaRouter)
