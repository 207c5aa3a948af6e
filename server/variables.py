"""One setting: its variable, its flag, its range, and what is said when a value is wrong.

A settings model declares its fields with `setting`; everything else is read back from the model,
so that the environment, the flags, `--help`, the documentation and the messages cannot differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import Field, SecretStr

from marketcam.engine.errors import MarketCameraError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

__all__ = [
    "GROUPS",
    "Group",
    "Setting",
    "SettingsError",
    "describe",
    "problem_lines",
    "setting",
    "shown",
]

Group = Literal[
    "camera", "recording", "source", "ingest", "server", "nats", "edge", "security", "logging"
]
GROUPS: Final[tuple[Group, ...]] = get_args(Group)
"""The groups in which `--help` and the configuration table list the settings."""

_LONGEST_VALUE: Final = 60
_VARIABLE: Final = re.compile(r"\b(?:IG_[A-Z_]+|PORT)\b")
_NOT_A_NUMBER: Final = ("int_", "float_", "finite_number")


class SettingsError(MarketCameraError, ValueError):
    """One or more settings cannot be used; the start stops.

    Attributes:
        problems: one line each, naming the variable, the value and the range.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Setting:
    """What is said about one setting wherever it is named.

    Attributes:
        name: attribute of the settings object, such as ``edge_cap``.
        variable: environment variable, such as ``IG_CAM_EDGE_CAP``.
        flags: command-line flag, such as ``--edge-cap``, and its other spellings.
        default: the default as one would type it; empty for none.
        description: what it does, in half a line.
        unit: such as ``ticks``, or empty.
        limits: the values it takes, such as ``1 to 65535``.
        placeholder: what stands for the value in a usage line, such as ``TICKS``.
        is_number: its limits are a range.
        is_switch: true or false; the flag then takes no value.
        is_secret: its value is never shown.
    """

    name: str
    variable: str
    flags: tuple[str, ...]
    default: str
    description: str
    unit: str
    limits: str
    placeholder: str
    group: Group
    is_number: bool
    is_switch: bool
    is_secret: bool

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return self.flags[0]

    @property
    def meaning(self) -> str:
        """Description, unit and range in one line."""
        unit = f"{self.unit}, " if self.unit else ""
        return f"{self.description} ({unit}{self.limits})"


def setting(
    default: object,
    variable: str,
    group: Group,
    description: str,
    *,
    unit: str = "",
    form: str = "",
    placeholder: str = "",
    **limits: Any,
) -> Any:
    """Declare a field of a settings model; `form` says in words what `limits` cannot."""
    if isinstance(default, float):
        limits["allow_inf_nan"] = False
    return Field(
        default=default,
        validation_alias=variable,
        description=description,
        json_schema_extra={"group": group, "unit": unit, "form": form, "placeholder": placeholder},
        **limits,
    )


def describe(model: type[BaseModel]) -> tuple[Setting, ...]:
    """Read the settings of `model` back, in the order of its fields."""
    return tuple(_described(name, field) for name, field in model.model_fields.items())


def _described(name: str, field: FieldInfo) -> Setting:
    variable, extra = field.validation_alias, field.json_schema_extra
    if not isinstance(variable, str) or not isinstance(extra, dict):
        raise TypeError(f"{name} must be declared with `setting`")
    return Setting(
        name=name,
        variable=variable,
        flags=_flags(variable),
        default=shown(field.default),
        description=field.description or "",
        unit=str(extra["unit"]),
        limits=str(extra["form"]) or _limits(field),
        placeholder=str(extra["placeholder"]) or _placeholder(field, str(extra["unit"])),
        group=extra["group"],  # type: ignore[arg-type]  # put there by `setting`
        is_number=field.annotation in {int, float},
        is_switch=field.annotation is bool,
        is_secret=SecretStr in get_args(field.annotation),
    )


def _flags(variable: str) -> tuple[str, ...]:
    words = re.sub("^IG_(CAM_)?", "", variable).replace("_", "-")
    flag = f"--{words.lower()}"
    return (f"--{words}", flag) if len(words) == 1 else (flag,)  # W keeps its published name


def _placeholder(field: FieldInfo, unit: str) -> str:
    if get_origin(field.annotation) is Literal:
        return "|".join(get_args(field.annotation))
    return unit.partition(" ")[0].upper() or "N"


def _limits(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        *others, last = get_args(field.annotation)
        return f"{', '.join(others)} or {last}"
    bounds = {type(limit): limit for limit in field.metadata}
    match bounds.get(Ge), bounds.get(Gt), bounds.get(Le):
        case Ge(ge=least), None, Le(le=greatest):
            return f"{shown(least)} to {_power(greatest)}"
        case Ge(ge=least), None, None:
            return f"{shown(least)} or more"
        case None, Gt(gt=bound), None:
            return f"more than {shown(bound)}"
        case None, Gt(gt=bound), Le(le=greatest):
            return f"more than {shown(bound)}, at most {_power(greatest)}"
        case _:
            raise TypeError(f"no words for the limits {field.metadata}")


def _power(bound: Any) -> str:
    """Write 2**53 - 1 so that one sees what it is."""
    digits = int(bound).bit_length()
    return f"2^{digits}-1" if bound == 2**digits - 1 and digits >= 32 else shown(bound)


def shown(value: object) -> str:
    """Write a value as one would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)


def problem_lines(
    settings: Sequence[Setting], error: ValidationError, given: AbstractSet[str]
) -> tuple[str, ...]:
    """Say what is wrong, one line a problem.

    `given` are the names of the settings that came as flags; these are named by their flag too.
    """
    labels = {
        s.variable: f"{s.flag} ({s.variable})" if s.name in given else s.variable for s in settings
    }
    by_place = {s.variable: s for s in settings} | {s.name: s for s in settings}
    return tuple(
        _problem_line(detail, by_place, labels) for detail in error.errors(include_url=False)
    )


def _problem_line(
    detail: ErrorDetails, settings: dict[str, Setting], labels: dict[str, str]
) -> str:
    if not detail["loc"]:  # settings that do not go together; the message names variables
        return _VARIABLE.sub(lambda found: labels[found[0]], detail["msg"])
    place = str(detail["loc"][0])
    if place not in settings:
        return f"there is no setting {_quoted(place)}"
    label, limits = labels[settings[place].variable], settings[place].limits
    if detail["type"].startswith(_NOT_A_NUMBER):
        limits = f"{'a whole' if detail['type'].startswith('int') else 'a finite'} number, {limits}"
    # What a secret is refused for, its own validator says, without saying it.
    is_secret = settings[place].is_secret
    got = str(detail["ctx"]["error"]) if is_secret else _quoted(detail["input"])
    return f"{label} must be {limits}, got {got}"


def _quoted(value: object) -> str:
    """Show an offending value on one line, in quotes unless it reads well without."""
    text = shown(value) if isinstance(value, bool | float) else str(value)
    if not re.fullmatch(r"[\w.+:/~-]+", text):
        text = repr(text)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
