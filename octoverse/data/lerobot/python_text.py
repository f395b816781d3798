"""Write specs as the Python that makes them."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import msgspec


def python_text(**named: Any) -> str:
    """Imports and one assignment for each name.

    Args:
        named: Name to a spec: msgspec structs and dataclasses of plain values, nested at will.
    """
    used = {type(x) for value in named.values() for x in _all(value)}
    kinds = sorted((kind.__module__, kind.__name__) for kind in used)
    lines = []
    for module in dict.fromkeys(module for module, _ in kinds):
        listed = ", ".join(name for where, name in kinds if where == module)
        lines.append(f"from {module} import {listed}")
    body = [f"\n{name} = {_told(value, 0)}" for name, value in named.items()]
    return "\n".join([*lines, *body]) + "\n"


def _parts(value: Any) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    if isinstance(value, msgspec.Struct):
        found = {}
        for one in msgspec.structs.fields(value):
            given = getattr(value, one.name)
            default = one.default
            if one.default_factory is not msgspec.NODEFAULT:
                default = one.default_factory()
            if given != default:
                found[one.name] = given
        return found
    found = {}
    for field in fields(value):
        default = field.default
        if field.default_factory is not MISSING:
            default = field.default_factory()
        if getattr(value, field.name) != default:
            found[field.name] = getattr(value, field.name)
    return found


def _is_spec(value: Any) -> bool:
    return isinstance(value, msgspec.Struct) or is_dataclass(value)


def _all(value: Any) -> Iterator[Any]:
    """Every spec in a value."""
    if _is_spec(value):
        yield value
        for part in _parts(value).values():
            yield from _all(part)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _all(part)


def _told(value: Any, depth: int) -> str:
    inner, outer = "    " * (depth + 1), "    " * depth
    if _is_spec(value):
        items = [f"{k}={_told(v, depth + 1)}" for k, v in _parts(value).items()]
        opening, closing = f"{type(value).__name__}(", ")"
    elif isinstance(value, Mapping) and value:
        items = [f"{k!r}: {_told(v, depth + 1)}" for k, v in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, tuple) and len(value) > 2:
        if len(set(value)) == 1:
            return f"({value[0]!r},) * {len(value)}"
        items, opening, closing = [repr(one) for one in value], "(", ")"
    else:
        return repr(value)
    flat = opening + ", ".join(items) + closing
    if len(flat) + len(inner) < 88 and "\n" not in flat:
        return flat
    return opening + "\n" + "".join(f"{inner}{item},\n" for item in items) + outer + closing
