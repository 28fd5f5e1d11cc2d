"""Records the samples of sse_widget/cassettes anew: `python infra/samples/record.py`, about half a minute.

Each is what a server of this project streams over loopback; text and pace come from the model's seed. Ids, ports and
the last milliseconds differ from recording to recording.
"""  # noqa: INP001 - a script

from __future__ import annotations

from pathlib import Path

import sse_widget as sw

FOLDER = Path(__file__).parents[2] / "sse_widget" / "cassettes"
SAMPLES = {
    "english": ("English prose, 40 tokens a second", "tokens=130,rate=40,lang=en,seed=1,ttft_ms=250"),
    "arabic": ("Arabic prose, 40 tokens a second", "tokens=130,rate=40,lang=ar,seed=2,ttft_ms=250"),
    "chinese": ("Chinese prose, 50 tokens a second", "tokens=140,rate=50,lang=zh,seed=3,ttft_ms=250"),
    "code": ("Markdown with code, 60 tokens a second", "tokens=300,rate=60,lang=markdown,seed=4,ttft_ms=300"),
    "stalling": (
        "English prose with a silence of 1.5 s after every 40 tokens",
        "tokens=130,rate=50,lang=en,seed=5,ttft_ms=250,stall_every=40,stall_ms=1500",
    ),
    "bursty": (
        "English prose in bursts of 20 tokens, as a proxy that buffers lets them through",
        "tokens=140,rate=40,lang=en,seed=6,ttft_ms=250,burst=20",
    ),
}


def main() -> None:
    """Record all of them."""
    FOLDER.mkdir(exist_ok=True)
    with sw.serve(model="synthetic:") as server:
        for name, (title, model) in SAMPLES.items():
            knobs = {"chunk_tokens": 2 if name == "code" else 1, "heartbeat_s": 0.5 if name == "stalling" else 20}
            cassette = sw.record(
                server.url,
                FOLDER / f"{name}.ssecast",
                q="What is a stream?",
                model=f"synthetic:{model}",
                title=title,
                token=server.token,
                **knobs,
            )
            print(name, cassette)  # noqa: T201 - for whoever records


if __name__ == "__main__":
    main()
