"""What a baked project consists of, whatever the answers were."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from packaging.requirements import Requirement

from sesam_connector_sdk.nodeconfig import schema
from tests.template.conftest import KINDS

REPOSITORY = Path(__file__).parents[2]

FILES = """
.dockerignore .gitignore Dockerfile Makefile README.md pyproject.toml wheels/README.md
PACKAGE/__init__.py PACKAGE/__main__.py PACKAGE/py.typed PACKAGE/KIND.py
pipes/SYSTEM-pipe.conf.json systems/SYSTEM.conf.json
tests/test_settings_documented.py tests/test_KIND.py
"""

OTHER = {
    "kind": "transform",
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


def expected_files(kind: str, package: str, system: str) -> list[str]:
    """The files that a project has, and no others."""
    files = FILES.replace("KIND", kind).replace("PACKAGE", package).replace("SYSTEM", system)
    return sorted(files.split())


@pytest.mark.parametrize("kind", KINDS)
def test_a_project_has_exactly_these_files(bake: Callable[..., Path], kind: str) -> None:
    """No file is missing, and none has slipped in, such as one of another kind."""
    baked = contents(bake(kind=kind))

    assert sorted(baked) == expected_files(kind, f"notes_{kind}", f"notes-{kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_project_is_of_one_kind(bake: Callable[..., Path], kind: str) -> None:
    """No module, class or file of another kind is named anywhere in it."""
    other = "|".join(each for each in KINDS if each != kind)
    named = re.compile(rf"Notes({other})\b|\b({other})\.py|notes.({other})", re.IGNORECASE)

    assert [path for path, text in contents(bake(kind=kind)).items() if named.search(text)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_names_reach_every_file(bake: Callable[..., Path], kind: str) -> None:
    """With other names, the files are named by them and nothing of the default names is left."""
    baked = contents(bake(**OTHER | {"kind": kind}))

    assert sorted(baked) == expected_files(kind, OTHER["package_name"], OTHER["system_id"])
    assert [
        path for path, text in baked.items() if re.search(f"notes[-_ ]{kind}", text, re.IGNORECASE)
    ] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answers", [{}, OTHER], ids=["defaults", "odd answers"])
def test_no_jinja_is_left(bake: Callable[..., Path], answers: dict[str, str], kind: str) -> None:
    """Every brace of the template has been rendered, in the files and in their names."""
    baked = contents(bake(**answers | {"kind": kind}))
    found = [path for path, text in baked.items() if re.search(r"{{|}}|{%|%}|{#", path + text)]

    assert found == []


def test_every_question_is_explained(options: list[str]) -> None:
    """Each prompt says more than the option's name, and says what a later change takes."""
    template = json.loads((REPOSITORY / "template" / "cookiecutter.json").read_text("utf-8"))
    prompts = template["__prompts__"]
    kinds = prompts["kind"]
    texts = {**prompts, "kind": kinds["__prompt__"]}

    assert list(prompts) == options
    assert [name for name, text in texts.items() if len(text) < 40] == []
    assert [name for name in kinds if name != "__prompt__"] == template["kind"] == KINDS


def test_every_question_is_varied_here(options: list[str]) -> None:
    """A new option of the template needs an odd answer in these tests."""
    assert set(OTHER) == set(options)


@pytest.mark.parametrize("option", OTHER)
def test_every_answer_matters(
    bake: Callable[..., Path], tmp_path: Path, options: list[str], option: str
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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answers", [{}, OTHER], ids=["defaults", "odd answers"])
def test_what_is_uploaded_is_what_the_code_renders(
    bake: Callable[..., Path], environment: dict[str, str], answers: dict[str, str], kind: str
) -> None:
    """The README's own commands print the system, and the pipe but for the example's entities."""
    project = bake(**answers | {"kind": kind})
    (system,) = (project / "systems").iterdir()
    (pipe,) = (project / "pipes").iterdir()
    rendered = {}
    for _, *arguments in commands(project / "README.md"):
        command = [str(Path(sys.executable).with_name("sesam-connector")), *arguments]
        rendered[arguments[1]] = subprocess.run(
            command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    assert system.read_text("utf-8") == rendered["system"]
    expected, found = json.loads(rendered["pipe"]), json.loads(pipe.read_text("utf-8"))
    if kind == "source":
        assert pipe.read_text("utf-8") == rendered["pipe"]
    else:
        assert expected.pop("source") == {"type": "dataset", "dataset": "YOUR-DATASET"}
        assert [each["_id"] for each in found.pop("source")["entities"]] == ["1", "2"]
    assert found == expected
    assert list(schema.problems(json.loads(pipe.read_text("utf-8")), "pipes")) == []


def commands(readme: Path) -> list[list[str]]:
    """The words of each command of a README that renders something."""
    text = readme.read_text("utf-8").replace("\\\n", " ")
    return [shlex.split(line) for line in text.splitlines() if "sesam-connector render" in line]


@pytest.mark.parametrize("kind", ["sink", "source"])
def test_the_image_is_the_same_for_every_kind(bake: Callable[..., Path], kind: str) -> None:
    """A mended Dockerfile is mended for all; only names and texts differ."""
    files = ("Dockerfile", ".dockerignore", ".gitignore", "Makefile", "pyproject.toml")
    project = bake(**OTHER)
    transform = contents(project)
    shutil.rmtree(project)
    other = contents(bake(**OTHER | {"kind": kind}))

    assert [other[path] for path in files] == [transform[path] for path in files]


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


@pytest.mark.parametrize("kind", KINDS)
def test_odd_names_make_a_tidy_project_that_runs(
    bake: Callable[..., Path], environment: dict[str, str], kind: str
) -> None:
    """With the longest and oddest names, the project still passes its own style and tests."""
    project = bake(**OTHER | {"kind": kind})

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
