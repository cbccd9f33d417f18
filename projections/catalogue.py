"""Every projection there is: a module of this package that declares one is all it takes."""

import pkgutil
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from inspect import getmembers, isabstract, isclass

import projections
from ledger.domain.errors import Refusal
from ledger.domain.recording import EventMapper
from projections.projection import Projection


class UnknownProjection(Refusal):
    """No projection has this name."""


@cache
def projection_types() -> tuple[type[Projection], ...]:
    """The declarations in the modules of this package, by name."""
    found = {
        declaration.name: declaration
        for module in pkgutil.iter_modules(projections.__path__)
        if not module.ispkg
        for _, declaration in getmembers(import_module(f"{projections.__name__}.{module.name}"), isclass)
        if issubclass(declaration, Projection) and not isabstract(declaration)
    }
    return tuple(found[name] for name in sorted(found))


def inline_projections(mapper: EventMapper) -> Sequence[Projection]:
    """Those that are written with every append, in their order."""
    return [declaration(mapper) for declaration in projection_types() if declaration.inline]


def catch_up_projections(mapper: EventMapper) -> Sequence[Projection]:
    """Those that follow the log."""
    return [declaration(mapper) for declaration in projection_types() if not declaration.inline]


def find_projection(name: str, mapper: EventMapper) -> Projection:
    """The projection of a name. Raises UnknownProjection, which lists those there are."""
    for declaration in projection_types():
        if declaration.name == name:
            return declaration(mapper)
    known = ", ".join(declaration.name for declaration in projection_types())
    msg = f"there is no projection {name!r}: there are {known}"
    raise UnknownProjection(msg)
