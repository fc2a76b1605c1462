#!/usr/bin/env bash
# Install Stillhouse into a virtual environment: install.sh FOLDER [--no-dev]
# torch comes first and through pip, so that a CPU-only machine takes a CPU wheel where one is
# offered; uv then installs the rest, pinned by constraints.txt, in seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="$1"
groups=(--group dev)
[ "${2:-}" = "--no-dev" ] && groups=()
python="${PYTHON:-python3}"

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Stillhouse needs Python 3.11 or newer; $("$python" --version 2>&1 || echo "“$python” was not found")." \
         "Install Python 3.11, or name it: make setup PYTHON=/path/to/python3.11" >&2
    exit 2
fi

export PIP_DISABLE_PIP_VERSION_CHECK=1
pinned() { grep -i "^$1==" constraints.txt; }
[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
echo "installing into $folder (a minute or two the first time)"
"$folder/bin/python" -m pip install --quiet "$(pinned uv)"
"$folder/bin/python" -m pip install --quiet "$(pinned torch)"
install_rest() {
    "$folder/bin/uv" pip install --quiet --python "$folder/bin/python" \
        --constraint constraints.txt "${groups[@]}" --editable ".[redis,rabbitmq]" --editable ./platform/sdk "$@"
}
# The machine's own certificates first (company proxies); uv's built-in ones where it has none.
install_rest --system-certs || install_rest
