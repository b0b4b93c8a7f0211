"""What a baked project consists of, whatever the answers were."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parents[2]

FILES = """
.dockerignore .gitignore Dockerfile Makefile README.md pyproject.toml wheels/README.md
PACKAGE/__init__.py PACKAGE/__main__.py PACKAGE/py.typed PACKAGE/sink.py
pipes/SYSTEM-pipe.conf.json systems/SYSTEM.conf.json
tests/test_settings_documented.py tests/test_sink.py
"""

OTHER = {
    "connector_name": "Ærlig \"x\" 'y' \\ $HOME $(id) `id` #1 *_<b>|[z](y) \U0001fad0",
    "project_slug": "q" + "-7" * 19,
    "package_name": "q" * 40,
    "system_id": "0" + "_-Z" * 20 + "qq",
    "description": '\'\'\'""" Alice\'s "sink"; import os \\ ${x} $y `id` & <b> ends in \\',
    "docker_image": "registry.test:5000/team/odd_name__x:V1.2-rc_3",
}
"""A legal answer to every question, as far from the default as the rules allow."""


def contents(project: Path) -> dict[str, str]:
    """The text of every file of a project, by its path."""
    files = [path for path in project.rglob("*") if path.is_file()]
    return {str(path.relative_to(project)): path.read_text("utf-8") for path in files}


def expected_files(package: str, system: str) -> list[str]:
    """The files that a project has, and no others."""
    return sorted(FILES.replace("PACKAGE", package).replace("SYSTEM", system).split())


def test_a_project_has_exactly_these_files(bake: Callable[..., Path]) -> None:
    """No file is missing, and none has slipped in."""
    assert sorted(contents(bake())) == expected_files("notes_sink", "notes-sink")


def test_names_reach_every_file(bake: Callable[..., Path]) -> None:
    """With other names, the files are named by them and nothing of the default names is left."""
    baked = contents(bake(**OTHER))

    assert sorted(baked) == expected_files(OTHER["package_name"], OTHER["system_id"])
    assert [
        path for path, text in baked.items() if re.search("notes.sink", text, re.IGNORECASE)
    ] == []


@pytest.mark.parametrize("answers", [{}, OTHER], ids=["defaults", "odd answers"])
def test_no_jinja_is_left(bake: Callable[..., Path], answers: dict[str, str]) -> None:
    """Every brace of the template has been rendered, in the files and in their names."""
    baked = contents(bake(**answers))
    found = [path for path, text in baked.items() if re.search(r"{{|}}|{%|%}|{#", path + text)]

    assert found == []


def test_every_question_is_explained(options: dict[str, str]) -> None:
    """Each prompt says more than the option's name, and says what a later change takes."""
    template = json.loads((REPOSITORY / "template" / "cookiecutter.json").read_text("utf-8"))
    prompts = template["__prompts__"]

    assert list(prompts) == list(options)
    assert [name for name, text in prompts.items() if len(text) < 40] == []


def test_every_question_is_varied_here(options: dict[str, str]) -> None:
    """A new option of the template needs an odd answer in these tests."""
    assert set(OTHER) == set(options)


@pytest.mark.parametrize("option", OTHER)
def test_every_answer_matters(
    bake: Callable[..., Path], tmp_path: Path, options: dict[str, str], option: str
) -> None:
    """An option that changes nothing of the project has no business being asked."""
    default = contents(bake())
    (tmp_path / "out").rename(tmp_path / "default")

    assert option in options
    assert contents(bake(**{option: OTHER[option]})) != default


def test_free_text_comes_back_unchanged(bake: Callable[..., Path]) -> None:
    """Quotes, backslashes and dollars of the free texts are data in TOML, Dockerfile and README."""
    project = bake(connector_name=OTHER["connector_name"], description=OTHER["description"])
    pyproject = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    dockerfile = (project / "Dockerfile").read_text("utf-8")
    heading, description = markdown_texts(project / "README.md")
    title = dockerfile.partition("image.title=")[2].partition(" \\\n")[0]
    label = dockerfile.partition("image.description=")[2].partition("\n")[0]

    assert pyproject["project"]["description"] == OTHER["description"]
    assert docker_text(title) == OTHER["connector_name"]
    assert docker_text(label) == OTHER["description"]
    assert heading == OTHER["connector_name"]
    assert description == f"What it does: {OTHER['description']}"


def docker_text(quoted: str) -> str:
    """What a Dockerfile's double-quoted word means; a dollar must be escaped to be one."""
    assert not re.search(r"(?<!\\)(\\\\)*\$", quoted)
    (word,) = shlex.split(quoted.replace("\\$", "$").replace("`", "\\`"))
    return word.replace("\\`", "`")


def markdown_texts(path: Path) -> list[str]:
    """What a reader sees of the lines with free text, in which nothing but bold may be markup."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    lines = [token for token in parser.parse(path.read_text("utf-8")) if token.type == "inline"]
    free = [lines[0], *(line for line in lines if line.content.startswith("**What it does:**"))]
    parts = [part for line in free for part in line.children or []]
    assert {part.type for part in parts} == {"text", "strong_open", "strong_close"}
    return ["".join(part.content for part in line.children or []) for line in free]


@pytest.mark.parametrize("answers", [{}, OTHER], ids=["defaults", "odd answers"])
def test_system_and_pipe_agree(bake: Callable[..., Path], answers: dict[str, str]) -> None:
    """The pipe writes to the system, whose image and port are those of the Dockerfile's."""
    project = bake(**answers)
    system_id = answers.get("system_id", "notes-sink")
    system = json.loads((project / "systems" / f"{system_id}.conf.json").read_text("utf-8"))
    pipe = json.loads((project / "pipes" / f"{system_id}-pipe.conf.json").read_text("utf-8"))

    assert (system["_id"], system["type"]) == (system_id, "system:microservice")
    assert system["docker"]["image"] == answers.get(
        "docker_image", "your-organisation/notes-sink:0.1.0"
    )
    assert f"EXPOSE {system['docker']['port']}\n" in (project / "Dockerfile").read_text("utf-8")
    assert (pipe["_id"], pipe["sink"]["system"]) == (f"{system_id}-pipe", system_id)
    assert (
        len(pipe["source"]["entities"])
        == len({each["_id"] for each in pipe["source"]["entities"]})
        == 2
    )


def test_the_pipe_isolates_a_bad_entity(bake: Callable[..., Path]) -> None:
    """The hub's defaults end a run at the first error: the pump tolerates some, and keeps them."""
    path = bake() / "pipes" / "notes-sink-pipe.conf.json"
    pump = json.loads(path.read_text("utf-8"))["pump"]

    assert 1 < pump["max_consecutive_write_errors"] < 100
    assert pump["max_write_errors_in_retry_dataset"] >= pump["max_consecutive_write_errors"]
    assert pump["dead_letter_dataset"]


def test_the_image_runs_without_rights(bake: Callable[..., Path]) -> None:
    """The final stage sets a numeric user who is not root, and runs no shell."""
    stage = (bake() / "Dockerfile").read_text("utf-8").rpartition("\nFROM ")[2]
    user = re.search(r"^USER ([1-9]\d*):([1-9]\d*)$", stage, re.MULTILINE)

    assert user
    assert re.search(r'^ENTRYPOINT \["python", "-m", "notes_sink"\]$', stage, re.MULTILINE)
    assert not re.search(r"^(RUN|USER root|USER 0)", stage, re.MULTILINE)


def test_publication_changes_nothing(bake: Callable[..., Path]) -> None:
    """The dependency is plain and takes this SDK; both installers look into wheels/."""
    project = bake()
    pyproject = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    sdk = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    (dependency,) = map(Requirement, pyproject["project"]["dependencies"])

    assert (dependency.name, dependency.url) == (sdk["project"]["name"], None)
    assert dependency.specifier.contains(sdk["project"]["version"])
    for path in ("Makefile", "Dockerfile"):
        assert "install --find-links wheels " in (project / path).read_text("utf-8")


def test_odd_names_make_a_tidy_project_that_runs(
    bake: Callable[..., Path], environment: dict[str, str]
) -> None:
    """With the longest and oddest names, the project still passes its own style and tests."""
    project = bake(**OTHER)

    for tool in ("ruff check .", "ruff format --check .", "pytest -q -p no:cacheprovider"):
        result = subprocess.run(
            [sys.executable, "-m", *tool.split()],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert result.returncode == 0, result.stdout
