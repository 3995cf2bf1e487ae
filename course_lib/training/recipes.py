"""How each checkpoint that comes with the course was trained, so that anyone can train it again.

The same seed and number of threads give the same file, bit for bit, on the same machine with the same versions. Other
processors round sums in another order, which training magnifies: there the accuracy is compared, within TOLERANCE.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course_lib import data, models
from course_lib.data import Splits
from course_lib.training.augment import flip_and_shift
from course_lib.training.checkpoints import Checkpoint, entries, save
from course_lib.training.evaluate import evaluate
from course_lib.training.fit import fit

__all__ = ["TOLERANCE", "recipe_names", "reproduce"]

TOLERANCE = 0.025  # of accuracy, between machines: other seeds differ by 0.7 points (standard deviation)
_SEED = 0
_THREADS = 1  # so that the number of cores does not change the result


@dataclass(frozen=True)
class _Recipe:
    """A model, its data and its training: train(network, splits, progress) trains in place."""

    model: str
    data: str
    splits: Callable[[], Splits]
    train: Callable[[nn.Module, Splits, bool], None]
    arguments: dict[str, Any] = field(default_factory=dict)


def _train_small_resnet(network: nn.Module, splits: Splits, progress: bool) -> None:
    epochs, batch_size, highest_rate = 16, 32, 1e-2
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU; not in the stubs
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, highest_rate, total_steps=epochs * -(-len(splits.train) // batch_size), pct_start=0.15
    )
    fit(
        network,
        splits.train,
        epochs=epochs,
        optimizer=optimizer,
        scheduler=scheduler,
        batch_size=batch_size,
        augment=flip_and_shift,
        seed=_SEED,
        progress=progress,
    )


_RECIPES = {
    "shapes_resnet": _Recipe(
        model="small_resnet",
        data="shapes(train=4000, test=1000, size=32, seed=0)",
        splits=lambda: data.shapes(train=4000, test=1000, size=32, seed=0),
        train=_train_small_resnet,
    ),
}


def recipe_names() -> tuple[str, ...]:
    """The checkpoints that `reproduce` can make."""
    return tuple(_RECIPES)


def reproduce(name: str, output_dir: str | Path, *, progress: bool = True) -> dict[str, Any]:
    """Train the checkpoint `name` anew and write it, with its manifest entry, to `output_dir`.

    Returns
        path, seconds, accuracy, sha256   of the new file
        shipped_accuracy, shipped_sha256  of the one that comes with the course, None if there is none
        same_bits                         whether the two files are identical
        agrees                            whether the accuracies are within TOLERANCE (True if none is shipped)

    Raises ValueError for a name that has no recipe.
    """
    if name not in _RECIPES:
        raise ValueError(f"there is no recipe for {name!r}; there are: {', '.join(_RECIPES)}")
    recipe = _RECIPES[name]
    shipped = entries().get(name)
    started = time.perf_counter()
    with _fixed_conditions():
        network = models.build(recipe.model, **recipe.arguments)
        splits = recipe.splits()
        recipe.train(network, splits, progress)
        accuracy = evaluate(network, splits.test).accuracy
    entry = save(network, name, _describe(name, recipe, accuracy), output_dir)
    return {
        "path": Path(output_dir) / f"{name}.safetensors",
        "seconds": time.perf_counter() - started,
        "accuracy": accuracy,
        "sha256": entry.sha256,
        "shipped_accuracy": shipped.accuracy if shipped else None,
        "shipped_sha256": shipped.sha256 if shipped else None,
        "same_bits": shipped is not None and shipped.sha256 == entry.sha256,
        "agrees": shipped is None or abs(shipped.accuracy - accuracy) <= TOLERANCE,
    }


def _describe(name: str, recipe: _Recipe, accuracy: float) -> Checkpoint:
    return Checkpoint(
        model=recipe.model,
        arguments=recipe.arguments,
        data=recipe.data,
        command=f"course train {name}",
        seed=_SEED,
        threads=_THREADS,
        accuracy=accuracy,
        made_with={"python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()},
    )


@contextmanager
def _fixed_conditions() -> Iterator[None]:
    """The recipe's seed and threads; the caller's random stream and threads come back after."""
    threads = torch.get_num_threads()
    torch.set_num_threads(_THREADS)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            yield
    finally:
        torch.set_num_threads(threads)
