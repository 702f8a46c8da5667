"""The root command and its subcommands' table. Heavy imports happen inside the functions."""

from __future__ import annotations

from typing import Any

import click

from robust_eval import __version__
from robust_eval.cli.gate import GATE_OPTIONS
from robust_eval.cli.hosted import HOSTED_OPTIONS
from robust_eval.cli.sections import SectionedHelp
from robust_eval.errors import UsageError, did_you_mean

EPILOG = """\b
Examples:
  robust-eval --model demo:gemma-3-270m --dataset demo:rotten-tomatoes --shift noisy
  robust-eval --model hf:Qwen/Qwen3-8B --baseline roberta-base \\
      --dataset reviews.csv --train train.csv --shift noisy --ood tweets=tweets.csv
  robust-eval perturb reviews.jsonl noisy.jsonl --shift keyboard-typos@3
  robust-eval list perturbations
  robust-eval gate reports/RUN --policy release.toml

\b
Exit codes: 0 done, and any gate passed; 1 the gate failed; 2 wrong usage, configuration or
data; 3 the gate cannot tell; 4 model, server or disk failed (the same command resumes);
70 internal error; 130 interrupted.
"""


class RootCommand(click.Group, SectionedHelp):
    """Options that evaluate, and subcommands beside them; a misspelt subcommand is named."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            raise UsageError(f"no subcommand {name!r}{did_you_mean(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


def _limit(ctx: click.Context, parameter: click.Parameter, value: str) -> int | None:
    if value.strip().lower() == "all":
        return None
    try:
        return int(value)
    except ValueError:
        raise click.BadParameter(f"a number or 'all', not {value!r}") from None


def _sizes(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int | None, ...]:
    return tuple(_limit(ctx, parameter, part) for part in value.split(","))


def _counts(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"a number, or several with commas, not {value!r}") from None


def _auto_int(ctx: click.Context, parameter: click.Parameter, value: str) -> int | None:
    if value.strip().lower() == "auto":
        return None
    try:
        return int(value)
    except ValueError:
        raise click.BadParameter(f"a whole number or 'auto', not {value!r}") from None


def _auto_float(ctx: click.Context, parameter: click.Parameter, value: str) -> float | None:
    if value.strip().lower() == "auto":
        return None
    try:
        return float(value)
    except ValueError:
        raise click.BadParameter(f"a number or 'auto', not {value!r}") from None


def _preset(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not ctx.resilient_parsing:
        from robust_eval.presets import preset

        # What is given by hand comes before what stands here.
        ctx.default_map = {**(ctx.default_map or {}), **preset(value).options()}
    return value


OPTIONS = (
    click.option("--preset", metavar="NAME", is_eager=True, callback=_preset, help="Settings of a whole study by name (`list presets`); other options replace its own. head-to-head: a model prompted against itself fine-tuned."),
    click.option("--model", "models", multiple=True, metavar="SPEC", help="Model to test: demo:gemma-3-270m, hf:ID-OR-PATH, gguf:FILE, openai:MODEL, python:MODULE:CALLABLE, scripted:KIND. Repeatable."),
    click.option("--baseline", "baselines", multiple=True, metavar="SPEC", help="Model to compare with: an encoder id or folder (fine-tuned here), demo:minilm, demo:roberta-mini, lora:MODEL, full:MODEL, bow. Repeatable. [default: demo:minilm when every model is demo:, else roberta-base]"),
    click.option("--dataset", metavar="DATA", help="In-distribution data: demo:NAME, a file or folder, hub:ID@REV, or a name from `list domains`."),
    click.option("--train", metavar="DATA", help="Training data of its own. [default: carved from --dataset, disjoint from the test examples]"),
    click.option("--shift", "shifts", multiple=True, metavar="SHIFT", help="Shift to apply: a recipe (noisy, domain, prompt, all, smoke, ...), NAME[@SEVERITY,...], family:noise, ood:NAME, prompt-attack:RECIPE, or a recipe file. Repeatable. [default: noisy]"),
    click.option("--ood", multiple=True, metavar="NAME=DATA", help="Out-of-domain test data of your own under this name, for --shift domain or ood:NAME. Repeatable."),
    click.option("--limit", default="500", show_default=True, callback=_limit, metavar="N|all", help="Test examples per set, drawn by seed and balanced over classes."),
    click.option("--train-size", "train_sizes", default="2000", show_default=True, callback=_sizes, metavar="N|all,...", help="Training examples for baselines; several give a learning curve: 32,128,512,all."),
    click.option("--seeds", default=1, show_default=True, help="Fine-tunings of each baseline, with as many seeds."),
    click.option("--draws", default=1, show_default=True, help="Draws of demonstrations for each prompted model."),
    click.option("--equal-budgets", is_flag=True, help="Compare k demonstrations with k training examples only, and the most with all."),
    click.option("--seed", default=0, show_default=True, help="Seed of every draw."),
    click.option("--task", metavar="TASK", help="classification, pair, extractive-qa, open-qa, math, multiple-choice or boolean-qa. [default: told from the columns]"),
    click.option("--column", "columns", multiple=True, metavar="FIELD=COLUMN", help="Where a field is, e.g. text=review."),
    click.option("--label-map", multiple=True, metavar="RAW=LABEL", help="Label names, e.g. 0=negative,1=positive."),
    click.option("--split", metavar="NAME", help="Split of a Hub data set or of a saved folder."),
    click.option("--encoding", default="utf-8", show_default=True, help="Encoding of text files."),
    click.option("--shots", "shot_counts", default="4", show_default=True, callback=_counts, metavar="K,...", help="Demonstrations in the prompt; 0 is zero-shot. Several give a curve: 0,4,16."),
    click.option("--scoring", default="labels", show_default=True, metavar="HOW", help="labels: log-likelihood of each label; generate: generate and parse."),
    click.option("--calibrate", is_flag=True, help="Contextual calibration of label scores."),
    click.option("--length-normalised", is_flag=True, help="Divide a label's log-likelihood by its tokens."),
    click.option("--template", metavar="NAME|FILE", help="Prompt template: a built-in name or a TOML file."),
    click.option("--label-word", "label_words", multiple=True, metavar="LABEL=WORDS", help="Words that the prompt uses for a label."),
    click.option("--prompting", default="direct", show_default=True, metavar="HOW", help="direct: the answer alone; cot: reasoning step by step, then the answer."),
    click.option("--select", default="balanced", show_default=True, metavar="HOW", help="Demonstrations: balanced, random, similar (to each example) or complex (most reasoning steps)."),
    click.option("--prompt-source", default="id", show_default=True, metavar="WHICH", help="Demonstrations from the in-distribution pool (id), or for a natural shift from its own domain, held out (target)."),
    click.option("--chat", default="auto", show_default=True, metavar="HOW", help="A local model's own chat template: auto (where it has one), on or off."),
    click.option("--temperature", default=0.0, show_default=True, help="Of written answers; 0 is greedy."),
    click.option("--samples", default=1, show_default=True, metavar="N", help="Answers drawn for each example, which then vote; needs a temperature."),
    click.option("--vote", default="majority", show_default=True, metavar="HOW", help="majority, or complexity: each sample counts by its reasoning steps."),
    click.option("--max-new-tokens", default=16, show_default=True, help="Longest generated answer."),
    click.option("--epochs", default="auto", show_default=True, callback=_auto_int, metavar="N|auto", help="Fine-tuning epochs, at most; auto: by the size of the training data."),
    click.option("--learning-rate", default="auto", show_default=True, callback=_auto_float, metavar="X|auto", help="Fine-tuning learning rate of the topmost layer; auto: by method and encoder."),
    click.option("--train-batch-size", default="auto", show_default=True, callback=_auto_int, metavar="N|auto", help="Fine-tuning batch size; auto: by the size of the training data."),
    click.option("--layer-decay", default="auto", show_default=True, callback=_auto_float, metavar="X|auto", help="Learning rate of a layer over that of the layer above it; auto: 0.95; 1 for demo:roberta-mini and lora:."),
    click.option("--class-weights", default="auto", show_default=True, metavar="WHEN", help="Weigh classes alike in fine-tuning: auto (when they are unequal), on or off."),
    click.option("--mixed-precision", default="auto", show_default=True, metavar="WHEN", help="Fine-tune in bfloat16 over float32 weights: auto (on a GPU that has it), on or off."),
    click.option("--gradient-checkpointing", default="auto", show_default=True, metavar="WHEN", help="Save memory in fine-tuning: auto (when it runs out), on or off."),
    click.option("--truncation", default="head", show_default=True, metavar="PART", help="What an encoder reads of a text that is too long: head, tail or head-tail."),
    click.option("--max-length", default=256, show_default=True, help="Tokens after which encoder inputs are cut (and counted)."),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps."),
    click.option("--dtype", default="auto", show_default=True, help="auto, float32, bfloat16 or float16."),
    click.option("--batch-size", type=int, metavar="N", help="Examples per model batch. [default: by length]"),
    click.option("--level", default=0.95, show_default=True, help="Confidence level of the intervals."),
    click.option("--repeats", default=1, show_default=True, metavar="N", help="Answers of a stochastic model (python:, or sampled) to each clean example: the noise floor."),
    click.option("--validity", default="auto", show_default=True, metavar="HOW", help="How shifted examples are checked for a lost label, and shifts measured: encoder (MiniLM), words, off; auto is encoder where it is installed."),
    click.option("--model-version", metavar="TEXT", help="Version of a python: model, which lets its answers be cached across runs."),
    click.option("--attack-budget", default=200, show_default=True, metavar="N", help="Texts that an attack may ask a model about one example; of an attack on an instruction, wordings."),
    click.option("--attack-limit", default="100", show_default=True, callback=_limit, metavar="N|all", help="Test examples that are attacked, or that an attack on an instruction is searched with; drawn by seed."),
    click.option("--rewriter", metavar="SPEC", help="Model that rewrites the test for --shift rewrite:STYLE (formal, informal, paraphrase, simple)."),
    click.option("--attack-model", "attack_models", multiple=True, metavar="SPEC", help="Model or baseline of this run to attack. Repeatable. [default: each of them]"),
    click.option("--attack-control", is_flag=True, help="Beside each search on texts, random changes with as many queries for each example: what the search is worth."),
    click.option("--temperature-scaling", is_flag=True, help="Fit a temperature for each model on 200 held-out in-distribution examples, and show calibration before and after."),
    click.option("--panel", default="auto", show_default=True, metavar="FILE|NAME|off", help="Panel of models behind the reference line (robust-eval panel); auto: the embedded one on the same data."),
    *GATE_OPTIONS,
    *HOSTED_OPTIONS,
    click.option("--out", "out", metavar="FOLDER", help="Run folder. [default: reports/DATASET-MODEL-SHIFT-HASH]"),
    click.option("--overwrite", is_flag=True, help="Replace a run of other settings in the folder."),
    click.option("--cache-dir", metavar="FOLDER", help="Predictions and checkpoints. [default: $ROBUST_EVAL_CACHE or the platform's cache folder]"),
    click.option("--offline", is_flag=True, help="Never ask a model hub."),
    click.option("--quiet", is_flag=True, help="Only errors, and the report's path."),
)  # fmt: skip


def _with_options(command: Any) -> Any:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.group(
    cls=RootCommand,
    invoke_without_command=True,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@_with_options
@click.version_option(__version__, prog_name="robust-eval")
@click.pass_context
def robust_eval(ctx: click.Context, /, **options: Any) -> int | None:
    """How much does a model lose when its input stops looking like the benchmark, and is it
    really more robust than a fine-tuned baseline?

    Makes shifted versions of a test set, runs models and baselines on the same inputs, and writes
    a report with intervals.
    """
    if ctx.invoked_subcommand is not None:
        for option in ctx.command.params:
            if option.name in options and _given(ctx, option.name):
                raise UsageError(
                    f"{option.opts[0]} belongs to `robust-eval` itself and cannot stand before the "
                    f"subcommand {ctx.invoked_subcommand!r}; see robust-eval "
                    f"{ctx.invoked_subcommand} --help"
                )
        return None
    from robust_eval.cli.evaluate import evaluate_command

    return evaluate_command(options)


def _given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _register() -> None:
    from robust_eval.cli.audit import diff, merge, verify
    from robust_eval.cli.commands import doctor, gallery, list_, perturb, report, sheet
    from robust_eval.cli.gate import gate
    from robust_eval.cli.panel import panel_command
    from robust_eval.cli.plan import plan_command

    for command in (
        plan_command(OPTIONS),
        panel_command(OPTIONS),
        list_,
        perturb,
        report,
        gallery,
        sheet,
        gate,
        verify,
        diff,
        merge,
        doctor,
    ):
        robust_eval.add_command(command)


_register()
