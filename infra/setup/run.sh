#!/usr/bin/env bash
# Opens JupyterLab on the quickstart notebook, on loopback only.
# HEADLESS=1: opens no browser; Jupyter prints the URL with its token. PORT: that port or none.
set -euo pipefail
cd "$(dirname "$0")/../.."

# readonly: the other manager lists extensions from outside this machine. default_url: the printed URL names the notebook.
options=(--ServerApp.ip=127.0.0.1 --LabApp.extension_manager=readonly
  --LabApp.default_url=/lab/tree/01_quickstart.ipynb)
if [[ -n ${HEADLESS:-} && $HEADLESS != 0 ]]; then options+=(--no-browser); fi
if [[ -n ${PORT:-} ]]; then options+=(--port="$PORT" --ServerApp.port_retries=0); fi
# Jupyter asks root to say so; containers have no one else.
if [[ $(id -u) == 0 ]]; then options+=(--allow-root); fi

exec jupyter lab "${options[@]}" notebooks/01_quickstart.ipynb
