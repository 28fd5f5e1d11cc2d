#!/usr/bin/env bash
# Runs every linter and type checker, also after one has failed, and names those that did.
set -uo pipefail
cd "$(dirname "$0")/../.."

failed=()
run() {
  local name=$1
  shift
  printf -- '--- %s\n' "$name"
  "$@" || failed+=("$name")
}

run 'ruff check' ruff check --quiet .
run 'ruff format' ruff format --quiet --check .
run 'mypy' mypy
run 'import-linter' lint-imports --no-logo
run 'biome' biome check --error-on-warnings --max-diagnostics=none .
run 'tsc' tsc --project tsconfig.json
run 'tsc (tests, infra)' tsc --project infra/setup/tsconfig.tests.json

if ((${#failed[@]})); then
  printf 'check: failed:'
  printf ' [%s]' "${failed[@]}"
  printf '\n'
  exit 1
fi
echo 'check: all passed'
