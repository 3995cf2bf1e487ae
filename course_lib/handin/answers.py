"""How far an answer is written: the one definition, for `course submit` and for grading."""

from __future__ import annotations

from enum import StrEnum

from course_lib.handin.stubs import stub_lines

__all__ = ["Answered", "how_far", "is_untouched", "same_text"]


class Answered(StrEnum):
    """Grading gives marks to what is partly written as to any other answer, and none, unasked, to what is untouched."""

    UNTOUCHED = "no answer yet"  # blank, or what students got
    PARTLY = "partly written"  # something was changed, and a stub still stands where a part belongs
    WRITTEN = "written"


def how_far(text: str, *, as_released: bool) -> Answered:
    """What became of the text of one answer.

    as_released  whether it is what students got. Grading compares with that, up to whitespace (`is_untouched`). A
                 student's copy has its checksum alone (`nbgrader_entries.is_as_released`), so there a stub whose lines
                 were indented anew reads as partly written; it earns nothing either way.
    """
    if as_released or not text.strip():
        return Answered.UNTOUCHED
    return Answered.PARTLY if stub_lines(text) else Answered.WRITTEN


def is_untouched(text: str, released: str) -> bool:
    """Whether nothing was written: `text` is blank, or up to whitespace what students got."""
    return how_far(text, as_released=same_text(text, released)) is Answered.UNTOUCHED


def same_text(one: str, other: str) -> bool:
    """Equal up to whitespace."""
    return one == other or one.split() == other.split()
