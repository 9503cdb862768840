"""
The text model of Qwen2.5-VL-3B in llama.cpp: a GGUF file of random weights in Q4_0 is written, read and timed. Its answers mean nothing;
its speed does. `qwen-full.ts` runs it beside our own decoder: same machine, same threads, same prompt and answer lengths.

    python3 llama.py --file model.gguf --layers 36 --threads 2 --prompt 780 --answer 32 [--seed 1]

Prints one JSON object: versions, the bytes of weights that a token reads, seconds of loading, of reading the prompt (the better of two), and of
the median and the fastest step of one token.
"""

import argparse
import ctypes
import json
import statistics
import time

import gguf
import llama_cpp
import numpy as np

CHANNELS, INNER, VOCABULARY = 2048, 11008, 151936
HEADS, KV_HEADS, HEAD_CHANNELS = 16, 2, 128
MROPE_SECTION = [16, 24, 24, 0]

# A Q4_0 block: 32 weights of 4 bits with one scale.
BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
# Blocks that repeat, from another one on in every tensor; drawing three billion weights would take longer than the measurement.
PATTERN = 1 << 20


def layer_matrices(layer: int):
    """Name, outputs and inputs of the matrices of a layer."""
    key_channels = KV_HEADS * HEAD_CHANNELS
    for name, out, inputs in (
        ("attn_q", CHANNELS, CHANNELS),
        ("attn_k", key_channels, CHANNELS),
        ("attn_v", key_channels, CHANNELS),
        ("attn_output", CHANNELS, CHANNELS),
        ("ffn_gate", INNER, CHANNELS),
        ("ffn_up", INNER, CHANNELS),
        ("ffn_down", CHANNELS, INNER),
    ):
        yield f"blk.{layer}.{name}.weight", out, inputs


def layer_vectors(layer: int):
    """Name and length of the vectors of a layer: scales of the norms, biases of queries, keys and values."""
    for name, length in (
        ("attn_norm.weight", CHANNELS),
        ("ffn_norm.weight", CHANNELS),
        ("attn_q.bias", CHANNELS),
        ("attn_k.bias", KV_HEADS * HEAD_CHANNELS),
        ("attn_v.bias", KV_HEADS * HEAD_CHANNELS),
    ):
        yield f"blk.{layer}.{name}", length


def write_model(path: str, layers: int, rng: np.random.Generator) -> int:
    """Returns the bytes of weights that every token reads; the head is the token table, as in the checkpoint."""
    writer = gguf.GGUFWriter(path, "qwen2vl")
    writer.add_block_count(layers)
    writer.add_context_length(32768)
    writer.add_embedding_length(CHANNELS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_rope_dimension_sections(MROPE_SECTION)
    writer.add_vocab_size(VOCABULARY)
    # Token ids are all that the measurement needs.
    writer.add_tokenizer_model("no_vocab")

    matrices = [("token_embd.weight", VOCABULARY, CHANNELS)]
    vectors = [("output_norm.weight", CHANNELS)]
    for layer in range(layers):
        matrices += layer_matrices(layer)
        vectors += layer_vectors(layer)
    for name, out, inputs in matrices:
        row_bytes = inputs // 32 * BLOCK.itemsize
        quantized = gguf.GGMLQuantizationType.Q4_0
        writer.add_tensor_info(name, (out, row_bytes), np.dtype(np.uint8), out * row_bytes, raw_dtype=quantized)
    for name, length in vectors:
        writer.add_tensor_info(name, (length,), np.dtype(np.float32), 4 * length)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()

    pattern = np.zeros(PATTERN, BLOCK)
    pattern["scale"] = rng.uniform(0.001, 0.003, PATTERN)
    pattern["nibbles"] = rng.integers(0, 256, (PATTERN, 16), dtype=np.uint8)
    total = 0
    for _, out, inputs in matrices:
        blocks = out * inputs // 32
        at = (np.arange(blocks) + rng.integers(PATTERN)) % PATTERN
        writer.write_tensor_data(pattern[at].view(np.uint8).reshape(out, -1))
        total += blocks * BLOCK.itemsize
    for name, length in vectors:
        writer.write_tensor_data(np.full(length, 1 if "norm" in name else 0.01, np.float32))
    writer.close()
    return total


class Decoder:
    """One sequence of a loaded model."""

    def __init__(self, path: str, threads: int, capacity: int) -> None:
        llama_cpp.llama_backend_init()
        # Loading writes a hundred lines to stderr.
        self._silence = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self._silence, ctypes.c_void_p(0))
        self._model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        if not self._model:
            raise SystemExit(f"llama.cpp does not read {path}.")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = capacity
        params.n_batch = capacity
        params.n_threads = params.n_threads_batch = threads
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        if not self._context:
            raise SystemExit("llama.cpp opens no context.")
        self._batch = llama_cpp.llama_batch_init(capacity, 0, 1)
        self._length = 0

    def read(self, tokens) -> float:
        """Reads tokens, the last one with logits. Returns the seconds that it took."""
        batch = self._batch
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = int(token)
            batch.pos[i] = self._length + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = i == len(tokens) - 1
        start = time.perf_counter()
        if llama_cpp.llama_decode(self._context, batch) != 0:
            raise SystemExit("llama.cpp refused a step.")
        llama_cpp.llama_synchronize(self._context)
        took = time.perf_counter() - start
        logits = llama_cpp.llama_get_logits_ith(self._context, -1)
        if not np.isfinite(np.ctypeslib.as_array(logits, (VOCABULARY,))).all():
            raise SystemExit("llama.cpp gave no numbers.")
        self._length += len(tokens)
        return took

    def forget(self) -> None:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), False)
        self._length = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", required=True)
    for name in ("layers", "threads", "prompt", "answer"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    bytes_per_token = write_model(args.file, args.layers, rng)

    start = time.perf_counter()
    decoder = Decoder(args.file, args.threads, args.prompt + args.answer)
    load_s = time.perf_counter() - start
    # Weights are mapped from the file; a first token brings them into memory, as loading does for our decoder.
    decoder.read(rng.integers(0, VOCABULARY, 1))
    readings = []
    for _ in range(2):
        decoder.forget()
        readings.append(decoder.read(rng.integers(0, VOCABULARY, args.prompt)))
    steps = [decoder.read(rng.integers(0, VOCABULARY, 1)) for _ in range(args.answer)]
    print(
        json.dumps(
            {
                "version": llama_cpp.__version__,
                "system": llama_cpp.llama_print_system_info().decode().strip(),
                "bytes_per_token": bytes_per_token,
                "load_s": load_s,
                "prefill_s": min(readings),
                "step_s": statistics.median(steps),
                "fastest_step_s": min(steps),
            }
        )
    )


if __name__ == "__main__":
    main()
