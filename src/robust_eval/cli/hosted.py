"""Options of `robust-eval` for models behind a server, and the limits they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from robust_eval.models.limits import RequestLimits

HOSTED_OPTIONS = (
    click.option("--base-url", metavar="URL", help="Server of openai: models, e.g. http://127.0.0.1:8080/v1. [default: $OPENAI_BASE_URL or OpenAI's own]"),
    click.option("--endpoint", default="chat", show_default=True, metavar="HOW", help="chat, or completions: the prompt as one text, for base models and for label log-likelihoods."),
    click.option("--api-key-env", default="OPENAI_API_KEY", show_default=True, metavar="NAME", help="Environment variable that holds the key of openai: models."),
    click.option("--max-requests", type=int, metavar="N", help="Stop, resumably, before more requests than this are made; retries count."),
    click.option("--max-cost", type=float, metavar="USD", help="Stop, resumably, before hosted models may cost more than this."),
    click.option("--prices", metavar="FILE", help="Prices of hosted models, a TOML table (docs/api.md). [default: OpenAI's, dated]"),
    click.option("--timeout", default=60.0, show_default=True, metavar="SECONDS", help="Longest wait for one reply."),
    click.option("--deadline", type=float, metavar="SECONDS", help="Longest time for all requests; then the run stops, resumably."),
    click.option("--retries", default=10, show_default=True, metavar="N", help="Further attempts after a request failed."),
    click.option("--retry-wait", default=30.0, show_default=True, metavar="SECONDS", help="Longest wait before one of them, whatever the server asks for."),
    click.option("--concurrency", default=64, show_default=True, metavar="N", help="Requests on their way at once, at most; fewer while a server is overloaded."),
)  # fmt: skip
LIMITS = (
    "api_key_env",
    "timeout",
    "deadline",
    "retries",
    "retry_wait",
    "concurrency",
    "max_requests",
    "max_cost",
    "prices",
)


def limits_of(options: dict[str, Any]) -> RequestLimits:
    """The bounds that the options set. Raises UsageError for impossible ones."""
    from robust_eval.models.limits import RequestLimits

    return RequestLimits(**{name: options[name] for name in LIMITS})
