"""`transformers serve` with a demo model on loopback, as a process: prints its address and the model's name, then serves.

    python benchmarks/transformers_serve_peer.py demo:smollm2-135m FOLDER

The model is written to FOLDER first, unpacked (0.5 GB), with the chat template of its file. Needs `pip install 'transformers[serving]'`.
Ends when its standard input is closed.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from lm_eval_ratio import export, prompted
from robust_eval.models.context import PromptSettings
from robust_eval.models.gguf_file import read_header

PATIENCE = 180  # seconds until the server must be up


def unpacked(spec: str, folder: Path) -> None:
    """The weights and tokenizer of a demo model, and its chat template, as a folder for transformers."""
    model = prompted(spec, PromptSettings(shots=0))
    export(model, folder)
    template = read_header(model.weights.path).values.get("tokenizer.chat_template")
    if isinstance(template, str):
        (folder / "chat_template.jinja").write_text(template, "utf-8")


def up(address: str, server: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return True
        except OSError:
            time.sleep(0.2)
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    unpacked(options.model, options.folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = (
        "from transformers.cli.transformers import main; main()",
        "serve", str(options.folder), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu",
    )  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", *command], stdout=subprocess.DEVNULL) as server:
        try:
            if not up(address, server):
                return 1
            print(f"{address} {options.folder}", flush=True)
            sys.stdin.read()
        finally:
            server.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
