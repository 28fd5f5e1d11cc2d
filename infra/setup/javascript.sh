#!/usr/bin/env bash
# Installs the JavaScript tools from package-lock.json.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/.venv/bin:$PATH

echo 'setup: JavaScript packages'
# No package's install script is needed: the binaries of esbuild, biome and typescript are packages themselves.
npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
