"""Imports jsonschema, which nbformat validates notebooks with, without its check of IRIs.

For that one check it imports rfc3987_syntax, which builds a grammar when it is imported: two seconds at least, more
than all else that a `course` command loads. No notebook's schema asks for IRIs.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

__all__ = ["import_jsonschema"]

_SLOW = "rfc3987_syntax"


def import_jsonschema() -> None:
    """Does nothing if either is imported already; afterwards both can be imported as usual."""
    if "jsonschema" in sys.modules or _SLOW in sys.modules:
        return
    absent: Any = None
    sys.modules[_SLOW] = absent  # an import of it now raises ImportError, which jsonschema expects
    try:
        importlib.import_module("jsonschema")
    finally:
        del sys.modules[_SLOW]
