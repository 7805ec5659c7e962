"""jsonargparse's parser, with its errors as one line and no exit."""

from __future__ import annotations

from typing import NoReturn

from jsonargparse import ArgumentParser

from dfedsam.launch import errors


class Parser(ArgumentParser):
    """Raises ValueError where jsonargparse would end the program."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """See jsonargparse."""
        raise ValueError(errors.plain(message)) from ex
