"""The child process that runs llama.cpp: `python -m sse_server.sources.llama_child`.

Its standard input is its life line: the first line is JSON `{model, api_key, slots, context, batch, threads}`; when the
pipe closes, because the parent closed it or died in whatever way, the process ends at once. Its first line of output is
JSON `{url}` or `{error}`.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Serve until standard input ends; whatever happens, end then."""
    try:
        _serve()
    finally:
        # An ordinary exit would wait for llama.cpp's threads, for ever if the parent died while it loaded.
        os._exit(0)


def _serve() -> None:
    settings = json.loads(sys.stdin.readline())
    # llama.cpp writes to the C streams; the answer to the parent goes out on a copy of our standard output.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import xllamacpp  # noqa: PLC0415 - half a second that only this process pays

    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["context"] * settings["slots"]
    params.n_batch = settings["batch"]
    params.cpuparams.n_threads = settings["threads"]
    params.api_keys = [settings["api_key"]]
    params.port = 0
    params.ui = False
    params.verbosity = -1
    try:
        server = xllamacpp.Server(params)
        line = {"url": server.listening_address}
    except Exception as error:  # noqa: BLE001 - whatever llama.cpp raises is for the parent to tell
        line = {"error": str(error) or type(error).__name__}
    print(json.dumps(line), file=answer, flush=True)
    if "url" in line:
        while sys.stdin.read(4096):
            pass


if __name__ == "__main__":
    main()
