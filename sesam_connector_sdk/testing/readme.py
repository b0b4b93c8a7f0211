"""What a README says of a connector, for a test that keeps it true.

Imports ``reading`` and ``settings`` only.
"""

from __future__ import annotations

from sesam_connector_sdk.reading import FILE_SUFFIX
from sesam_connector_sdk.settings import Setting, Settings


def settings_table(*classes: type[Settings]) -> str:
    """A Markdown table of every variable of some settings, for a README that a test keeps true.

    Args:
        classes: Settings classes, in the order of the table.
    """
    lines = ["| variable | default | value | what it does |", "| --- | --- | --- | --- |"]
    lines += [_settings_row(each) for kind in classes for each in kind.describe()]
    return "\n".join(lines) + "\n"


def _settings_row(setting: Setting) -> str:
    default = f"`{setting.default}`" if setting.default else "not set"
    if setting.default is None:
        default = "required"
    value = setting.kind
    if setting.secret:
        value += f"; `{setting.variable}{FILE_SUFFIX}` names a file with it"
    cells = (f"`{setting.variable}`", default, value, setting.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
