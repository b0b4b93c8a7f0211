"""Test a connector without a server: what the hub would send, what it would be answered.

``sinks`` pushes, ``sources`` pulls, ``proofs`` holds a source to what it declares, ``lifecycle``
opens and closes, ``readme`` makes what a README shows. Push and pull run the whole way that a
request takes, from the WSGI door to the author's code; only the socket is missing.
"""

from .lifecycle import opened
from .proofs import prove_capabilities
from .readme import settings_table
from .sinks import Answer, push
from .sources import PullAnswer, pull

__all__ = ["Answer", "PullAnswer", "opened", "prove_capabilities", "pull", "push", "settings_table"]
