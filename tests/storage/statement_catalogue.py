"""Every statement of the toolbox, found by looking through the modules that hold them.

Run as a program it prints the names of those that exist but were not found.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from pkgutil import iter_modules, walk_packages

import bsv_wallet_toolbox
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.storage import statements


def _inside(value: object) -> Iterator[tuple[str, Statement]]:
    if isinstance(value, Statement):
        yield "", value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from ((f".{key}{name}", statement) for name, statement in _inside(each))
    elif isinstance(value, tuple | list):
        for number, each in enumerate(value):
            yield from ((f".{number}{name}", statement) for name, statement in _inside(each))
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            found = _inside(getattr(value, field.name))
            yield from ((f".{field.name}{name}", statement) for name, statement in found)


CATALOGUE: dict[str, Statement] = {
    f"{info.name}.{held}{name}": statement
    for info in iter_modules(statements.__path__)
    for held, value in vars(import_module(f"{statements.__name__}.{info.name}")).items()
    for name, statement in _inside(value)
}
"""By module and name, such as ``coins.IMMEDIATE.count_any``."""


def strays() -> list[str]:
    """Names of statements that some module of the toolbox made when it was imported, outside the catalogue."""
    for info in walk_packages(bsv_wallet_toolbox.__path__, f"{bsv_wallet_toolbox.__name__}."):
        import_module(info.name)
    known = {id(statement) for statement in CATALOGUE.values()}
    return sorted(each.name for each in gc.get_objects() if isinstance(each, Statement) and id(each) not in known)


if __name__ == "__main__":
    print("\n".join(strays()))  # noqa: T201  # what the program is for
