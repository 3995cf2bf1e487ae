"""`code_text`: the Python standard library's own source, as bytes, for language models; nothing to download."""

from __future__ import annotations

import hashlib
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

__all__ = ["Text", "TextSplits", "code_text"]

# not code a person wrote (tables, help texts, bundled wheels), or not part of the library proper
_SKIPPED = frozenset(
    {
        "__pycache__",
        "_bundled",
        "dist-packages",
        "encodings",
        "idle_test",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "test",
        "tests",
    }
)


@dataclass(frozen=True, eq=False, repr=False)
class Text:
    """Source text as bytes.

    tokens   uint8 [N], one byte each, so the vocabulary has 256 entries.
    modules  the top-level modules the text came from, in order.
    """

    tokens: Tensor
    modules: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    def __repr__(self) -> str:
        return f"{len(self):,} bytes of {len(self.modules)} modules"

    def take(self, n: int) -> Text:
        """The first `n` bytes; `modules` still names all that the text was cut from."""
        return Text(self.tokens[:n], self.modules)

    def windows(self, count: int, length: int, generator: torch.Generator) -> Tensor:
        """`count` stretches of `length` bytes from random places, uint8 [count, length].

        Raises ValueError if the text is shorter than one stretch.
        """
        if not 1 <= length <= len(self):
            raise ValueError(f"windows(length) lies between 1 and the text's {len(self):,} bytes, not {length}")
        starts = torch.randint(len(self) - length + 1, (count, 1), generator=generator)
        return self.tokens[starts + torch.arange(length)]

    def decode(self, tokens: Tensor | None = None) -> str:
        """Bytes (all of them, or those given) as a string; bytes that are no UTF-8 become U+FFFD."""
        chosen = self.tokens if tokens is None else tokens
        return bytes(chosen.to("cpu", torch.uint8).tolist()).decode("utf-8", errors="replace")


@dataclass(frozen=True)
class TextSplits:
    """Text of some modules to learn from, and of other modules to measure with."""

    train: Text
    test: Text


def code_text(test_share: float = 0.1, folder: str | Path | None = None) -> TextSplits:
    """The running Python's standard library, split by top-level module: a package is wholly in one part.

    test_share  about which share of the modules is kept for testing; a module's part follows from its name alone,
        so it is the same in every version of Python. The text itself differs between versions.
    folder  another folder of Python source; None takes the standard library's.

    Raises ValueError if the share is not between 0 and 1, FileNotFoundError if the folder holds no source.
    """
    if not 0 <= test_share <= 1:
        raise ValueError(f"code_text(test_share) lies between 0 and 1, not {test_share}")
    source = Path(folder or sysconfig.get_path("stdlib"))
    modules = _modules(source)
    if not modules:
        raise FileNotFoundError(
            f"code_text found no Python source in {source}; this Python was installed without its library's "
            "source: use one from python.org, conda or your system, or pass folder="
        )
    in_test = {name for name in modules if _share_of(name) < test_share}
    return TextSplits(
        train=_join({name: files for name, files in modules.items() if name not in in_test}),
        test=_join({name: files for name, files in modules.items() if name in in_test}),
    )


def _modules(folder: Path) -> dict[str, list[Path]]:
    """Source files by top-level module, both in alphabetical order."""
    modules: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if _SKIPPED.isdisjoint(parts):
            modules.setdefault(parts[0], []).append(path)
    return modules


def _share_of(name: str) -> float:
    """A number in [0, 1) that follows from the module's name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32


def _join(modules: dict[str, list[Path]]) -> Text:
    pieces = [path.read_bytes().replace(b"\r\n", b"\n") for files in modules.values() for path in files]
    tokens = np.frombuffer(b"\n".join(pieces), np.uint8).copy()
    return Text(torch.from_numpy(tokens), tuple(modules))
