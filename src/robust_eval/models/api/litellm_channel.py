"""`litellm:<provider>/<model>`: other providers, through the litellm package and its own variables for keys."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

from robust_eval.errors import ModelError
from robust_eval.models.account import MILLION, Price
from robust_eval.models.api.connection import server_address
from robust_eval.models.api.faults import Rejected, Transient
from robust_eval.models.api.model import HostedModel, require_fitting
from robust_eval.models.api.prices import price_of
from robust_eval.models.api.retries import retry_after
from robust_eval.models.api.secrets import Secrets
from robust_eval.models.context import ModelContext
from robust_eval.models.prompt import make_prompt
from robust_eval.models.specs import Role, parse_spec

_SAID = 300  # characters of a provider's message that are passed on
_BY_NAME = {  # what an exception's class says beyond its status
    "ContextWindowExceededError": "context_length_exceeded",
    "ContentPolicyViolationError": "content_filter",
}


def load(spec: str, role: Role, context: ModelContext) -> HostedModel:
    """The model behind litellm, which is imported when it is first asked.

    Raises ModelError when the package is missing or the settings do not fit.
    """
    name = parse_spec(spec, role).name
    if importlib.util.find_spec("litellm") is None:
        raise ModelError(
            f"{spec!r} needs the litellm package: pip install 'robust-eval[litellm]' in an environment of "
            "its own (docs/api.md), or ask the provider's OpenAI-compatible address through openai: "
            "and --base-url"
        )
    require_fitting(context)
    if context.endpoint != "chat":
        raise ModelError(f"{spec!r} is asked by chat only; leave out --endpoint {context.endpoint}")
    address = server_address(context.base_url) if context.base_url else None
    limits = context.account.limits
    return HostedModel(
        spec,
        role,
        context,
        name,
        make_prompt(context),
        address or "litellm",
        lambda: LitellmChannel(address, limits.timeout),
        price=partial(_price, name, limits.prices),
        key_hint="set the provider's key in the variable that litellm reads it from",
    )


class LitellmChannel:
    """One chat request through `litellm.acompletion`; retries and caps are ours, not litellm's."""

    def __init__(self, address: str | None, timeout: float) -> None:
        self.host = address or "litellm"
        self._address = address
        self._timeout = timeout
        self._secrets = Secrets.of(os.environ)

    async def __aenter__(self) -> Self:
        self._litellm = _litellm()
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def models(self) -> list[str]:
        return []

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The reply in OpenAI's form. Raises Transient or Rejected."""
        where = {"api_base": self._address} if self._address else {}
        try:
            reply = await self._litellm.acompletion(
                **body, **where, timeout=self._timeout, num_retries=0, max_retries=0
            )
            found = json.loads(reply.model_dump_json())
        except Exception as error:  # noqa: BLE001 - providers' own code may raise anything
            raise self._fault(error) from None
        return self._secrets.scrubbed(found)  # type: ignore[no-any-return]

    def _fault(self, error: Exception) -> Transient | Rejected:
        """What a provider's exception means; its text is cut and without keys."""
        kind = type(error).__name__
        text = self._secrets.hidden(" ".join(str(error).split()))[:_SAID]
        status = getattr(error, "status_code", None)
        if kind in ("Timeout", "APIConnectionError"):
            return Transient(text or kind, overloaded=True)
        if isinstance(status, int) and (status in (408, 409, 429) or status >= 500):
            headers = getattr(getattr(error, "response", None), "headers", None) or {}
            wait = retry_after(headers.get("retry-after"), datetime.now(UTC))
            return Transient(text, overloaded=True, retry_after=wait)
        if isinstance(status, int):
            return Rejected(status, text, code=_BY_NAME.get(kind, ""))
        return Transient(f"{kind}: {text}")


def _litellm() -> Any:
    # Before the import: else it fetches its table of prices from the network.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    litellm: Any = importlib.import_module("litellm")
    litellm.suppress_debug_info = True  # it prints advice on every error
    return litellm


def _price(name: str, table: str | None) -> Price | None:
    if (price := price_of(name, table, at_openai=False)) is not None:
        return price
    row = _litellm().model_cost.get(name, {})
    prompt, completion = row.get("input_cost_per_token"), row.get("output_cost_per_token")
    if not isinstance(prompt, int | float) or not isinstance(completion, int | float):
        return None
    version = importlib.metadata.version("litellm")
    return Price(prompt * MILLION, completion * MILLION, f"litellm {version}")
