"""How Sphinx builds these pages: MyST Markdown, the API from docstrings, every warning fatal."""

from __future__ import annotations

from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from sphinx.ext.napoleon.docstring import GoogleDocstring

import sesam_connector_sdk
import sesam_connector_sdk.testing

if TYPE_CHECKING:
    from docutils.nodes import Element, TextElement  # type: ignore[import-untyped]
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "Sesam connector SDK"
author = "The Sesam connector SDK authors"
release = version = _version("sesam-connector-sdk")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = project
html_copy_source = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_default_options = {"exclude-members": "__init__"}
napoleon_use_ivar = True
python_use_unqualified_type_names = True

# Types of other projects, whose documentation these pages do not load while they are built.
nitpick_ignore_regex = [
    (
        r"py:.*",
        r"(collections|contextlib|datetime|falcon|msgspec|typing|types|enum|dataclasses)(\..*)?",
    ),
    (r"py:.*", r"sesam_connector_sdk\.testing\.lifecycle\.ConnectorT"),
    (r"py:.*", r"sesam_connector_sdk\.source\.since\.(ValueT|Part)"),
    (r"py:.*", r"(SettingsT|T|BinaryIO|Iterable|Iterator|Mapping|Sequence|Callable)"),
    (r"py:.*", r"sesam_connector_sdk\.connector\.(SettingsT|Connector)"),
    (r"py:.*", r"sesam_connector_sdk\.sink\.batch\.(Limits|Receipt)"),
]


def _resolve_public(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: TextElement
) -> Element | None:
    """Link a name from the module that defines it to the door through which authors import it."""
    target = node.get("reftarget", "")
    name = target.rpartition(".")[2]
    if node.get("refdomain") != "py":
        return None
    for module in (sesam_connector_sdk, sesam_connector_sdk.testing):
        public = f"{module.__name__}.{name}"
        if name in getattr(module, "__all__", vars(module)) and target != public:
            domain: Any = env.get_domain("py")
            found = domain.resolve_xref(
                env, node["refdoc"], app.builder, "obj", public, node, contnode
            )
            if found is not None:
                return found
    return None


def _plain_sentences(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Keep napoleon from taking what stands before a colon in an attribute's text for its type."""
    if what in ("attribute", "data", "property"):
        text = GoogleDocstring(lines, app.config, app, "method", name, obj, options)
        lines[:] = ["..", "", *text.lines()]  # an empty comment: napoleon skips empty lines


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("missing-reference", _resolve_public)
    app.connect("autodoc-process-docstring", _plain_sentences, priority=400)
