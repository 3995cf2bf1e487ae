#!/bin/sh
# Makes .venv in the current folder and installs the course there: `install.sh lab` what a student needs,
# `install.sh test` the test tools as well. Versions are those of constraints.txt.
# Settings: PYTHON (which Python makes .venv), TORCH_INDEX (where torch comes from; "" for pip's own index).
set -eu

case ${1:-} in
    lab) project=. ;;
    test) project=".[test]" ;;
    *) echo "usage: tools/install.sh lab|test" >&2; exit 2 ;;
esac
python=.venv/bin/python
unset PYTHONDONTWRITEBYTECODE # images of containers set it: every process would compile torch anew, for three seconds

fail() {
    echo "$1" >&2
    exit 1
}

make_venv() {
    base=$(sh tools/find_python.sh) || exit 1
    echo "Making .venv with $("$base" --version) ..."
    # Debian splits ensurepip off its Python; a pip that is installed can stand in for it
    "$base" -m venv --clear .venv >/dev/null 2>&1 && return
    "$base" -m venv --clear --without-pip .venv &&
        "$base" -m pip --python "$python" install --quiet pip ||
        fail "$base cannot make a virtual environment: install its venv module (Debian, Ubuntu: apt install python3-venv)."
}

# PyPI's torch for Linux brings gigabytes of CUDA libraries. Without an NVIDIA GPU, PyTorch's own index has a small build.
torch_index() {
    if [ -n "${TORCH_INDEX+set}" ]; then
        printf '%s' "$TORCH_INDEX"
    elif [ "$(uname -s)" = Linux ] && [ ! -e /proc/driver/nvidia ] && [ ! -e /dev/dxg ]; then
        index=https://download.pytorch.org/whl/cpu
        probe="import urllib.request; urllib.request.urlopen('$index/torch/', timeout=5)"
        "$python" -c "$probe" >/dev/null 2>&1 && printf '%s' "$index" || true
    fi
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && "$python" -m pip --version >/dev/null 2>&1 ||
    make_venv

index=$(torch_index)
[ -t 1 ] && quiet="" || quiet=--quiet
echo "Installing the course into .venv; the first time takes a few minutes and needs a network ..."
# The pip that comes with Python takes twice as long. Byte code is made when a module is first imported: compiling
# every file now would take longer than the rest.
"$python" -m pip install --disable-pip-version-check --no-input --quiet --constraint constraints.txt --upgrade pip &&
    PYTHONWARNINGS=ignore "$python" -m pip install --no-compile --disable-pip-version-check --no-input $quiet \
        ${index:+--extra-index-url "$index"} --constraint constraints.txt --editable "$project" ||
    fail "The packages could not be installed; pip says why above. Is there a network? Run the same command to try again."
"$python" -c "import torch, ipykernel.kernelapp, matplotlib.pyplot" ||
    fail "The packages are installed, but they do not load here; Python says why above."

pwd -P > .venv/.place  # an environment knows its own path: the Makefile notices when the folder was moved
touch .venv/.lab-installed
[ "$1" = lab ] || touch .venv/.test-installed
