"""llama.cpp's own HTTP server with a GGUF file on loopback, as a process: prints its address, then serves.

    python benchmarks/llama_server_peer.py MODEL.gguf [--threads 2] [--context 2048] [--slots 1] [--anew]

It comes as a wheel, xllamacpp. Ends when its standard input is closed.
"""

from __future__ import annotations

import argparse
import sys


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument(
        "--anew",
        action="store_true",
        help="read every prompt from its start: no answer's last digits depend on the one before",
    )
    options = parser.parse_args()
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = {"served"}
    params.n_ctx = options.context * options.slots
    params.n_parallel = options.slots
    params.cpuparams.n_threads = options.threads
    params.cache_prompt = not options.anew
    params.port = 0
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    del server
    return 0


if __name__ == "__main__":
    sys.exit(main())
