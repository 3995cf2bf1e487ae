"""Each kind of incident in words a student can act on."""

from __future__ import annotations

from collections.abc import Callable

from course_lib.cuda.calling.arrays import Array
from course_lib.cuda.calling.bound_launch import BoundLaunch
from course_lib.cuda.watching.incident import Incident
from course_lib.cuda.watching.report import Finding, Place

__all__ = ["array_called", "in_words"]

# what a race's first and second access did
RACES = {
    "write-read": ("writes", "reads"),
    "read-write": ("reads", "writes"),
    "write-write": ("writes", "writes"),
}


def in_words(incident: Incident, launch: BoundLaunch) -> Finding:
    """The finding that an incident is."""
    return WORDS.get(incident.kind, _pointer)(incident, launch)


def array_called(name: str, launch: BoundLaunch) -> Array | None:
    """The array argument of this name; None for a shared variable, and for several arrays that overlap."""
    return next((each.array for each in launch.arguments if each.array and each.parameter.name == name), None)


def _array(incident: Incident, launch: BoundLaunch) -> Array | None:
    return array_called(incident.name, launch) if incident.where == "argument" else None


def _element(incident: Incident, launch: BoundLaunch) -> tuple[int, str]:
    """(index, description) of the place in memory."""
    name, offset, size = incident.name, incident.offset, incident.size
    array = _array(incident, launch)
    if array is not None:
        return offset // array.itemsize, f"{name}[{offset // array.itemsize}]"
    whole = size > 0 and offset % size == 0
    index = offset // size if whole else offset
    if incident.total <= size:
        return index, name
    return index, f"{name}[{index}]" if whole else f"byte {offset} of {name}"


def _out_of_bounds(incident: Incident, launch: BoundLaunch) -> Finding:
    name, offset, total, verb = incident.name, incident.offset, incident.total, incident.details
    array = _array(incident, launch)
    step = array.itemsize if array is not None else incident.size or 1
    index = offset // step
    if incident.where == "dynamic" and total == 0:
        what = f"{name}, extern __shared__ memory, of which the launch gave none (shared_mem=0)"
    elif incident.where == "dynamic":
        what = f"byte {offset} of {name}, which has the {total} bytes that the launch gave (shared_mem={total})"
    elif array is not None and total == 0:
        what = f"{name}[{index}]; {name} is empty"
    elif array is not None:
        what = f"{name}[{index}]; {name} has {total // step} elements, 0 to {total // step - 1}"
    elif incident.where == "shared":
        what = f"byte {offset} of {name}, a shared variable of {total} bytes (element {index} of {total // step})"
    else:
        what = f"byte {offset} of {name}, which has {total} bytes"
    return Finding(f"out-of-bounds {verb}", f"{incident.place}\n{verb}s {what}.", name, index, incident.place)


def _race(incident: Incident, launch: BoundLaunch) -> Finding:
    index, what = _element(incident, launch)
    place, other = incident.place, incident.other or Place()
    first, second = RACES[incident.details]
    if place.block != other.block:
        remedy = "blocks run in any order, and no atomic orders these two"
    elif _in_one_warp(place, other, launch):
        remedy = "no __syncthreads() (or, within a warp, __syncwarp()) between them"
    else:
        remedy = "no __syncthreads() between them"
    message = f"{other}\n{first} {what}, and\n{place}\n{second} it: {remedy}."
    return Finding("race", message, incident.name, index, place, other)


def _in_one_warp(one: Place, other: Place, launch: BoundLaunch) -> bool:
    if one.thread is None or other.thread is None:
        return False
    return launch.warp_of(one.thread) == launch.warp_of(other.thread)


def _in_flight(incident: Incident, launch: BoundLaunch) -> Finding:
    index, what = _element(incident, launch)
    message = f"{incident.place}\nreads {what} while the cp.async that fills it is still on its way; wait for it first."
    return Finding("race", message, incident.name, index, incident.place, incident.other)


def _uninitialised(incident: Incident, launch: BoundLaunch) -> Finding:
    index, what = _element(incident, launch)
    message = f"{incident.place}\nreads {what}, which no thread of the block has written."
    return Finding("uninitialised shared memory", message, incident.name, index, incident.place)


def _misaligned(incident: Incident, launch: BoundLaunch) -> Finding:
    index, what = _element(incident, launch)
    size = incident.size
    message = (
        f"{incident.place}\n{incident.details}s {size} bytes at {what}, at an address that is not a multiple of {size}."
    )
    return Finding("misaligned access", message, incident.name, index, incident.place)


def _divergence(incident: Incident, launch: BoundLaunch) -> Finding:
    place, other = incident.place, incident.other or Place()
    if incident.details == "returned":
        rest = (
            f"{incident.offset} of the block's {launch.threads} threads, {_who(other)} for one, have returned and "
            "never reach it."
        )
    elif incident.details == "other barrier":
        rest = f"{other}\nwaits at another one. All threads of a block must reach the same barrier."
    elif incident.details == "warp function":
        rest = f"{other}\nwaits for its warp there: neither can go on."
    else:
        return Finding("deadlock", f"{place}\nwaits for lanes of its warp that never come.", place=place)
    return Finding("barrier divergence", f"{place}\nwaits at a barrier, but {rest}", place=place, other=other)


def _undefined_lane(incident: Incident, launch: BoundLaunch) -> Finding:
    lane = incident.offset % 32
    what = f"takes the value of lane {lane}, which does not take part: the value is undefined."
    return Finding("undefined lane", f"{incident.place}\n{incident.details} {what}", place=incident.place)


def _pointer(incident: Incident, launch: BoundLaunch) -> Finding:
    place, verb = incident.place, incident.details
    if incident.kind == "foreign local":
        whose = _who(incident.other or Place())
        message = f"{place}\n{verb}s a local variable of {whose}: threads cannot see each other's."
    elif incident.kind == "null":
        message = f"{place}\n{verb}s through a null pointer."
    else:
        address = f"{incident.offset:#x}"
        message = f"{place}\n{verb}s {incident.size} bytes at {address}, which belongs to none of the arrays."
    return Finding("invalid pointer", message, place=place)


def _who(place: Place) -> str:
    return f"thread {place.thread}" if place.thread is not None else "another thread"


WORDS: dict[str, Callable[[Incident, BoundLaunch], Finding]] = {
    "out of bounds": _out_of_bounds,
    "race": _race,
    "in flight": _in_flight,
    "uninitialised": _uninitialised,
    "misaligned": _misaligned,
    "divergence": _divergence,
    "undefined lane": _undefined_lane,
}
