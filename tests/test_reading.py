"""A value is read from its variable or, if it is a secret, from a file; nothing of it is told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sesam_connector_sdk import Secret, Settings, SettingsError

CANARY = "CANARY-secret"


class Account(msgspec.Struct):
    """What a JSON-valued variable may hold."""

    name: str
    password: Secret
    groups: list[str] = []


class Vault(Settings):
    """Secrets of every shape."""

    token: Secret
    """Opens the door."""

    spare: Secret | None = None
    accounts: list[Account] = []  # noqa: RUF012  # each instance has its own
    keys: dict[str, Secret] = {"default": Secret(CANARY)}  # noqa: RUF012  # as above
    tree: dict[str, dict[str, list[int]]] = {}  # noqa: RUF012  # as above
    plain: str = ""


def problems(**variables: str) -> tuple[str, ...]:
    """What is wrong with some variables."""
    with pytest.raises(SettingsError) as caught:
        Vault.from_env(variables)
    return caught.value.problems


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"abc", "abc"),
        (b"abc\n", "abc"),
        (b"abc\r\n", "abc"),
        (b" a\nb \n\n", " a\nb \n"),
        ("pæss 漢 😀".encode(), "pæss 漢 😀"),
        (b"x" * 65_536, "x" * 65_536),
    ],
)
def test_a_secret_is_read_from_the_file_that_its_variable_names(
    tmp_path: Path, content: bytes, secret: str
) -> None:
    """All of it but the one line end that an editor puts behind it. Seen to fail without that."""
    (tmp_path / "token").write_bytes(content)

    settings = Vault.from_env({"TOKEN_FILE": str(tmp_path / "token")})

    assert settings.token.reveal() == secret


def test_an_empty_variable_of_a_file_counts_as_not_set(tmp_path: Path) -> None:
    """As every empty variable does; and beside an empty one, the file is read."""
    (tmp_path / "token").write_text("abc")

    assert Vault.from_env({"TOKEN": "x", "TOKEN_FILE": ""}).token.reveal() == "x"
    found = Vault.from_env({"TOKEN": "", "TOKEN_FILE": str(tmp_path / "token")})
    assert found.token.reveal() == "abc"


def test_a_variable_and_its_file_are_not_both_set(tmp_path: Path) -> None:
    """Nobody should have to know which one wins. Seen to fail when the file does."""
    (tmp_path / "token").write_text(CANARY)

    found = problems(TOKEN=CANARY, TOKEN_FILE=str(tmp_path / "token"))

    assert found == ("TOKEN and TOKEN_FILE are both set. Set one of them.",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (CANARY.encode() + b"\xff", "is no text in UTF-8"),
        (CANARY.encode() * 10_000, "of more than 65536 bytes"),
    ],
)
def test_a_file_that_is_of_no_use_is_named_by_its_variable_only(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    """Neither the path nor what is in the file: somebody may have put the secret there."""
    path = tmp_path / CANARY
    if content is not None:
        path.write_bytes(content)

    (problem,) = problems(TOKEN_FILE=str(path))

    assert problem.startswith("TOKEN_FILE names a file")
    assert reason in problem
    assert "CANARY" not in problem


@pytest.mark.parametrize("path", ["{0}", f"{CANARY}\0", CANARY * 1000, os.devnull])
def test_what_is_no_file_is_refused(tmp_path: Path, path: str) -> None:
    """A folder, a secret put where its file belongs, nothing at all."""
    (problem,) = problems(TOKEN_FILE=path.format(tmp_path))

    assert problem.startswith("TOKEN_FILE names a file")
    assert "CANARY" not in problem
    assert str(tmp_path) not in problem


def test_a_problem_with_a_file_is_told_with_all_others() -> None:
    """At once, each on its line."""
    found = problems(TOKEN_FILE="/nowhere", SPARE="a", SPARE_FILE="b", TREE="[")

    assert [text.split()[0] for text in found] == ["TOKEN_FILE", "SPARE", "TREE"]


def test_a_missing_secret_is_named_with_both_its_variables() -> None:
    """Whoever starts the connector learns that there is a choice."""
    assert problems() == ("TOKEN is not set, and neither is TOKEN_FILE. Opens the door.",)


def test_only_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    """The variable ``PLAIN_FILE`` of a text may be somebody else's."""
    (tmp_path / "plain").write_text("abc")

    settings = Vault.from_env({"TOKEN": "x", "PLAIN_FILE": str(tmp_path / "plain")})

    assert settings.plain == ""


def test_no_setting_may_have_the_name_of_a_secrets_file() -> None:
    """Both would read the same variable. Seen to fail when the check is left out."""
    fields = {"__annotations__": {"token": Secret, "token_file": str}}
    made: type[Settings] = type("Mine", (Settings,), fields)

    with pytest.raises(TypeError, match=r"Mine\.token_file would read TOKEN_FILE, which names"):
        made.from_env({"TOKEN": "x"})


def test_json_holds_what_its_type_says_however_deep() -> None:
    """Structures of an author's own, secrets in them, objects in objects."""
    settings = Vault.from_env(
        {
            "TOKEN": "x",
            "ACCOUNTS": '[{"name":"a","password":"CANARY-secret","groups":["g"]}]',
            "KEYS": '{"one":"CANARY-secret"}',
            "TREE": '{"a":{"b":[1,2]}}',
        }
    )

    assert settings.accounts[0].password.reveal() == CANARY
    assert settings.accounts[0].groups == ["g"]
    assert settings.keys["one"].reveal() == CANARY
    assert settings.tree == {"a": {"b": [1, 2]}}
    assert "CANARY" not in repr(settings)


def test_json_with_secrets_may_come_from_a_file_too(tmp_path: Path) -> None:
    """And is a secret as a whole."""
    (tmp_path / "keys").write_text('{"one": "1"}\n')

    settings = Vault.from_env({"TOKEN": "x", "KEYS_FILE": str(tmp_path / "keys")})

    assert settings.keys["one"].reveal() == "1"
    described = {each.field: each.secret for each in Vault.describe()}
    assert described == {
        **dict.fromkeys(("token", "spare", "accounts", "keys"), True),
        **dict.fromkeys(("tree", "plain"), False),
    }


def test_a_default_with_secrets_in_it_is_not_shown() -> None:
    """Neither in a table nor in a description."""
    defaults = {each.field: each.default for each in Vault.describe()}

    assert defaults["keys"] == '{"default":"***"}'
    assert "CANARY" not in repr(Vault.describe())


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ACCOUNTS", '{"name":"CANARY","password":"CANARY"}'),
        ("ACCOUNTS", '[{"name":"CANARY"}]'),
        ("ACCOUNTS", '[{"name":"CANARY","password":7}]'),
        ("ACCOUNTS", '[{"name":"CANARY","password":null}]'),
        ("KEYS", '{"CANARY":["CANARY"]}'),
        ("KEYS", '{"CANARY":'),
        ("TREE", '{"CANARY":{"b":["CANARY"]}}'),
        ("TREE", "[" * 100_000),
        ("TREE", "\udcff"),
    ],
)
def test_json_that_does_not_fit_is_named_without_its_text(variable: str, text: str) -> None:
    """Wherever in it the mistake is, and however deep it goes."""
    values: dict[str, Any] = {"TOKEN": "x", variable: text}

    assert problems(**values) == (f"{variable} is not JSON.",)
