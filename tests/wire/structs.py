"""hypothesis strategies for any Struct of the vocabulary, made from its own field types and bounds."""

from typing import Any

from hypothesis import strategies as st
from msgspec import inspect

LARGEST = 2**63 - 1


def structs(union: Any) -> st.SearchStrategy[Any]:
    """Any value of a Struct type, or of a union of them."""
    return _values(inspect.type_info(union))


TIMES = st.sampled_from(["2026-01-02T03:04:05.678Z", "1970-01-01T00:00:00.000Z", "2999-12-31T23:59:59.999Z"])


def _field(name: str, kind: inspect.Type) -> st.SearchStrategy[Any]:
    """The values of a field; a text that tells when something was or will be is a time."""
    if name in ("time", "until", "since") and "StrType" in repr(kind):
        return TIMES
    return _values(kind)


def _values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.UnionType(types=types):
            return st.one_of(*map(_values, types))
        case inspect.StructType(cls=cls, fields=fields):
            required = {field.name: field for field in fields}
            return st.fixed_dictionaries(
                {name: _field(name, field.type) for name, field in required.items() if field.required},
                optional={name: _field(name, field.type) for name, field in required.items() if not field.required},
            ).map(lambda values: cls(**values))
        case inspect.StrType(min_length=least, max_length=most):
            return st.text(st.characters(exclude_categories=["Cs"]), min_size=least or 0, max_size=most or 20)
        case inspect.IntType(ge=least, le=most):
            return st.integers(least if least is not None else -LARGEST - 1, most if most is not None else LARGEST)
        case inspect.FloatType():
            return st.floats(0, 1e6)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case inspect.ListType(item_type=item):
            return st.lists(_values(item), max_size=3)
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(_values(key), _values(value), max_size=3)
        case inspect.Metadata(type=inner):
            return _values(inner)
    raise TypeError(kind)
