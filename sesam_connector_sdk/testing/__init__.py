"""Test a connector without a server: what the hub would send, what it would be answered.

``sinks`` pushes, ``sources`` pulls, ``transforms`` has a transform work, ``arrays`` is what of
their answers the hub would read, ``proofs`` holds a source to what it declares, ``lifecycle`` opens
and closes, ``readme`` makes what a README shows. A request runs the whole way that it takes, from
the WSGI door to the author's code; only the socket is missing. ``processes`` has that too: it runs
a connector as its image does.
"""

from .arrays import ArrayAnswer
from .lifecycle import opened
from .processes import Served, running
from .proofs import prove_capabilities
from .readme import settings_table
from .sinks import Answer, push
from .sources import pull
from .transforms import transform

__all__ = [
    "Answer",
    "ArrayAnswer",
    "Served",
    "opened",
    "prove_capabilities",
    "pull",
    "push",
    "running",
    "settings_table",
    "transform",
]
