"""Makes `demo:roberta-mini`: corpus, vocabulary, warm start, masked words, half-precision weights.

python pretraining/roberta_mini.py corpus --evaluation FOLDER   # reviews.txt and the overlap table
python pretraining/roberta_mini.py train --steps 1100           # goes on where it was stopped
python pretraining/roberta_mini.py export                       # into the package
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from corpus import candidates, demo_texts, folder_texts, table, without_overlap
from masked_lm import Chunk, Step, chunks_of, losses
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import BertModel, RobertaForMaskedLM
from warm_start import byte_level_bpe, warm_started

from robust_eval.models.read_before import write_marks
from robust_eval.models.weights import demo_minilm
from robust_eval.rng import digest, shuffle, stream

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PACKAGE = HERE.parent / "src" / "robust_eval" / "models" / "roberta_mini"
SEED = 20261124
VOCABULARY = 8_000
LENGTH = 96  # tokens in a chunk
BATCH = 16
REVIEWS = 6_000  # drawn from the corpus: more than the steps that a CPU affords can read
HELD_OUT = 320  # chunks, from reviews that are not trained on
LEARNING_RATE = 2e-4
WARMUP = 100  # steps
DECAY = 0.3  # the last share of the steps, in which the rate falls to 0
COSINE_WEIGHT = 5.0
EVERY = 50  # steps between checkpoints and looks at the held-out part
SPECIAL = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"} | {
    "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>",
}  # fmt: skip


def make_corpus(work: Path, evaluation: Path) -> None:
    sets = [*demo_texts(), *folder_texts(evaluation)]
    found = candidates()
    kept, overlaps = without_overlap(found, sets)
    work.mkdir(parents=True, exist_ok=True)
    (work / "reviews.json").write_text(json.dumps(kept), encoding="utf-8")
    shown = (
        f"Reviews of over 1,000 characters: {len(found):,}; kept: {len(kept):,} "
        f"({sum(map(len, kept)):,} characters).\n\n{table(overlaps)}\n"
    )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "overlap.md").write_text("# Overlap with evaluation texts\n\n" + shown, "utf-8")
    print(shown)


def teacher_and_pieces() -> tuple[BertModel, Tokenizer]:
    folder = demo_minilm().folder
    teacher = BertModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    pieces = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pieces.no_padding()
    pieces.no_truncation()
    return teacher, pieces


def read_reviews(work: Path) -> list[str]:
    """The reviews that vocabulary and training see: a draw from the corpus, the same every time."""
    reviews: list[str] = json.loads((work / "reviews.json").read_text("utf-8"))
    shuffle(stream(SEED, "reviews"), reviews)
    return reviews[:REVIEWS]


def begin(work: Path) -> tuple[RobertaForMaskedLM, Tokenizer, BertModel, list[Chunk], list[Chunk]]:
    """Student, vocabulary, teacher, training and held-out chunks; the same on every start."""
    reviews = read_reviews(work)
    if not (work / "tokenizer.json").is_file():
        byte_level_bpe(reviews, VOCABULARY).save(str(work / "tokenizer.json"))
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    teacher, pieces = teacher_and_pieces()
    torch.manual_seed(SEED)
    student, exact = warm_started(teacher, pieces, tokenizer)
    say(f"{exact:,} of {tokenizer.get_vocab_size():,} tokens begin as the vector of one WordPiece")
    chunks: list[Chunk] = []
    held_out: list[Chunk] = []
    for number, review in enumerate(reviews):
        (held_out if len(held_out) < HELD_OUT else chunks).extend(
            chunks_of(review, tokenizer, pieces, LENGTH)
        )
        if number % 2000 == 0:
            say(f"{number:,} reviews cut")
    say(f"{len(chunks):,} chunks to train on, {len(held_out):,} held out")
    return student, tokenizer, teacher, chunks, held_out[:HELD_OUT]


def rate(step: int, steps: int) -> float:
    """The learning rate's factor: up, level, and down at the end (so that `--steps` may be raised)."""
    falling = DECAY * steps
    return min(1.0, (step + 1) / WARMUP, max(0.0, (steps - step) / falling))


def train(work: Path, steps: int) -> None:
    student, _, teacher, chunks, held_out = begin(work)
    # No dropout: no chunk is seen twice.
    for module in student.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    optimiser = torch.optim.AdamW(student.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    done = resume(work, student, optimiser)
    order = list(range(len(chunks)))
    shuffle(stream(SEED, "chunks"), order)
    if done == 0:
        report(work, 0, evaluate(student, teacher, held_out), 0.0)
    started = time.time()
    for step in range(done, steps):
        batch = [chunks[order[(step * BATCH + i) % len(order)]] for i in range(BATCH)]
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * rate(step, steps)
        generator = torch.Generator().manual_seed(int.from_bytes(digest(SEED, step, size=7), "big"))
        student.train()
        with torch.autocast("cpu", torch.bfloat16):
            masked, apart, _ = losses(student, teacher, batch, generator)
        (masked + COSINE_WEIGHT * apart).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if (step + 1) % EVERY == 0 or step + 1 == steps:
            report(work, step + 1, evaluate(student, teacher, held_out), time.time() - started)
            save(work, student, optimiser, step + 1)


@torch.no_grad()
def evaluate(student: Any, teacher: Any, held_out: list[Chunk]) -> Step:
    """Held-out figures, under the same masks every time."""
    student.eval()
    generator = torch.Generator().manual_seed(SEED)
    with torch.autocast("cpu", torch.bfloat16):
        found = [
            losses(student, teacher, held_out[i : i + 32], generator)[2]
            for i in range(0, len(held_out), 32)
        ]
    mean = [sum(getattr(s, name) for s in found) / len(found) for name in
            ("masked_loss", "masked_accuracy", "cosine")]  # fmt: skip
    return Step(*mean, sum(s.tokens for s in found))


def report(work: Path, step: int, seen: Step, seconds: float) -> None:
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / "learning_curve.csv"
    rows = (
        [r for r in csv.reader(file.open()) if r[0] != "step" and int(r[0]) < step]
        if file.exists() and step
        else []
    )
    rows.append(
        [str(step), f"{seen.masked_loss:.4f}", f"{seen.masked_accuracy:.4f}", f"{seen.cosine:.4f}"]
    )
    with file.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["step", "masked_loss", "masked_accuracy", "word_cosine"])
        writer.writerows(rows)
    say(f"step {step}: held-out loss {seen.masked_loss:.3f}, masked words right "
        f"{seen.masked_accuracy:.1%}, cosine to the teacher {seen.cosine:.3f}; {seconds:.0f} s")  # fmt: skip


def say(line: str) -> None:
    stamp = time.strftime("%H:%M:%S", time.gmtime())
    print(f"{stamp} {line}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "log.txt").open("a") as log:
        log.write(f"{stamp} {line}\n")


def save(work: Path, student: Any, optimiser: Any, step: int) -> None:
    """Weights and the optimiser's moments, whole or not at all."""
    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in student.named_parameters():
        tensors[f"weight {name}"] = parameter.detach()
        for moment in ("exp_avg", "exp_avg_sq"):
            tensors[f"{moment} {name}"] = optimiser.state[parameter][moment]
    partial = work / "checkpoint.partial"
    save_file(tensors, partial, metadata={"step": str(step)})
    os.replace(partial, work / "checkpoint.safetensors")


def resume(work: Path, student: Any, optimiser: Any) -> int:
    """Steps already done; 0 without a checkpoint."""
    file = work / "checkpoint.safetensors"
    if not file.is_file():
        return 0
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        step = int(opened.metadata()["step"])
    tensors = load_file(file)
    with torch.no_grad():
        for name, parameter in student.named_parameters():
            parameter.copy_(tensors[f"weight {name}"])
            optimiser.state[parameter] = {
                "step": torch.tensor(float(step)),
                "exp_avg": tensors[f"exp_avg {name}"],
                "exp_avg_sq": tensors[f"exp_avg_sq {name}"],
            }
    say(f"resumed after step {step}")
    return step


def export(work: Path, folder: Path, *, warm_start_only: bool) -> None:
    """The encoder alone, in float16, with its vocabulary and configuration."""
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    teacher, pieces = teacher_and_pieces()
    student, _ = warm_started(teacher, pieces, tokenizer)
    if not warm_start_only:
        resume(work, student, torch.optim.AdamW(student.parameters()))
    encoder = student.roberta
    folder.mkdir(parents=True, exist_ok=True)
    write_marks(folder, read_reviews(work))
    weights = {
        f"roberta.{n}": t.detach().half().contiguous()
        for n, t in encoder.state_dict().items()
        if t.is_floating_point()
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    student.config.architectures = ["RobertaModel"]
    student.config.dtype = torch.float16
    student.config.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, **SPECIAL}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("corpus", "train", "export"))
    parser.add_argument(
        "--work", type=Path, default=HERE / "work", help="where checkpoints are kept"
    )
    parser.add_argument(
        "--evaluation", type=Path, help="folder of evaluation data, NAME/SPLIT.jsonl.gz"
    )
    parser.add_argument("--steps", type=int, default=1100)
    parser.add_argument("--to", type=Path, default=PACKAGE, help="where `export` writes")
    parser.add_argument(
        "--warm-start-only", action="store_true", help="`export` before any training"
    )
    given = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    if given.what == "corpus":
        if given.evaluation is None:
            parser.error("corpus needs --evaluation FOLDER")
        make_corpus(given.work, given.evaluation)
    elif given.what == "train":
        train(given.work, given.steps)
    else:
        export(given.work, given.to, warm_start_only=given.warm_start_only)


if __name__ == "__main__":
    main()
