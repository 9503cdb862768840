"""llama.cpp's own server on a checkpoint of Qwen2.5-VL, until its standard input ends.

xllamacpp is llama.cpp in a wheel; what listens is llama.cpp's HTTP server, not a Python one.
"""

import argparse
import pathlib
import sys

import xllamacpp
from gguf_checkpoint import write_language_model, write_vision_encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("home", type=pathlib.Path, help="folder for the GGUF files")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--context", type=int, required=True, help="tokens that a question and its answer may have")
    parser.add_argument("--key", required=True, help="what a client must send as its bearer token")
    options = parser.parse_args()
    model, vision = options.home / "model.gguf", options.home / "vision.gguf"
    write_language_model(options.checkpoint, model)
    write_vision_encoder(options.checkpoint, vision)

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.mmproj.path = str(vision)
    params.hostnames = ["127.0.0.1"]
    params.port = options.port
    params.api_keys = [options.key]
    params.n_ctx = options.context
    params.n_parallel = 1
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = 1
    # Everything in float32, as transformers is asked to.
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
