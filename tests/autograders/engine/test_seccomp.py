"""The system call filter, run by a small interpreter of the kernel's BPF: the oracle is the list of what is refused."""

from __future__ import annotations

import errno
import struct

import pytest

from autograders.engine.isolation import seccomp

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000


def decide(machine, number, arguments=(0, 0), arch=None):
    """What the filter returns for one call."""
    data = struct.pack("<iIQ", number, arch or ARCH[machine], 0) + struct.pack("<6Q", *arguments, *[0] * 4)
    program = seccomp.filter_program(machine)
    steps = [struct.unpack_from("=HBBI", program, place) for place in range(0, len(program), 8)]
    at = accumulator = 0
    while True:
        code, if_true, if_false, value = steps[at]
        at += 1
        if code == 0x20:
            [accumulator] = struct.unpack_from("<I", data, value)
        elif code == 0x06:
            return value
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: accumulator & value != 0}[code]
            at += if_true if holds else if_false


@pytest.mark.parametrize("machine", ARCH)
def test_every_denied_call_is_refused_and_its_neighbours_are_not(machine):
    column = list(ARCH).index(machine)
    special = {seccomp._CLONE[column], seccomp._CLONE3[column], seccomp._SOCKET[column], seccomp._IOCTL[column]}
    denied = {numbers[column] for numbers in seccomp._DENIED.values()}
    for number in range(600):
        if number in denied:
            assert decide(machine, number) == REFUSE | errno.EPERM
        elif number not in special:
            assert decide(machine, number) == ALLOW
    assert decide(machine, seccomp._CLONE3[column]) == REFUSE | errno.ENOSYS


@pytest.mark.parametrize("machine", ARCH)
def test_clone_makes_threads_and_processes_but_no_namespaces(machine):
    number = seccomp._CLONE[list(ARCH).index(machine)]
    thread, fork = 0x3D0F00, 0x01200011
    assert decide(machine, number, (thread, 0)) == decide(machine, number, (fork, 0)) == ALLOW
    for flag in (0x10000000, 0x20000000, 0x40000000, 0x00020000, 0x04000000, 0x08000000, 0x02000000, 0x80):
        assert decide(machine, number, (flag | 17, 0)) == REFUSE | errno.EPERM


@pytest.mark.parametrize("machine", ARCH)
def test_sockets_are_unix_sockets(machine):
    number = seccomp._SOCKET[list(ARCH).index(machine)]
    assert decide(machine, number, (1, 1)) == ALLOW
    for family in (0, 2, 10, 16, 17, 38, 40):  # inet, inet6, netlink, packet, alg, vsock
        assert decide(machine, number, (family, 1)) == REFUSE | errno.EAFNOSUPPORT


def test_another_machines_calls_kill():
    assert decide("x86_64", 0, arch=0x40000003) == KILL  # 32-bit x86, whose numbers mean other calls
    assert decide("x86_64", 0x40000000 + 1) == KILL  # x32


def test_terminals_cannot_be_typed_into():
    assert decide("x86_64", 16, (0, 0x5412)) == decide("x86_64", 16, (0, 0x541C)) == REFUSE | errno.EPERM
    assert decide("x86_64", 16, (0, 0x5401)) == ALLOW
