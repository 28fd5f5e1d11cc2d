#!/usr/bin/env bash
# Installs this project into .venv in place, and sets up the JupyterLab there.
set -euo pipefail
cd "$(dirname "$0")/../.."

echo 'setup: sse-widget, editable'
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
# Without this file Jupyter Server would not know of the extension.
test -f .venv/etc/jupyter/jupyter_server_config.d/sse_server.json
# Lab asks every new user about news, and looks for a newer Lab, outside this machine; notebooks here need neither.
mkdir -p .venv/share/jupyter/lab/settings
cp infra/setup/lab-settings.json .venv/share/jupyter/lab/settings/overrides.json
