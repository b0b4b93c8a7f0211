"""Build Sesam connectors that do not lose data.

Everything an author needs is here; ``sesam_connector_sdk.testing`` holds what tests need.
"""

from importlib.metadata import version as _version

from .entity import Entity
from .errors import (
    ConnectorError,
    DestinationNotAllowed,
    OutcomeUnknown,
    Rejected,
    TargetRefusedUs,
    TargetUnavailable,
    Throttled,
    UnknownSubset,
)
from .protocol import PullParameters, PushParameters
from .reading import Secret
from .request import PullRequest, PushRequest, Request
from .server import serve
from .settings import ServerSettings, Settings, SettingsError
from .sink import Batch, FullSync, Sink
from .source import CompositeSince, Dataset, IntegerSince, Since, Source, TimestampSince
from .transform import Transform
from .web import wsgi_app

__version__ = _version("sesam-connector-sdk")

__all__ = [
    "Batch",
    "CompositeSince",
    "ConnectorError",
    "Dataset",
    "DestinationNotAllowed",
    "Entity",
    "FullSync",
    "IntegerSince",
    "OutcomeUnknown",
    "PullParameters",
    "PullRequest",
    "PushParameters",
    "PushRequest",
    "Rejected",
    "Request",
    "Secret",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "Since",
    "Sink",
    "Source",
    "TargetRefusedUs",
    "TargetUnavailable",
    "Throttled",
    "TimestampSince",
    "Transform",
    "UnknownSubset",
    "__version__",
    "serve",
    "wsgi_app",
]
