#!/usr/bin/env bash
# Makes .venv-aiperf from its lock: the other measuring tool, whose figures ours are compared with, apart from ours.
set -euo pipefail
cd "$(dirname "$0")/../.."

echo 'setup: aiperf, in an environment of its own'
.venv/bin/uv venv --quiet --clear --python .venv/bin/python .venv-aiperf
.venv/bin/uv pip sync --quiet --python .venv-aiperf/bin/python --require-hashes infra/setup/aiperf.txt
