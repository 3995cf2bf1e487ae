"""Which folders with NVIDIA's headers are taken: those of NVRTC's own major version, wheels before toolkits."""

import pytest

from course_lib.cuda.gpu import gpu_headers


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Makes folders that look like installed headers; nothing of this computer is seen."""
    for variable in ("CUDA_PATH", "CUDA_HOME", "CONDA_PREFIX"):
        monkeypatch.delenv(variable, raising=False)

    def make(name, version=None):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        if version:
            (folder / "cuda_runtime_api.h").write_text(f"#define CUDART_VERSION  {version}\n")
        return folder

    class Spec:
        submodule_search_locations = (str(tmp_path / "nvidia"),)

    monkeypatch.setattr(gpu_headers.importlib.util, "find_spec", lambda name: Spec())
    return make


def ours(folders, tmp_path):
    return [folder for folder in folders if tmp_path in folder.parents]


def test_wheels_of_cuda_13_lie_in_one_folder(installed, tmp_path):
    folder = installed("nvidia/cu13/include", 13050)
    cccl = installed("nvidia/cu13/include/cccl")
    installed("nvidia/cuda_runtime/include", 12040)
    assert ours(gpu_headers.cuda_include_folders(13), tmp_path) == [folder, cccl]


def test_wheels_of_cuda_12_lie_apart(installed, tmp_path):
    installed("nvidia/cu13/include", 13050)
    runtime, cccl = installed("nvidia/cuda_runtime/include", 12040), installed("nvidia/cuda_cccl/include")
    assert ours(gpu_headers.cuda_include_folders(12), tmp_path) == [runtime, cccl]


def test_a_toolkit_of_another_version_is_not_taken(installed, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_PATH", str(tmp_path / "toolkit"))
    folder = installed("toolkit/include", 12080)
    assert ours(gpu_headers.cuda_include_folders(13), tmp_path) == []
    assert ours(gpu_headers.cuda_include_folders(12), tmp_path) == [folder]


def test_a_conda_environment(installed, tmp_path, monkeypatch):
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "env"))
    folder = installed("env/targets/x86_64-linux/include", 13010)
    assert ours(gpu_headers.cuda_include_folders(13), tmp_path) == [folder]
