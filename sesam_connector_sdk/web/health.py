"""What probes ask for. Depends on nothing else of the SDK."""

from __future__ import annotations

import falcon

HEALTH_ROUTE = "/healthz"


class Health:
    """Says that the process lives; depends on nothing else."""

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200."""
        resp.data = b'{"status":"alive"}'
        resp.content_type = falcon.MEDIA_JSON
