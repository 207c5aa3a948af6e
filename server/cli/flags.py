"""A flag for every setting, generated from the model."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from marketcam.server.settings import Settings, described_settings
from marketcam.server.variables import GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from marketcam.server.variables import Setting

__all__ = ["add_flag", "add_setting_flags", "given_settings", "settings_from"]


def add_setting_flags(parser: argparse.ArgumentParser, settings: Iterable[Setting]) -> None:
    """Give `parser` the flags of settings, in their groups.

    Values stay text: the model checks flags and variables alike.
    """
    groups = {name: parser.add_argument_group(name) for name in GROUPS}
    for setting in settings:
        add_flag(groups[setting.group], setting)


def settings_from(args: argparse.Namespace) -> Settings:
    """Return the settings of a command line: its flags, over the environment, over the defaults.

    Raises:
        SettingsError: names the flag and the variable, the value and the range.
    """
    return Settings.from_flags(given_settings(args))


def given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that a command line gives, as attribute → what was typed."""
    given = vars(args)
    return {s.name: given[s.name] for s in described_settings() if s.name in given}


def add_flag(group: argparse._ArgumentGroup, setting: Setting, *also: str) -> None:
    """Give `group` the flag of one setting, and other spellings of it."""
    text = setting.meaning if setting.is_number else setting.description
    text = f"{text} [{setting.variable}, default {setting.default or 'none'}]".replace("%", "%%")
    if setting.is_switch:
        group.add_argument(
            *setting.flags,
            *also,
            dest=setting.name,
            default=argparse.SUPPRESS,
            action=argparse.BooleanOptionalAction,
            help=text,
        )
    else:
        group.add_argument(
            *setting.flags,
            *also,
            dest=setting.name,
            default=argparse.SUPPRESS,
            metavar=setting.placeholder,
            help=text,
        )
