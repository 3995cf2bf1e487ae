#!/bin/sh
# Prints the first command that is a working Python, 3.11 or newer; PYTHON, when set, is the only one tried.
# A command that is found but does not run, such as a pyenv shim of a version that is not there, is passed over.

works() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    if works "$PYTHON"; then
        printf '%s\n' "$PYTHON"
        exit 0
    fi
    echo "PYTHON=$PYTHON is not a working Python 3.11 or newer: name another, or leave PYTHON unset." >&2
    exit 1
fi

for candidate in python3 python3.13 python3.12 python3.11; do
    if works "$candidate"; then
        printf '%s\n' "$candidate"
        exit 0
    fi
done

found=$(python3 --version 2>/dev/null || echo "no working python3")
echo "This course needs Python 3.11 or newer; here is $found. Install one, or name it: PYTHON=/path/to/python3." >&2
exit 1
