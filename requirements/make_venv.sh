#!/bin/sh
# Make a virtual environment with the first Python that fits: make_venv.sh FOLDER [PYTHON]
set -eu
folder=$1
fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
for python in ${2:-python3 python3.12 python3.13 python3.11}; do
    "$python" -c "$fits" 2>/dev/null || continue
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$python cannot make virtual environments. On Debian or Ubuntu install what it lacks:" \
            "apt-get install -y python3-venv" >&2
        exit 1
    fi
    rm -rf "$folder"
    echo "Making $folder with $("$python" --version)"
    exec "$python" -m venv "$folder"
done
echo "Expected Python 3.11, 3.12 or 3.13, found none. Install one, or say where it is:" \
    "make setup PYTHON=/path/to/python3.12" >&2
exit 1
