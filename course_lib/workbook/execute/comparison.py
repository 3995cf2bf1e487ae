"""A run beside the ones before it: newly broken, fixed, drifted, slower, gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from course_lib.workbook.execute.document import Difference, Entry, Kind, Metric, RunDocument
from course_lib.workbook.execute.history import History

__all__ = ["KINDS", "differences"]

# faults first; what has moved or is slower is worth a look, and no fault
KINDS: dict[Kind, str] = {
    "gone": "notebooks that are gone",
    "vanished": "metrics that have vanished",
    "broken": "newly broken",
    "fixed": "fixed",
    "drifted": "metrics that have moved",
    "slower": "slower than before",
}

# How many of the last values say what is usual.
USUAL_RUNS = 20
# A metric has moved when it leaves all usual values behind by half their range, and by this share of its band.
RANGE_SHARE, BAND_SHARE = 0.5, 0.05
# What a clock measured scatters: it says nothing before there are so many values.
TIMED_RUNS = 5
# A notebook is slower when it takes longer than in each of at least so many runs, by this factor and by seconds.
RUNS_FOR_TIME, SLOWER_FACTOR, SLOWER_SECONDS = 3, 1.2, 3.0


def differences(run: RunDocument, history: History, *, accept_removed: bool = False) -> list[Difference]:
    """What is not as it was, faults first. `history` ends before this run."""
    found = [*_gone(run, history, accept_removed)]
    for entry in run["results"]:
        earlier = history.of(entry["notebook"], entry["part"])
        found += _vanished(entry)
        if earlier:
            found += _verdict(entry, earlier[-1][1])
            found += _drifted(entry, _on_this_machine(run, earlier))
            found += _slower(run, entry, _on_this_machine(run, earlier))
    order = list(KINDS)
    return sorted(found, key=lambda difference: order.index(difference["kind"]))


def _gone(run: RunDocument, history: History, accepted: bool) -> Iterator[Difference]:
    before = history.last_whole()
    if not run["whole"] or before is None or accepted:
        return
    present = {name["notebook"] for name in [*run["results"], *run["unchanged"]]}
    asked = [name for name in [*before["results"], *before["unchanged"]] if name["part"] in run["settings"]["parts"]]
    for name in dict.fromkeys(name["notebook"] for name in asked):
        if name not in present:
            text = f"it was in the run of {before['finished'][:10]}; if that is meant: course run --accept-removed"
            yield Difference(kind="gone", notebook=name, part="", text=text)


def _vanished(entry: Entry) -> Iterator[Difference]:
    for problem in entry["problems"]:
        if problem["kind"] == "vanished":
            yield _difference("vanished", entry, problem["summary"])


def _verdict(entry: Entry, before: Entry) -> Iterator[Difference]:
    if entry["status"] == before["status"]:
        return
    if entry["status"] == "ok":
        yield _difference("fixed", entry, f"it failed the last time: {before['problems'][0]['summary']}")
    else:
        others = [problem for problem in entry["problems"] if problem["kind"] != "vanished"]
        yield from (_difference("broken", entry, problem["summary"]) for problem in others[:1])


def _drifted(entry: Entry, earlier: Sequence[Entry]) -> Iterator[Difference]:
    for metric in entry["metrics"]:
        value = metric["value"]
        values = [
            past["value"]
            for one in earlier
            for past in one["metrics"]
            if past["name"] == metric["name"] and past["value"] is not None
        ]
        if value is None or len(values) < (TIMED_RUNS if metric["timed"] else 1):
            continue
        low, high = min(values), max(values)
        beyond = max(low - value, value - high)
        if beyond > max(RANGE_SHARE * (high - low), BAND_SHARE * _unit(metric, median(values))):
            usual = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
            runs = f"{len(values)} run{'s' if len(values) > 1 else ''}"
            yield _difference("drifted", entry, f"{metric['name']} = {value:.4g}; {usual} in {runs} before")


def _unit(metric: Metric, usual: float) -> float:
    """What a move is measured against: the band's width, the way to its one side, or the value itself."""
    low, high = metric["low"], metric["high"]
    if low is not None and high is not None:
        return high - low
    side = low if low is not None else high
    return abs(usual - side) if side is not None else abs(usual)


def _slower(run: RunDocument, entry: Entry, earlier: Sequence[Entry]) -> Iterator[Difference]:
    times = [one["seconds"] for one in earlier]
    if run["busy"] or entry["status"] != "ok" or len(times) < RUNS_FOR_TIME:
        return
    if entry["seconds"] > max(max(times) * SLOWER_FACTOR, max(times) + SLOWER_SECONDS):
        text = f"{entry['seconds']:.1f} s; at most {max(times):.1f} s in {len(times)} runs before"
        yield _difference("slower", entry, text)


def _on_this_machine(run: RunDocument, earlier: Sequence[tuple[RunDocument, Entry]]) -> list[Entry]:
    """The newest passed executions on a machine like this one, as many beside each other: what is usual here."""
    same = [
        entry
        for other, entry in earlier
        if entry["status"] == "ok"
        and other["settings"]["jobs"] == run["settings"]["jobs"]
        and other["machine"]["processor"] == run["machine"]["processor"]
        and other["machine"]["cores"] == run["machine"]["cores"]
    ]
    return same[-USUAL_RUNS:]


def _difference(kind: Kind, entry: Entry, text: str) -> Difference:
    return Difference(kind=kind, notebook=entry["notebook"], part=entry["part"], text=text)
