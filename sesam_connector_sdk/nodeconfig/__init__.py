"""A Sesam node's configuration: its directory as sesam-py lays it out, read and made.

``document`` reads JSON files exactly, ``variables`` fills in ``$ENV`` and ``$SECRET``, ``schema``
checks the shape, ``model`` is what comes out, ``directory`` goes over the files. The other way,
``rendering`` makes such files for a connector. Sends nothing and knows no HTTP. jsonschema, of the
extra ``cli``, is imported when the first shape is checked.
"""

from .directory import load
from .document import ConfigError
from .model import JsonSink, NodeConfig, Pipe, Pump, System

__all__ = ["ConfigError", "JsonSink", "NodeConfig", "Pipe", "Pump", "System", "load"]
