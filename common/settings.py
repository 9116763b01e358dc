"""Settings, each written once: a field of a frozen dataclass, with its default, help and bounds.

    @dataclasses.dataclass(frozen=True)
    class Network(Settings):
        num_classes: int
        num_layers: int = setting(3, "Bidirectional LSTM layers.", at_least=1)

    Network(num_classes=2, num_layers=0)               ValueError: num_layers=0: expected at least 1
    define_flags(Network)                              in a program: the flag --num_layers
    Network(num_classes=2, **from_flags(Network))      once flags are parsed

A setting is an int, float, bool, str or tuple[int, ...]. Fields without `setting` have no flag, and
their class checks them.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from absl import flags

from common.errors import UserError

# Flags that are defined here belong to the programs that call `define_flags`.
flags.disclaim_key_flags()

MAX_FLOAT32 = float(np.finfo(np.float32).max)

_COMPARISONS = {
    "at_least": operator.ge,
    "above": operator.gt,
    "at_most": operator.le,
    "below": operator.lt,
}

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a setting means, and which values it takes."""

    help: str
    bounds: Mapping[str, float]  # by names of _COMPARISONS
    choices: tuple[str, ...]

    def expected(self) -> str:
        """`at least 0 and below 1`, `one of red, green`; empty where everything is fine."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return " and ".join(f"{name.replace('_', ' ')} {n}" for name, n in self.bounds.items())

    def check(self, value: Any) -> None:
        """Raises UserError, `expected at least 0 and below 1`, where it does not take a value."""
        numbers = value if isinstance(value, tuple) else (value,)
        if isinstance(value, float) and not abs(value) <= MAX_FLOAT32:  # nor is NaN
            raise UserError("expected a number that float32 holds")
        if (self.choices and value not in self.choices) or not all(
            _COMPARISONS[name](number, bound)
            for name, bound in self.bounds.items()
            for number in numbers
        ):
            each = "numbers of " if isinstance(value, tuple) else ""
            raise UserError(f"expected {each}{self.expected()}")


def setting(default: T, help_text: str, *, choices: Sequence[str] = (), **bounds: float) -> T:
    """Declares a field of a `Settings`.

    Args:
      default: its value where nothing else is given.
      help_text: of the flag.
      choices: all values of a text.
      bounds: of a number, or of each of several: `at_least`, `above`, `at_most`, `below`.
    """
    assert bounds.keys() <= _COMPARISONS.keys(), bounds
    rule = Rule(help_text, bounds, tuple(choices))
    return dataclasses.field(default=default, metadata={"rule": rule})


class Settings:
    """What frozen dataclasses with settings inherit; those of several may be joined in one."""

    def __post_init__(self) -> None:
        for name, rule in rules(type(self)).items():
            value = getattr(self, name)
            if isinstance(value, list):  # as JSON has it
                value = tuple(value)
                object.__setattr__(self, name, value)
            try:
                rule.check(value)
            except UserError as error:
                raise UserError(f"{name}={value}: {error}") from None


def expect(valid: bool, name: str, value: object, expected: str) -> None:
    """Raises ValueError unless the value of a setting is valid."""
    if not valid:
        raise UserError(f"{name}={value}: expected {expected}")


def rules(cls: type[Settings]) -> dict[str, Rule]:
    """Returns the rules of a class's settings, by name."""
    return {
        field.name: field.metadata["rule"]
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]  # those that inherit are
        if "rule" in field.metadata
    }


def define_flags(*classes: type[Settings], flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines a flag for each setting; the calling program lists them as its own."""
    for cls in classes:
        types = typing.get_type_hints(cls)
        for name, rule in rules(cls).items():
            default = getattr(cls, name)
            if rule.choices:
                flags.DEFINE_enum(name, default, rule.choices, rule.help, flag_values)
            elif types[name] is int:
                lower, upper = rule.bounds.get("at_least"), rule.bounds.get("at_most")
                flags.DEFINE_integer(name, default, rule.help, lower, upper, flag_values)
            elif types[name] == tuple[int, ...]:
                # Serialized as it is parsed: a run writes its flags as a file for --flagfile.
                serializer = flags.ListSerializer(",")
                flags.DEFINE(IntegersParser(), name, default, rule.help, flag_values, serializer)
            else:
                _DEFINITIONS[types[name]](name, default, rule.help, flag_values=flag_values)
            flags.register_validator(
                name, functools.partial(_check_flag, rule), flag_values=flag_values
            )


def _check_flag(rule: Rule, value: Any) -> bool:
    """As absl wants it, which names the flag with its dashes."""
    try:
        rule.check(value)
    except UserError as error:
        raise flags.ValidationError(str(error)) from None
    return True


_DEFINITIONS = {
    float: flags.DEFINE_float,
    bool: flags.DEFINE_boolean,
    str: flags.DEFINE_string,
}


class IntegersParser(flags.ArgumentParser):
    """`[48, 64, 96]`, as the tutorial writes it, or `48,64,96`."""

    syntactic_help = "integers, separated by commas"

    def parse(self, argument: str | Sequence[int]) -> tuple[int, ...]:
        if not isinstance(argument, str):
            return tuple(argument)
        items = argument.strip().strip("[]()").removesuffix(",")
        try:
            return tuple(int(item) for item in items.split(",")) if items.strip() else ()
        except ValueError:
            raise UserError(f"expected integers such as 48,64,96, not {argument!r}") from None


def from_flags(
    cls: type[Settings], *, flag_values: flags.FlagValues = flags.FLAGS
) -> dict[str, Any]:
    """Returns what the flags say of a class's settings, by name."""
    return {name: flag_values[name].value for name in rules(cls)}


def flag_value(value: object) -> str:
    """Returns a setting's value as its flag takes it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
