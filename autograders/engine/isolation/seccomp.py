"""A system call filter for the sandbox, in the kernel's own BPF: what no notebook needs is refused.

It closes what namespaces leave open: sockets of other families than Unix (a virtual machine's vsock passes through a
network namespace), new namespaces, key rings, mounting, tracing, io_uring, and a choice of processors.
Denied calls fail with EPERM, so honest programs go on.
"""

from __future__ import annotations

import errno
import platform
import struct

__all__ = ["filter_program", "is_supported"]

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# name: (x86_64, aarch64)
_DENIED = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "syslog": (103, 116),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "ioprio_set": (251, 30),
    "shmget": (29, 194),  # System V memory and files without a folder escape the caps on tmpfs
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "msgget": (68, 186),  # what would outlive the processes of a notebook
    "semget": (64, 190),
    "mq_open": (240, 180),
}
_CLONE, _CLONE3, _SOCKET, _IOCTL = (56, 220), (435, 435), (41, 198), (16, 29)
_NEW_NAMESPACES = 0x7E020000 | 0x80  # CLONE_NEW*
_AF_UNIX = 1
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # typing into somebody else's terminal

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16  # offsets in struct seccomp_data
_X32_BIT = 0x40000000


def is_supported(machine: str | None = None) -> bool:
    return (machine or platform.machine()) in _AUDIT_ARCH


def filter_program(machine: str | None = None) -> bytes:
    """The filter as an array of struct sock_filter, for `bwrap --seccomp`. Raises KeyError for an unknown machine."""
    machine = machine or platform.machine()
    column = list(_AUDIT_ARCH).index(machine)
    program = [
        _op(_LOAD, _ARCH_AT),
        _op(_JUMP_EQUAL, _AUDIT_ARCH[machine], 1, 0),
        _op(_RETURN, _KILL),
        _op(_LOAD, _NUMBER_AT),
    ]
    if machine == "x86_64":
        program += [_op(_JUMP_AT_LEAST, _X32_BIT, 0, 1), _op(_RETURN, _KILL)]
    for numbers in _DENIED.values():
        program += _deny(numbers[column], errno.EPERM)
    # without clone3, whose flags lie in memory that a filter cannot read, the C library falls back to clone
    program += _deny(_CLONE3[column], errno.ENOSYS)
    program += _on_argument(_CLONE[column], 0, [_op(_JUMP_SET, _NEW_NAMESPACES, 0, 1)], errno.EPERM)
    program += _on_argument(_SOCKET[column], 0, [_op(_JUMP_EQUAL, _AF_UNIX, 1, 0)], errno.EAFNOSUPPORT)
    terminal = [_op(_JUMP_EQUAL, _TIOCSTI, 1, 0), _op(_JUMP_EQUAL, _TIOCLINUX, 0, 1)]
    program += _on_argument(_IOCTL[column], 1, terminal, errno.EPERM)
    program.append(_op(_RETURN, _ALLOW))
    return b"".join(program)


def _deny(number: int, code: int) -> list[bytes]:
    return [_op(_JUMP_EQUAL, number, 0, 1), _op(_RETURN, _ERRNO | code)]


def _on_argument(number: int, argument: int, test: list[bytes], code: int) -> list[bytes]:
    """If the call is `number`: load an argument's low half and let `test` fall into, or jump one over, the refusal."""
    body = [_op(_LOAD, _ARGUMENTS_AT + 8 * argument), *test, _op(_RETURN, _ERRNO | code), _op(_RETURN, _ALLOW)]
    return [_op(_JUMP_EQUAL, number, 0, len(body)), *body]


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
