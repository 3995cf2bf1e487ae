"""From a family to a printed table and a result file: check, measure the limits, time, compare."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness import limits
from benchmarks.harness.case import Case, Contender, Family, Medians
from benchmarks.harness.correctness import Verdict, check
from benchmarks.harness.machine import describe, device_slug
from benchmarks.harness.result import RESULTS, add_ratios, save, table
from course_lib.measure.sampler import Sampler, copies_needed, interleave

__all__ = ["run"]


def run(family: Family, arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the benchmark as the command line asks (`--help` says how) and return the document it saved."""
    chosen = _parse(family, arguments)
    device = torch.device(chosen.device)
    torch.backends.cuda.matmul.allow_tf32 = False  # a float32 peer computes in float32
    torch.backends.cudnn.allow_tf32 = False
    document = {
        "family": family.name,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "quick": chosen.quick,
        "machine": describe(device),
        "checks": _check_all(family, device, chosen.quick),
    }
    print(f"{family.name}: all of ours are right in {len(document['checks'])} comparisons with float64", flush=True)
    path = Path(chosen.output) if chosen.output else RESULTS / f"{family.name}-{device_slug(device)}.json"
    keep = bool(chosen.output) or not (chosen.quick or chosen.only)
    for _ in _measure(family, device, chosen, document):
        if keep:
            save(document, path)  # after every case: a run that is cut short leaves what it has
    _report(document)
    if keep:
        print(f"saved as {path}")
    return document


def _report(document: dict[str, Any]) -> None:
    print(f"\n{table(document['rows'])}")
    print("* ours; of limit = limit / median; vs best peer: above 1x is faster than every peer")
    for prediction in document["predictions"]:
        print(f"predicted: {prediction['claim']}; measured {prediction['measured']:.3g}: {prediction['verdict']}")


def _parse(family: Family, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"benchmarks.{family.name}", description=f"Time {family.name} beside its peers."
    )
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=("cuda", "cpu"), default=default)
    parser.add_argument("--quick", action="store_true", help="few cases and samples; saved only with --output")
    parser.add_argument("--samples", type=int, help="timed samples per contender (30, quick 7)")
    parser.add_argument("--only", default="", help="time only cases whose name contains this; saved only with --output")
    parser.add_argument("--output", help="where the JSON goes")
    chosen = parser.parse_args(arguments)
    if chosen.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: torch sees no GPU here; leave the option out or say --device cpu")
    chosen.samples = chosen.samples or (7 if chosen.quick else 30)
    if chosen.samples < 2:
        parser.error("--samples must be 2 or more: quartiles of one sample say nothing")
    return chosen


def _check_all(family: Family, device: torch.device, quick: bool) -> list[Verdict]:
    verdicts = []
    for case in family.checks(device, quick):
        inputs = case.make(0)
        oracle = case.oracle(inputs)
        verdicts += [check(case, contender, inputs, oracle) for contender in family.contenders(device, case)]
    return verdicts


def _measure(
    family: Family, device: torch.device, chosen: argparse.Namespace, document: dict[str, Any]
) -> Iterator[None]:
    """Fill the document with limits, rows and predictions; yields after every case."""
    cases = [case for case in family.cases(device, chosen.quick) if chosen.only in case.name]
    bandwidth = limits.bandwidth(device)
    peaks = {name: limits.peak(device, name) for name in sorted({case.arithmetic for case in cases})}
    rows: list[dict[str, Any]] = []
    document |= {"bytes_per_second": bandwidth, "operations_per_second": peaks, "rows": rows, "predictions": []}
    rates = [f"{name} {rate / 1e12:.3g} T operations/s" for name, rate in peaks.items()]
    print(f"measured limits: memory {bandwidth / 1e9:.4g} GB/s, {', '.join(rates)}", flush=True)
    for done, case in enumerate(cases, 1):
        limit = limits.limit_seconds(case, bandwidth, peaks[case.arithmetic])
        rows += _measure_case(case, family.contenders(device, case), device, limit, chosen.samples)
        document["predictions"] = _compare(family, rows)
        print(f"{done}/{len(cases)} {case.name}", flush=True)
        yield


def _measure_case(
    case: Case, contenders: Sequence[Contender], device: torch.device, limit: float, samples: int
) -> list[dict[str, Any]]:
    inputs = [case.make(seed) for seed in range(copies_needed(device, case.bytes))]
    oracle = case.oracle(inputs[0])
    rows, samplers = [], []
    for contender in contenders:
        row = {**check(case, contender, inputs[0], oracle), "ours": contender.ours}
        row |= {"parameters": dict(case.parameters), "limit_seconds": limit}
        rows.append(row)
        if row.get("correct"):
            samplers.append((row, Sampler(device, [contender.prepare(each) for each in inputs])))
    interleave([sampler for _, sampler in samplers], samples)
    for row, sampler in samplers:
        timing = sampler.timing()
        seconds = {"median": timing.median, "low": timing.low, "high": timing.high, "samples": timing.runs}
        row |= {"seconds": seconds, "fraction_of_limit": limit / timing.median}
    add_ratios(rows)
    return rows


def _compare(family: Family, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    medians: Medians = {(row["case"], row["contender"]): row["seconds"]["median"] for row in rows if "seconds" in row}
    compared = []
    for prediction in family.predictions:
        try:
            measured = prediction.ratio(medians)
        except KeyError:
            continue
        verdict = "held" if prediction.low <= measured <= prediction.high else "did not hold"
        compared.append({"claim": prediction.claim, "measured": measured, "verdict": verdict})
    return compared
