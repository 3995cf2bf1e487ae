"""Trained weights that can be trusted: a safetensors file beside a manifest that says what it is and how it was made.

A folder of checkpoints holds `<name>.safetensors` (numbers only; loading runs no code) and one `manifest.json` that
maps each name to the model, its arguments, the command and seed that trained it, its accuracy, and the file's SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from course_lib import models

__all__ = ["SHIPPED", "Checkpoint", "entries", "load", "save"]

SHIPPED = Path(__file__).resolve().parent.parent / "checkpoints"
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """One entry of the manifest.

    model, arguments  what `models.build` made the network from.
    data      the data set it was trained on, as the call that makes it.
    command   reproduces the file.
    seed      of the weights' start and of the training order.
    threads   torch threads used; with another number, sums are rounded in another order.
    accuracy  share of the test images classified correctly, 0 to 1.
    sha256    of the safetensors file, in hexadecimal.
    size      of the file, in bytes.
    made_with  versions it was made with.
    """

    model: str
    arguments: dict[str, Any]
    data: str
    command: str
    seed: int
    threads: int
    accuracy: float
    sha256: str = ""
    size: int = 0
    made_with: dict[str, str] = field(default_factory=dict)


def entries(folder: str | Path = SHIPPED) -> dict[str, Checkpoint]:
    """The checkpoints in a folder, by name; empty if it has no manifest.

    Raises ValueError if the manifest cannot be understood.
    """
    path = Path(folder) / _MANIFEST
    if not path.exists():
        return {}
    try:
        return {name: Checkpoint(**entry) for name, entry in json.loads(path.read_text("utf-8")).items()}
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} is not a manifest of checkpoints ({error}); restore it, or save anew") from error


def load(name: str, folder: str | Path = SHIPPED) -> nn.Module:
    """The trained network `name`, on the CPU, in evaluation mode.

    folder  where the checkpoint and its manifest are; by default those that come with the course.

    Raises ValueError for a name the folder does not have, FileNotFoundError if the file is gone, and ValueError if its
    content is not what the manifest says or does not fit the network.
    """
    known = entries(folder)
    if name not in known:
        raise ValueError(f"there is no checkpoint {name!r} in {folder}; there are: {', '.join(known) or 'none'}")
    entry = known[name]
    path = Path(folder) / f"{name}.safetensors"
    remedy = f"restore the file, or make it again: {entry.command}"
    if not path.exists():
        raise FileNotFoundError(f"the checkpoint {path} is missing; {remedy}")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise ValueError(
            f"the checkpoint {path} is damaged or was changed: {len(content):,} bytes with SHA-256 {found[:12]}..., "
            f"the manifest says {entry.size:,} bytes with {entry.sha256[:12]}...; {remedy}"
        )
    model = models.build(entry.model, **entry.arguments)
    try:
        model.load_state_dict(load_tensors(content))
    except RuntimeError as error:
        raise ValueError(f"the checkpoint {path} does not fit {entry.model}({entry.arguments}): {error}") from error
    return model.eval()


def save(network: nn.Module, name: str, entry: Checkpoint, folder: str | Path) -> Checkpoint:
    """Write the network's weights and its entry; returns the entry with hash and size filled in.

    The same weights give the same bytes. Other entries of the manifest stay as they are.
    """
    folder = Path(folder)
    known = entries(folder)
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    content = save_tensors(tensors)
    entry = Checkpoint(**{**asdict(entry), "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.safetensors").write_bytes(content)
    manifest = {key: asdict(value) for key, value in sorted({**known, name: entry}.items())}
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return entry
