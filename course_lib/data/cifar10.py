"""CIFAR-10: 60,000 small photographs in ten classes (Krizhevsky, 2009), read through torchvision."""

from __future__ import annotations

import http.client
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from course_lib.data.labelled import Labelled, Splits

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10

__all__ = ["cifar10"]

_REMEDY = (
    "call data.cifar10(download=True) where there is a network, or copy cifar-10-python.tar.gz into a folder "
    "and pass it as root= or in the environment variable COURSE_DATA"
)


def cifar10(root: str | Path | None = None, download: bool = False) -> Splits:
    """50,000 photographs to train on and 10,000 to test on, float32 [N, 3, 32, 32] from 0 to 1 (740 MB of memory).

    root  the folder that holds `cifar-10-batches-py` or `cifar-10-python.tar.gz`; None takes the environment variable
        COURSE_DATA, else ~/.cache/small-fast-networks.
    download  fetch the archive (170 MB) if neither is there.

    Labels are indices into ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck").

    Raises FileNotFoundError if the files are missing and download is False, ValueError if a file is damaged,
    ConnectionError if the download fails.
    """
    folder = Path(root or os.environ.get("COURSE_DATA") or Path.home() / ".cache" / "small-fast-networks").expanduser()
    if not _unpacked(folder):
        _fetch(folder, download)
    _verify(folder)
    from torchvision.datasets import CIFAR10

    return Splits(_read(CIFAR10(folder, train=True)), _read(CIFAR10(folder, train=False)))


def _unpacked(folder: Path) -> bool:
    return all(path.exists() for path in _batches(folder))


def _batches(folder: Path) -> dict[Path, str]:
    """The files that torchvision reads, with their MD5."""
    from torchvision.datasets import CIFAR10

    entries = [*CIFAR10.train_list, *CIFAR10.test_list, (CIFAR10.meta["filename"], CIFAR10.meta["md5"])]
    return {folder / CIFAR10.base_folder / name: md5 for name, md5 in entries}


def _fetch(folder: Path, download: bool) -> None:
    """Unpack the archive in the folder; download it first if it is not there and that is allowed."""
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity, download_url, extract_archive

    archive = folder / CIFAR10.filename
    if not archive.exists():
        if not download:
            raise FileNotFoundError(f"CIFAR-10 is not in {folder}; {_REMEDY}. The other data sets need no download.")
        try:
            download_url(CIFAR10.url, str(folder), CIFAR10.filename, CIFAR10.tgz_md5)
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            archive.unlink(missing_ok=True)
            raise ConnectionError(f"CIFAR-10 could not be fetched from {CIFAR10.url}: {error}; {_REMEDY}") from error
    if not check_integrity(archive, CIFAR10.tgz_md5):
        raise ValueError(f"{archive} is damaged (its MD5 is not {CIFAR10.tgz_md5}); delete it, then {_REMEDY}")
    extract_archive(str(archive), str(folder))


def _verify(folder: Path) -> None:
    from torchvision.datasets.utils import check_integrity

    for path, md5 in _batches(folder).items():
        if not check_integrity(path, md5):
            state = "is damaged (its MD5 is wrong)" if path.exists() else "is missing"
            raise ValueError(f"{path} {state}; delete the folder {path.parent}, then {_REMEDY}")


def _read(photographs: CIFAR10) -> Labelled:
    images = np.ascontiguousarray(photographs.data.transpose(0, 3, 1, 2))
    return Labelled(
        torch.from_numpy(images).float().div_(255), torch.tensor(photographs.targets), tuple(photographs.classes)
    )
