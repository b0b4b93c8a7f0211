"""The local hub: does to a running connector what a Sesam node would do. It is not Sesam.

A development tool for the files that a node runs. ``plan`` is what a pipe asks for, ``engine`` runs
it, ``policy`` says how often something is tried again, ``sequence`` numbers the requests,
``client`` is the HTTP, ``ledger`` holds what became of each entity, ``run`` what came of it all,
``report`` tells it.
"""

from .engine import push
from .ledger import Account, Fate, Ledger
from .plan import NotPushable, Plan
from .policy import Policy, policy_for
from .run import End, RequestRecord, Run

__all__ = [
    "Account",
    "End",
    "Fate",
    "Ledger",
    "NotPushable",
    "Plan",
    "Policy",
    "RequestRecord",
    "Run",
    "policy_for",
    "push",
]
