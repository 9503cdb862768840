"""A checkpoint of Qwen2.5-VL as the two GGUF files that llama.cpp reads: the language model and the vision encoder, all in float32.

Names of tensors come from the gguf library; what it does not know is how the vision encoder's tensors are cut: queries, keys and values
are tensors of their own, and so are the two halves of the patch kernel, one per frame of a pair.
"""

import json
import pathlib

import gguf
import numpy
import safetensors

# Words and visual marks that the tokenizer's file lists apart from its vocabulary.
CONTROL, USER_DEFINED, UNUSED = gguf.TokenType.CONTROL, gguf.TokenType.USER_DEFINED, gguf.TokenType.UNUSED


def read(checkpoint: pathlib.Path, name: str) -> dict:
    return json.loads((checkpoint / name).read_text())


def tensors(checkpoint: pathlib.Path, visual: bool):
    for file in sorted(checkpoint.glob("*.safetensors")):
        with safetensors.safe_open(file, "pt") as opened:
            for name in opened.keys():
                if name.startswith("visual.") == visual:
                    yield name, opened.get_tensor(name).float().numpy()


def named(names: gguf.TensorNameMap, name: str) -> str:
    found = names.get_name(name, try_suffixes=(".weight", ".bias"))
    if found is None:
        raise SystemExit(f"{name} has no place in a GGUF file of this kind.")
    return found


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_vocabulary(writer: gguf.GGUFWriter, checkpoint: pathlib.Path, size: int) -> None:
    tokenizer = read(checkpoint, "tokenizer.json")
    words = [f"[UNUSED{i}]" for i in range(size)]
    kinds = [UNUSED] * size
    for word, i in tokenizer["model"]["vocab"].items():
        words[i], kinds[i] = word, gguf.TokenType.NORMAL
    for added in tokenizer["added_tokens"]:
        words[added["id"]] = added["content"]
        kinds[added["id"]] = CONTROL if added["special"] else USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(words)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(words.index("<|im_end|>"))
    writer.add_pad_token_id(words.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(read(checkpoint, "chat_template.json")["chat_template"])


def write_language_model(checkpoint: pathlib.Path, target: pathlib.Path) -> None:
    config = read(checkpoint, "config.json")
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2VL, config["num_hidden_layers"])
    writer = gguf.GGUFWriter(target, "qwen2vl")
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name("interop")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    # Time, rows and columns; llama.cpp has room for a fourth.
    writer.add_rope_dimension_sections([*config["rope_scaling"]["mrope_section"], 0])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    write_vocabulary(writer, checkpoint, config["vocab_size"])
    for name, values in tensors(checkpoint, visual=False):
        writer.add_tensor(named(names, name), values)
    finish(writer)


def cut(name: str, values: numpy.ndarray, place: str) -> dict[str, numpy.ndarray]:
    """The tensors of llama.cpp that one of the checkpoint's becomes."""
    if ".qkv." in name:
        return {place.replace("attn_qkv", f"attn_{part}"): third for part, third in zip("qkv", numpy.split(values, 3))}
    if "patch_embed" in name:
        return {place: values[:, :, 0], f"{place}.1": values[:, :, 1]}
    return {place: values}


def write_vision_encoder(checkpoint: pathlib.Path, target: pathlib.Path) -> None:
    vision = read(checkpoint, "config.json")["vision_config"]
    pictures = read(checkpoint, "preprocessor_config.json")
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, vision["depth"])
    side = vision["patch_size"] * vision["spatial_merge_size"]
    writer = gguf.GGUFWriter(target, "clip")
    writer.add_type(gguf.GGUFType.MMPROJ)
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type(gguf.VisionProjectorType.QWEN25VL)
    writer.add_vision_projection_dim(vision["out_hidden_size"])
    # Asked for, and of no effect: pictures have their own size.
    writer.add_vision_image_size(20 * side)
    writer.add_vision_patch_size(vision["patch_size"])
    writer.add_vision_spatial_merge_size(vision["spatial_merge_size"])
    writer.add_vision_embedding_length(vision["hidden_size"])
    writer.add_vision_feed_forward_length(vision["intermediate_size"])
    writer.add_vision_block_count(vision["depth"])
    writer.add_vision_head_count(vision["num_heads"])
    writer.add_vision_attention_layernorm_eps(1e-6)
    writer.add_vision_image_mean(pictures["image_mean"])
    writer.add_vision_image_std(pictures["image_std"])
    writer.add_vision_min_pixels(pictures["min_pixels"])
    writer.add_vision_max_pixels(pictures["max_pixels"])
    writer.add_vision_use_silu(True)
    writer.add_vision_window_size(vision["window_size"])
    # Every how many blocks one looks at the whole picture: the first that does tells.
    writer.add_vision_n_wa_pattern(vision["fullatt_block_indexes"][0] + 1)
    for name, values in tensors(checkpoint, visual=True):
        for place, part in cut(name, values, named(names, name)).items():
            writer.add_tensor(place, numpy.ascontiguousarray(part))
    finish(writer)
