#!/usr/bin/env bash
# Renews the locks of both languages: every version and hash, for every platform, and no host name.
# Keeps the versions that are locked and still fit; UPGRADE=1 takes the newest instead.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/.venv/bin:$PATH

upgrade=()
if [[ -n ${UPGRADE:-} ]]; then upgrade+=(--upgrade); fi
compile() {
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
    ${upgrade[@]+"${upgrade[@]}"} "$@"
}

compile infra/setup/uv.in --output-file infra/setup/uv.txt
compile infra/setup/aiperf.in --output-file infra/setup/aiperf.txt
compile pyproject.toml --all-extras infra/setup/model.in --output-file infra/setup/requirements.txt
# JavaScript versions are exact in package.json: change them there.
npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund --loglevel=error

if grep -nE -- '--(extra-)?index-url|--find-links|"resolved"' infra/setup/*.txt package-lock.json; then
  echo 'lock: a lock names where packages come from' >&2
  exit 1
fi
