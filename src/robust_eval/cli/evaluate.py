"""`robust-eval --model ... --shift ...`: one run, and what the terminal says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from robust_eval.errors import EXIT_INFRASTRUCTURE, EXIT_PASS, UsageError

if TYPE_CHECKING:
    from robust_eval.settings import Output, Settings


def settings_of(options: dict[str, Any]) -> tuple[Settings, Output]:
    """What the options of the root command ask for. Raises UsageError."""
    from robust_eval.cli.hosted import limits_of
    from robust_eval.presets import preset
    from robust_eval.settings import Output, Settings, largest, pairs

    if not options["models"] and not options["dataset"]:
        raise UsageError(
            "nothing to do; try: robust-eval --model demo:gemma-3-270m --dataset demo:rotten-tomatoes "
            "--shift noisy (or --help)"
        )
    output = Output(
        folder=options["out"],
        overwrite=options["overwrite"],
        cache_dir=options["cache_dir"],
        offline=options["offline"],
        requests=limits_of(options),
    )
    baselines = options["baselines"]
    if options["preset"] is not None and not baselines:
        baselines = preset(options["preset"]).baselines(options["models"])
    settings = Settings(
        baselines=baselines,
        dataset=options["dataset"] or "",
        shifts=options["shifts"] or ("noisy",),
        ood=pairs("--ood", options["ood"], commas=False),
        columns=pairs("--column", options["columns"]),
        label_map=pairs("--label-map", options["label_map"]),
        label_words=pairs("--label-word", options["label_words"]),
        train_size=largest(options["train_sizes"]),
        train_sizes=_several(options["train_sizes"]),
        shots=max(options["shot_counts"]),
        shot_counts=_several(options["shot_counts"]),
        **{
            name: options[name]
            for name in (
                "models", "train", "task", "split", "encoding", "limit",
                "seed", "level", "seeds", "draws", "equal_budgets", "scoring", "length_normalised", "calibrate", "template",
                "max_new_tokens", "epochs", "learning_rate", "train_batch_size", "max_length",
                "device", "dtype", "batch_size", "model_version", "repeats", "prompting", "select", "samples", "vote", "temperature", "chat", "prompt_source", "base_url", "endpoint",
                "attack_budget", "attack_limit", "attack_models", "attack_control", "rewriter",
                "truncation", "layer_decay", "class_weights", "mixed_precision", "gradient_checkpointing",
                "validity", "temperature_scaling",
            )
        },
    )  # fmt: skip
    return settings, output


def evaluate_command(options: dict[str, Any]) -> int:
    """Runs and shows; 0, the gate's 1 or 3, or 4 when requests failed. Raises RobustEvalError for everything else."""
    from robust_eval.cli import terminal
    from robust_eval.cli.gate import policy_of
    from robust_eval.gate import exit_code
    from robust_eval.run import evaluate, failed_requests

    quiet = options["quiet"]
    settings, output = settings_of(options)
    policy = policy_of(options, level=settings.level)
    record, folder = evaluate(
        settings,
        output,
        policy=policy,
        panel=options["panel"],
        progress=terminal.no_progress if quiet else terminal.progress,
        announce=(lambda line: None) if quiet else terminal.say,
    )
    if not quiet:
        terminal.show_summary(record)
        terminal.show_usage(record)
    if policy is not None and record.gate is not None:
        terminal.show_gate(record, quiet=quiet)
    failed = failed_requests(record)
    if failed:
        terminal.warn(
            f"{failed} requests failed and are left out; the same command asks for them again"
        )
    terminal.show_path(folder / "report.html")
    if failed:
        return EXIT_INFRASTRUCTURE
    return exit_code(record.gate) if policy is not None and record.gate is not None else EXIT_PASS


def _several(numbers: tuple[Any, ...]) -> tuple[Any, ...]:
    return numbers if len(numbers) > 1 else ()
