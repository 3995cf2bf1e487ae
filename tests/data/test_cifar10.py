"""cifar10 against a small archive in the real format: pickled batches in a tar.gz, checked by MD5."""

import functools
import hashlib
import http.server
import io
import pickle
import tarfile
import threading

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from course_lib import data

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
ROWS = 7  # photographs per batch


def _batch(number):
    """One batch as the authors' files hold it: uint8 rows of 1024 red, 1024 green, 1024 blue values."""
    generator = np.random.default_rng(number)
    return {
        "batch_label": f"batch {number}",
        "data": generator.integers(0, 256, (ROWS, 3072), dtype=np.uint8),
        "labels": generator.integers(0, 10, ROWS).tolist(),
        "filenames": [f"photograph_{i}.png" for i in range(ROWS)],
    }


@pytest.fixture
def source(tmp_path, monkeypatch):
    """An archive with small batches, which torchvision is told to expect; returns its path and the batches."""
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    batches = {name: _batch(number) for number, name in enumerate(names)}
    content = {name: pickle.dumps(batch, protocol=2) for name, batch in batches.items()}
    content["batches.meta"] = pickle.dumps({"label_names": NAMES, "num_cases_per_batch": ROWS}, protocol=2)
    archive = tmp_path / "source" / "cifar-10-python.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        for name, blob in content.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(blob)
            tar.addfile(member, io.BytesIO(blob))

    md5 = {name: hashlib.md5(blob).hexdigest() for name, blob in content.items()}
    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5[name]] for name in names[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5["batches.meta"]})
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:1/nothing-answers-here")
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return archive, batches


@pytest.fixture
def site(source, monkeypatch):
    """A web server on this machine that offers the archive's folder; returns its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(source[0].parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(CIFAR10, "url", f"{address}/cifar-10-python.tar.gz")
        yield address
        server.shutdown()


@pytest.fixture
def root(source, tmp_path):
    """A folder into which the archive was copied by hand."""
    folder = tmp_path / "by_hand"
    folder.mkdir()
    (folder / "cifar-10-python.tar.gz").write_bytes(source[0].read_bytes())
    return folder


def test_pixels_and_labels_arrive_where_they_belong(source, root):
    splits = data.cifar10(root)
    rows = np.concatenate([source[1][f"data_batch_{i}"]["data"] for i in range(1, 6)])
    assert splits.train.images.shape == (5 * ROWS, 3, 32, 32)
    assert splits.train.images.dtype == torch.float32
    # photograph 9, green, row 4, column 5, straight from the format's definition
    assert splits.train.images[9, 1, 4, 5].item() == pytest.approx(rows[9, 1024 + 4 * 32 + 5] / 255)
    expected = torch.from_numpy(rows.astype(np.float32)).reshape(-1, 3, 32, 32) / 255
    torch.testing.assert_close(splits.train.images, expected, rtol=0, atol=0)
    assert splits.test.labels.tolist() == source[1]["test_batch"]["labels"]
    assert splits.train.classes == tuple(NAMES)


def test_second_read_needs_no_archive(root):
    first = data.cifar10(root)
    (root / "cifar-10-python.tar.gz").unlink()
    again = data.cifar10(str(root))
    assert torch.equal(first.train.images, again.train.images)


def test_download_fetches_unpacks_and_reads(site, tmp_path):
    splits = data.cifar10(tmp_path / "fresh", download=True)
    assert len(splits.train) == 5 * ROWS
    assert len(splits.test) == ROWS


def test_environment_variable_and_home_are_looked_in(source, root, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="home"):
        data.cifar10()
    monkeypatch.setenv("COURSE_DATA", str(root))
    assert len(data.cifar10().test) == ROWS


def test_missing_files_say_what_to_do(source, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"download=True.*COURSE_DATA") as caught:
        data.cifar10(tmp_path / "empty")
    assert str(tmp_path / "empty") in str(caught.value)


def test_damaged_batch_is_named(root):
    data.cifar10(root)
    batch = root / "cifar-10-batches-py" / "data_batch_3"
    content = bytearray(batch.read_bytes())
    content[len(content) // 2] ^= 1
    batch.write_bytes(content)
    with pytest.raises(ValueError, match=r"data_batch_3 is damaged.*delete the folder"):
        data.cifar10(root)


def test_damaged_archive_is_named_and_not_unpacked(root):
    archive = root / "cifar-10-python.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"tar\.gz is damaged.*delete it"):
        data.cifar10(root)
    assert not (root / "cifar-10-batches-py").exists()


def test_half_unpacked_folder_is_completed_from_the_archive(root):
    data.cifar10(root)
    (root / "cifar-10-batches-py" / "data_batch_2").unlink()
    assert len(data.cifar10(root).train) == 5 * ROWS


@pytest.mark.parametrize("offered", ["nothing.tar.gz", "wrong.tar.gz"])
def test_failed_download_says_so_and_leaves_no_archive(source, site, tmp_path, monkeypatch, offered):
    (source[0].parent / "wrong.tar.gz").write_bytes(b"not an archive")
    monkeypatch.setattr(CIFAR10, "url", f"{site}/{offered}")
    with pytest.raises(ConnectionError, match=r"could not be fetched from http.*COURSE_DATA"):
        data.cifar10(tmp_path / "fresh", download=True)
    assert not (tmp_path / "fresh" / "cifar-10-python.tar.gz").exists()


def test_no_network_says_so(source, tmp_path):
    with pytest.raises(ConnectionError, match="could not be fetched"):
        data.cifar10(tmp_path / "fresh", download=True)


def test_published_checksums_are_those_torchvision_ships():
    assert CIFAR10.tgz_md5 == "c58f30108f718f92721af3b95e74349a"  # on the authors' page
