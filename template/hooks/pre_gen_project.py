"""Refuse an answer that would not work, with the rule for it, before any file is written."""

import json
import keyword
import re
import sys

# Names that would hide, or be hidden by, a module or a folder of the project.
TAKEN = {*keyword.kwlist, *sys.stdlib_module_names, "test", "sitecustomize", "usercustomize"}
TAKEN |= {"sesam_connector_sdk", "falcon", "msgspec", "prometheus_client", "waitress", "hatchling", "pip", "setuptools"}
TAKEN |= {"build", "dist", "mypy", "pipes", "pytest", "ruff", "systems", "tests", "wheels"}

PART = r"[a-z0-9]+([._-]+[a-z0-9]+)*"
IMAGE = r"(?a)(?!.{201})" + PART + r"(:[0-9]+)?(/" + PART + r")*(:\w[\w.-]{0,127})?"
RULES = {
    "kind": (r"sink|source|transform", "sink, source or transform"),
    "connector_name": (r"[^{}]{1,60}", "1 to 60 printable characters, without braces"),
    "project_slug": (r"(?!.{41})[a-z][a-z0-9]*(-[a-z0-9]+)*", "1 to 40 of a-z, 0-9, -; a-z first"),
    "package_name": (r"[a-z][a-z0-9_]{0,39}", "1 to 40 of a-z, 0-9, _; a-z first"),
    "system_id": (r"(?a)(?![_-])[\w-]{2,63}", "2 to 63 of A-Z, a-z, 0-9, _, -; _ and - not first"),
    "description": (r"[^{}]{1,200}", "1 to 200 printable characters, without braces"),
    "docker_image": (IMAGE, "like organisation/name:tag, lower case up to the tag"),
}


def problems(answers: dict[str, str]) -> list[str]:
    """Say what is wrong with the answers, a line each, with the rule."""
    found = []
    for option, (pattern, rule) in RULES.items():
        answer = answers[option]
        if not re.fullmatch(pattern, answer) or not answer.isprintable():
            found.append(f"{option} is {answer[:60]!a}; it must be {rule}.")
        elif option in ("project_slug", "package_name") and answer.replace("-", "_") in TAKEN:
            found.append(f"{option} is {answer!a}; Python or the project has that name already.")
    return found


if __name__ == "__main__":
    # Valid Python before Jinja and after: tojson leaves no apostrophe and no line end.
    refused = problems(json.loads(r'{{ cookiecutter|tojson }}'))
    if refused:
        way_out = "Nothing was made. Run it again with other answers, such as package_name=my_sink."
        sys.exit("\n".join([*refused, way_out]))
