"""Who may send requests: HTTP's Basic and Digest schemes, as plain functions of header texts.

Knows neither HTTP library nor server nor settings; ``web/auth.py`` asks it. Credentials are
compared as bytes in constant time, and no text of a header ends up in a reason.
"""

from .basic import Basic
from .digest import Digest
from .scheme import Asked, Refused, Scheme

__all__ = ["Asked", "Basic", "Digest", "Refused", "Scheme"]
