"""The WSGI application: routes, a responder for each kind of connector, RFC 9457 errors.

The only room that knows Falcon. It does not know which server runs it. ``app`` puts together what
the others do; ``sinks``, ``sources`` and ``transforms`` answer for those, ``bodies`` takes a
request's body, ``streams`` sends an array while it is made, ``endpoint`` is what all responders
share, ``problems`` renders errors, ``auth`` asks for credentials, ``access`` logs, ``metrics``
counts, ``health`` answers probes, and ``readiness`` finds out what to say to them.
"""

from .app import wsgi_app

__all__ = ["wsgi_app"]
