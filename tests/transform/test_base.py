"""What the author of a transform subclasses: one of two methods, and the settings are found."""

from __future__ import annotations

import subprocess
import sys
from abc import ABC
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

import pytest

from sesam_connector_sdk import Entity, Request, Settings, Transform

SettingsT = TypeVar("SettingsT", bound=Settings)


class Mine(Settings):
    """Settings of the tests' transforms."""

    place: str = "here"


class Plain(Transform[Mine]):
    """The least a transform can be."""

    def transform(self, entity: Entity) -> Entity:
        """Pass it on."""
        return entity


def test_a_transform_finds_the_settings_it_was_declared_with() -> None:
    """Directly, and through a base class of the author's own."""

    class Base(Transform[SettingsT], ABC, Generic[SettingsT]):
        pass

    class Leaf(Base[Mine]):
        def transform(self, entity: Entity) -> None:
            pass

    assert Plain.settings_class is Mine
    assert Leaf.settings_class is Mine
    assert Plain(Mine()).settings.place == "here"


def test_a_transform_with_neither_method_is_refused_when_it_is_made() -> None:
    """Not at the first request."""
    with pytest.raises(TypeError, match="Empty has neither transform nor transform_batch"):

        class Empty(Transform[Mine]):
            pass


def test_a_transform_with_both_methods_is_refused_when_it_is_made() -> None:
    """Which one would be called? Also where the other one is inherited."""

    def together(_self: object, entities: Iterable[Entity], _request: Request) -> Any:
        return entities

    both: dict[str, Any] = {"transform": Plain.transform, "transform_batch": together}
    with pytest.raises(TypeError, match="Two has transform and transform_batch"):
        type("Two", (Transform,), both)
    with pytest.raises(TypeError, match="Later has transform and transform_batch"):
        type("Later", (Plain,), {"transform_batch": together})


def test_a_subclass_of_a_transform_may_write_the_method_again() -> None:
    """Or nothing at all."""

    class Same(Plain):
        pass

    class Other(Plain):
        def transform(self, entity: Entity) -> Any:
            return [entity, {"_id": "other"}]

    assert Same(Mine()).settings == Other(Mine()).settings


def test_a_base_class_may_have_neither_method_if_it_says_so() -> None:
    """With ``ABC`` among its bases; what is made of it must have one."""

    class Shared(Transform[Mine], ABC):
        def lookup(self) -> str:
            return self.settings.place

    class Whole(Shared):
        def transform_batch(
            self,
            entities: Iterable[Entity],
            request: Request,  # noqa: ARG002  # what an author may leave unused
        ) -> Iterator[dict[str, Any]]:
            return ({"_id": each.id, "at": self.lookup()} for each in entities)

    assert Whole(Mine()).lookup() == "here"
    with pytest.raises(TypeError, match="neither"):
        type("Leaf", (Shared,), {})


def test_an_authors_class_needs_no_http_library() -> None:
    """Importing what an author subclasses loads neither Falcon nor waitress."""
    # The package's own door imports the server; an author's test may go by the room's.
    code = (
        "import importlib.util as u, pathlib, sys, types;"
        "p = pathlib.Path(u.find_spec('sesam_connector_sdk').origin).parent;"
        "m = types.ModuleType('sesam_connector_sdk'); m.__path__ = [str(p)];"
        "sys.modules['sesam_connector_sdk'] = m;"
        "import sesam_connector_sdk.transform.results as found;"
        "print(sorted({'falcon', 'waitress', 'azure'} & set(sys.modules)), found.__name__)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout == "[] sesam_connector_sdk.transform.results\n"
