from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from course_lib import machine


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """A computer that is nothing but files: `fake("sys/fs/cgroup/cpu.max", "150000 100000")`."""
    monkeypatch.setattr(machine, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "_SYS", tmp_path / "sys")
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    machine.cpu_name.cache_clear()
    machine.cache_bytes.cache_clear()

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    yield write
    machine.cpu_name.cache_clear()
    machine.cache_bytes.cache_clear()


class TestUsableCores:
    @pytest.mark.skipif(not shutil.which("taskset"), reason="no taskset")
    def test_affinity(self):
        code = "from course_lib.machine import usable_cores; print(usable_cores())"
        core = str(min(os.sched_getaffinity(0)))
        asked = subprocess.run(["taskset", "-c", core, sys.executable, "-c", code], capture_output=True, text=True)
        assert asked.stdout.strip() == "1"

    def test_without_control_groups_the_cores_it_may_run_on(self, fake):
        assert machine.usable_cores() == 8

    def test_without_affinity_the_machine_s(self, fake, monkeypatch):
        monkeypatch.delattr(machine.os, "sched_getaffinity")
        monkeypatch.setattr(machine.os, "cpu_count", lambda: 3)
        assert machine.usable_cores() == 3

    @pytest.mark.parametrize(
        ("stated", "cores"),
        [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1), ("5000000 100000", 8)],
    )
    def test_version_2(self, fake, stated, cores):
        fake("proc/self/cgroup", "0::/\n")
        fake("sys/fs/cgroup/cpu.max", f"{stated}\n")
        assert machine.usable_cores() == cores

    def test_the_tightest_group_on_the_way_up_counts(self, fake):
        fake("proc/self/cgroup", "0::/user.slice/one.scope\n")
        fake("sys/fs/cgroup/user.slice/cpu.max", "300000 100000\n")
        fake("sys/fs/cgroup/user.slice/one.scope/cpu.max", "max 100000\n")
        assert machine.usable_cores() == 3
        fake("sys/fs/cgroup/user.slice/one.scope/cpu.max", "50000 25000\n")
        assert machine.usable_cores() == 2

    @pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("400000", 4), ("350000", 4)])
    def test_version_1(self, fake, quota, cores):
        fake("proc/self/cgroup", "9:memory:/\n4:cpu,cpuacct:/docker/0123\n0::/\n")
        fake("sys/fs/cgroup/cpu/cpu.cfs_quota_us", f"{quota}\n")  # the group's name is the host's
        fake("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
        assert machine.usable_cores() == cores

    def test_unreadable_limits_are_none(self, fake):
        fake("proc/self/cgroup", "0::/\n")
        fake("sys/fs/cgroup/cpu.max", "nonsense\n")
        assert machine.usable_cores() == 8


class TestProcessor:
    def test_linux_on_x86(self, fake):
        fake("proc/cpuinfo", "processor : 0\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2\n")
        assert machine.cpu_name() == "AMD EPYC"
        assert machine.cpu_flags() == "fpu avx2"
        assert machine.vector_units() == ["AVX2"]

    def test_linux_on_arm(self, fake, monkeypatch):
        fake("proc/cpuinfo", "processor : 0\nFeatures\t: fp asimd asimddp\nCPU part\t: 0xd0c\n")
        listed = "Architecture:  aarch64\nVendor ID:  ARM\n  Model name:  Neoverse-N1\n"
        monkeypatch.setattr(machine.sys, "platform", "linux")
        monkeypatch.setattr(machine, "run", lambda *command: subprocess.CompletedProcess(command, 0, listed, ""))
        assert machine.cpu_name() == "Neoverse-N1"
        assert machine.vector_units() == ["NEON", "NEON dot product"]

    def test_mac(self, fake, monkeypatch):
        answers = {"machdep.cpu.brand_string": "Apple M2\n", "hw.optional.arm.FEAT_DotProd": "1\n"}
        monkeypatch.setattr(machine.sys, "platform", "darwin")
        monkeypatch.setattr(
            machine, "run", lambda *command: subprocess.CompletedProcess(command, 0, answers.get(command[-1], ""), "")
        )
        assert machine.cpu_name() == "Apple M2"
        assert machine.vector_units() == ["NEON dot product"]

    def test_anything_else_has_at_least_an_architecture(self, fake, monkeypatch):
        monkeypatch.setattr(machine.sys, "platform", "win32")
        monkeypatch.setattr(machine.platform, "processor", lambda: "")
        monkeypatch.setattr(machine.platform, "machine", lambda: "AMD64")
        assert machine.cpu_name() == "AMD64"
        assert machine.cpu_flags() == ""


class TestCache:
    def cache(self, fake, core, level, size, shared):
        fake(f"sys/devices/system/cpu/cpu{core}/cache/index{level}/size", f"{size}K\n")
        fake(f"sys/devices/system/cpu/cpu{core}/cache/index{level}/shared_cpu_list", f"{shared}\n")

    def test_last_level_of_each_group_of_cores_counts_once(self, fake):
        for core in range(8):
            self.cache(fake, core, 2, 1024, f"{core}")
            self.cache(fake, core, 3, 32768, "0-3" if core < 4 else "4-7")
        assert machine.cache_bytes() == 2 * 32 << 20

    def test_only_of_cores_it_may_use(self, fake, monkeypatch):
        monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: {5})
        for core in range(8):
            self.cache(fake, core, 3, 32768, "0-3" if core < 4 else "4-7")
        assert machine.cache_bytes() == 32 << 20

    def test_unknown(self, fake):
        assert machine.cache_bytes() == 32 << 20


def test_driver_version_is_read_from_linux(fake):
    line = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\nGCC version: 12.2.0\n"
    fake("proc/driver/nvidia/version", line)
    assert machine.driver_version() == "580.65.06"


def test_commands_that_are_absent_or_fail():
    assert machine.run("no-such-command-here").returncode == 1
    assert machine.run(sys.executable, "-c", "exit(4)").returncode == 4
