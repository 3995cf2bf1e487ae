import ast
import json
import random
from pathlib import Path

import pytest
import torch

from course_lib import data


@pytest.fixture(scope="module")
def splits():
    return data.code_text()


def test_is_the_library_that_runs(splits):
    """The source of modules we know, as bytes, in the part that lists them."""
    for module in (json.decoder, random, ast):
        source = Path(module.__file__).read_bytes()
        name = module.__name__.partition(".")[0]
        part = splits.train if name in splits.train.modules else splits.test
        assert source in bytes(part.tokens.numpy())


def test_bytes(splits):
    for part in (splits.train, splits.test):
        assert part.tokens.dtype == torch.uint8
        assert part.tokens.ndim == 1
        assert len(part) > 300_000
    assert len(splits.train) > len(splits.test)


def test_no_module_is_in_both(splits):
    assert set(splits.train.modules).isdisjoint(splits.test.modules)
    assert len(splits.train.modules) > 100
    assert len(splits.test.modules) > 8
    assert list(splits.train.modules) == sorted(splits.train.modules)


def test_leaves_out_tests_tables_and_other_peoples_packages(splits):
    assert {"test", "site-packages", "encodings", "pydoc_data"}.isdisjoint(splits.train.modules + splits.test.modules)
    assert b"Internal tables of the BIG5" not in bytes(splits.train.tokens.numpy())


@pytest.fixture
def small(tmp_path):
    """A library of 40 modules, one of them a package with a test, a table and a nested file."""
    for i in range(40):
        (tmp_path / f"m{i:02}.py").write_bytes(f"x{i} = 1\r\n".encode())
    package = tmp_path / "m40"
    for name in ("__init__", "inner/deep", "test/secret", "__pycache__/cached"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / f"{name}.py").write_text(f"# m40 {name}\n")
    return tmp_path


def test_a_package_stays_together_without_its_tests(small):
    splits = data.code_text(folder=small)
    [part] = [part for part in (splits.train, splits.test) if "m40" in part.modules]
    assert part.decode().count("# m40") == 2
    assert "secret" not in part.decode() and "cached" not in part.decode()
    assert "\r" not in part.decode()
    assert part.decode().index("m40 __init__") < part.decode().index("m40 inner/deep")


def test_a_modules_part_does_not_depend_on_the_others(small):
    before = data.code_text(0.3, small)
    (small / "a_new_module.py").write_text("pass\n")
    after = data.code_text(0.3, small)
    assert set(before.test.modules) <= set(after.test.modules)
    assert set(before.train.modules) <= set(after.train.modules)


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_share(small, share):
    splits = data.code_text(share, small)
    assert abs(len(splits.test.modules) / 41 - share) < 0.2
    assert len(splits.test.modules) + len(splits.train.modules) == 41


def test_windows_are_stretches_of_the_text(splits):
    windows = splits.test.windows(5, 40, torch.Generator().manual_seed(0))
    assert windows.shape == (5, 40)
    assert windows.dtype == torch.uint8
    text = bytes(splits.test.tokens.numpy())
    assert all(bytes(window.numpy()) in text for window in windows)
    assert len({bytes(window.numpy()) for window in windows}) == 5
    again = splits.test.windows(5, 40, torch.Generator().manual_seed(0))
    assert torch.equal(windows, again)


def test_windows_reach_both_ends_and_no_further():
    text = data.Text(torch.arange(4, dtype=torch.uint8), ("m",))
    windows = text.windows(200, 3, torch.Generator().manual_seed(0))
    assert sorted(set(map(tuple, windows.tolist()))) == [(0, 1, 2), (1, 2, 3)]
    assert text.windows(2, 4, torch.Generator()).tolist() == [[0, 1, 2, 3]] * 2
    for length in (0, 5):
        with pytest.raises(ValueError, match=f"between 1 and the text's 4 bytes, not {length}"):
            text.windows(1, length, torch.Generator())


def test_take_and_decode():
    text = data.Text(torch.tensor(list("naïve".encode()), dtype=torch.uint8), ("m",))
    assert text.decode() == "naïve"
    assert text.take(3).decode() == "na\ufffd"  # cut inside a letter
    assert text.decode(torch.tensor([104, 105])) == "hi"
    assert repr(text) == "6 bytes of 1 modules"


def test_a_folder_without_source_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"found no Python source in .*pass folder="):
        data.code_text(folder=tmp_path)


def test_share_out_of_range():
    with pytest.raises(ValueError, match="between 0 and 1, not 2"):
        data.code_text(test_share=2)
