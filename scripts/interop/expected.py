"""Answers the questions of questions.json with transformers alone: no server, no PNG, the pictures handed over as arrays.

Prints a list of {name, texts, prompt_tokens, answer_tokens, margin}. The texts are the same tokens without control tokens and with them,
as they are and stripped: servers differ in that. The margin is by how much the closest choice of a token was won.
"""

import argparse
import json
import pathlib
import sys

import PIL.Image
import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "fixtures" / "golden"))

from formulas import picture  # noqa: E402


def image(seed: int, frame: int, width: int, height: int) -> dict:
    return {"type": "image", "image": PIL.Image.fromarray(picture(seed, frame, height, width))}


def contents(part: dict) -> list[dict]:
    if "text" in part:
        return [{"type": "text", "text": part["text"]}]
    if "image" in part:
        return [image(**part["image"])]
    video = part["video"]
    shown = []
    for frame in range(video["frames"]):
        time = video["start"] + frame * video["step"] - part["time_zero"]
        # Tenths, halves upwards: what the backend writes.
        shown.append({"type": "text", "text": f"<{int(time * 10 + 0.5) / 10:.1f} s>"})
        shown.append(image(video["seed"], frame, video["width"], video["height"]))
    return shown


def answer(model: torch.nn.Module, processor: transformers.ProcessorMixin, question: dict) -> dict:
    messages = [{"role": "user", "content": [shown for part in question["parts"] for shown in contents(part)]}]
    if "system" in question:
        messages.insert(0, {"role": "system", "content": [{"type": "text", "text": question["system"]}]})
    inputs = processor.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    out = model.generate(
        **inputs,
        max_new_tokens=question["max_tokens"],
        do_sample=False,
        output_scores=True,
        return_dict_in_generate=True,
    )
    length = inputs["input_ids"].shape[-1]
    ids = out.sequences[0, length:]
    texts = [processor.decode(ids, skip_special_tokens=skip) for skip in (True, False)]
    best = [score[0].topk(2).values for score in out.scores]
    return {
        "name": question["name"],
        "texts": [form for text in texts for form in (text, text.strip())],
        "prompt_tokens": length,
        "answer_tokens": len(ids),
        "margin": round(min(float(two[0] - two[1]) for two in best), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=pathlib.Path)
    checkpoint = parser.parse_args().checkpoint
    torch.set_grad_enabled(False)
    model = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float32).eval()
    processor = transformers.AutoProcessor.from_pretrained(checkpoint)
    questions = json.loads((HERE / "questions.json").read_text())
    json.dump([answer(model, processor, question) for question in questions], sys.stdout)


if __name__ == "__main__":
    main()
