"""What the template's files need of Jinja beyond cookiecutter: free text, escaped."""

import json
import re
from pathlib import Path

from jinja2 import Environment
from jinja2.ext import Extension


def quoted(text: str) -> str:
    """Text in double quotes, with the escapes that TOML and a Dockerfile share.

    Args:
        text: One line of printable characters, as ``hooks/pre_gen_project.py`` demands.
    """
    return json.dumps(text, ensure_ascii=False)


def label(text: str) -> str:
    """Text in double quotes for a Dockerfile, where a dollar begins a variable.

    Args:
        text: One line of printable characters.
    """
    return quoted(text).replace("$", "\\$")


def markdown(text: str) -> str:
    """Text that Markdown shows as it is, within a line.

    Args:
        text: One line of printable characters.
    """
    return re.sub(r"([\\`*_\[\]<>#|~!&$])", r"\\\1", text)


class Escapes(Extension):
    """Gives the files of the template these filters, and the hooks the template's own folder."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters.update(quoted=quoted, label=label, markdown=markdown)
        # cookiecutter's _repo_dir is relative to a folder that a hook no longer knows.
        environment.globals["template_folder"] = str(Path(__file__).resolve().parent)
