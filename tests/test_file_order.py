"""The order of test files, on items made up for it."""

from __future__ import annotations

from types import SimpleNamespace

from tests.file_order import ROOT, longest_first, times_of_the_last_run


def ordered(times, *files):
    """The files' names in order; those that end in an exclamation mark are marked slow."""
    items = [
        SimpleNamespace(
            path=ROOT / name.rstrip("!"), number=number, get_closest_marker=lambda mark, name=name: name[-1] == "!"
        )
        for name in files
        for number in range(2)
    ]
    longest_first(items, times)
    assert [item.number for item in items] == [0, 1] * len(files), "tests of a file stay together and in order"
    return [item.path.name for item in items[::2]]


def test_timed_files_come_by_their_time():
    assert ordered({"a": 1, "b": 9, "c": 3}, "a", "b", "c") == ["b", "c", "a"]


def test_without_times_slow_files_come_first_and_the_rest_as_it_was():
    assert ordered({}, "a", "b!", "c", "d!") == ["b", "d", "a", "c"]


def test_a_slow_file_that_was_timed_is_no_longer_taken_to_be_slow():
    assert ordered({"a!": 0, "b": 70, "c": 2, "a": 1}, "a!", "b", "c", "d!") == ["b", "d", "c", "a"]


def test_no_run_yet_or_half_a_file_is_no_fault(tmp_path):
    assert times_of_the_last_run(tmp_path) == {}
    (tmp_path / "build/test").mkdir(parents=True)
    (tmp_path / "build/test/seconds.json").write_text('{"a": 1')
    assert times_of_the_last_run(tmp_path) == {}
