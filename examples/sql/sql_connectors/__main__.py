"""``python -m sql_connectors``: the process that the image runs."""

from sesam_connector_sdk import serve

from .sink import SqlSink
from .source import SqlSource

if __name__ == "__main__":
    serve(SqlSink, SqlSource)
