"""`openai:<model>` and `litellm:<model>`: a hosted model behind the one model seam."""

from __future__ import annotations

import asyncio
import copy
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlsplit

from robust_eval.errors import InfrastructureError, ModelError, did_you_mean
from robust_eval.models.account import CapReachedError, Price
from robust_eval.models.api.answering import SEEDS, Answering
from robust_eval.models.api.asking import Asking, Channel
from robust_eval.models.api.connection import OPENAI, Connection, server_address, usable_key
from robust_eval.models.api.prices import price_of
from robust_eval.models.api.retries import Patience
from robust_eval.models.api.window import Window
from robust_eval.models.context import ENDPOINTS, ModelContext
from robust_eval.models.prompt import Prompt, make_prompt
from robust_eval.models.prompt_edits import edited
from robust_eval.models.specs import Role, parse_spec
from robust_eval.records import Example, Job, ModelCard, Prediction
from robust_eval.rng import hexdigest

METHOD_VERSION = 2  # raise it when a change in this package changes what is asked or read
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def load(spec: str, role: Role, context: ModelContext) -> HostedModel:
    """The model behind `--base-url`. Nothing is sent yet.

    Raises ModelError for a wrong address, settings that do not fit, or a missing library.
    """
    parsed = parse_spec(spec, role)
    limits = context.account.limits
    require_fitting(context)
    key = usable_key(os.environ.get(limits.api_key_env), limits.api_key_env)
    given = context.base_url or os.environ.get("OPENAI_BASE_URL")
    address = server_address(given) if given else OPENAI
    if address == OPENAI and key is None:
        raise ModelError(
            f"{spec!r} needs a key in {limits.api_key_env} (or --base-url for a server of your own)"
        )
    return HostedModel(
        spec,
        role,
        context,
        parsed.name,
        make_prompt(context),
        address,
        lambda: Connection(address, key, limits.timeout, limits.concurrency),
        price=partial(price_of, parsed.name, limits.prices, at_openai=address == OPENAI),
        key_hint=f"check the key in {limits.api_key_env}"
        if key
        else f"no key is set in {limits.api_key_env}",
    )


def require_fitting(context: ModelContext) -> None:
    """Raises ModelError for settings that no hosted model can follow."""
    settings = context.prompt
    if context.endpoint not in ENDPOINTS:
        raise ModelError(
            f"unknown endpoint {context.endpoint!r}{did_you_mean(context.endpoint, ENDPOINTS)}"
        )
    if context.endpoint == "chat" and (settings.calibrate or settings.length_normalised):
        option = "--calibrate" if settings.calibrate else "--length-normalised"
        raise ModelError(
            f"{option} needs the log-likelihood of whole labels, which chat does not give; use "
            "--endpoint completions, or leave it out"
        )
    if not 1 <= settings.max_new_tokens <= 1024:
        raise ModelError(f"max_new_tokens must lie in 1 to 1024, not {settings.max_new_tokens}")


class HostedModel:
    """Asks many examples at once; every answer is handed over as it arrives.

    Not deterministic by assumption: hosted models answer differently at different times, so each
    example of each set is asked for itself.
    """

    def __init__(
        self,
        spec: str,
        role: Role,
        context: ModelContext,
        name: str,
        prompt: Prompt,
        address: str,
        channel: Callable[[], Channel],
        *,
        price: Callable[[], Price | None],
        key_hint: str,
    ) -> None:
        self._spec, self._role = spec, role
        self._context = context
        self._name = name
        self._prompt = prompt
        self._address = address
        self._channel = channel
        self._key_hint = key_hint
        self._seed = context.seed % SEEDS
        self._price = price
        self.labels = tuple(label for label, _ in prompt.words)
        if context.account.limits.max_cost is not None and price() is None:
            raise ModelError(
                f"--max-cost needs the price of {name!r}, which is not in the table of prices; give "
                "--prices with a TOML file that has it"
            )

    @property
    def card(self) -> ModelCard:
        return ModelCard(
            name=f"{self._spec} ({self._context.prompt.shots}-shot)",
            spec=self._spec,
            role=self._role,
            kind="prompted",
            fingerprint=self._fingerprint,
            deterministic=False,
            details=self._details(),
        )

    @property
    def prompt(self) -> Prompt:
        """What stands before and around every example."""
        return self._prompt

    @property
    def price(self) -> Price | None:
        """What its tokens cost, where a table of prices says so."""
        return self._price()

    def with_prompt(self, edit: str) -> HostedModel | str:
        """The same model under an edited prompt, or why the edit does not apply."""
        changed = edited(self._prompt, edit)
        if isinstance(changed, str):
            return changed
        twin = copy.copy(self)
        twin.__dict__.pop("_fingerprint", None)
        twin._prompt = changed
        return twin

    def with_demonstrations(self, pool: tuple[Example, ...]) -> HostedModel:
        """The same model, shown examples drawn from another pool."""
        twin = copy.copy(self)
        twin.__dict__.pop("_fingerprint", None)
        twin._context = replace(self._context, demonstrations=pool)
        twin._prompt = make_prompt(twin._context)
        return twin

    def with_repeat(self, repeat: int) -> HostedModel:
        """The same model asked again, under other seeds."""
        twin = copy.copy(self)
        twin._seed = (self._context.seed + repeat * self._context.prompt.samples) % SEEDS
        return twin

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
        """One example each, in the order given."""
        for i, example in enumerate(examples):
            yield Job((i,), partial(self._alone, example))

    def stream(
        self, examples: Sequence[Example], wanted: Iterable[int]
    ) -> Iterator[list[tuple[int, Prediction]]]:
        """The answers to the examples at these places, in the order in which they arrive.

        Asks as many at once as the server bears. When the caller stops, so do the requests. Raises
        InfrastructureError or ModelError when asking on is of no use, after the answers that came.
        """
        arrived: queue.SimpleQueue[Arrived] = queue.SimpleQueue()
        work = _Work(self, examples, iter(wanted), arrived.put)
        thread = threading.Thread(target=work.run, name="robust-eval-requests", daemon=True)
        thread.start()
        try:
            ended = False
            while not ended:
                batch, taken, failure = [], [], None
                item = arrived.get()
                while True:
                    if item is None:
                        ended = True
                    elif isinstance(item, BaseException):
                        failure = item
                    else:
                        place, answer, on_taken = item
                        batch.append((place, answer))
                        taken.append(on_taken)
                    try:
                        item = arrived.get_nowait()
                    except queue.Empty:
                        break
                if batch:
                    yield batch
                    work.go_on(taken)
                if failure is not None:
                    raise failure
        finally:
            work.stop()
            thread.join()

    def _alone(self, example: Example) -> list[Prediction]:
        return [answer for batch in self.stream([example], [0]) for _, answer in batch]

    # --- what the work asks for ---

    def answering(self, asking: Asking) -> Answering:
        return Answering(asking, self._context, self._prompt, self._name, seed=self._seed)

    def asking(self, channel: Channel) -> Asking:
        account, limits = self._context.account, self._context.account.limits
        account.open(self._spec, self._price())
        return Asking(
            channel,
            self._name,
            self._spec,
            account,
            Patience(limits.retries, limits.retry_wait),
            Window(limits.concurrency),
            key_hint=self._key_hint,
        )

    @property
    def workers(self) -> int:
        return self._context.account.limits.concurrency

    @property
    def channel(self) -> Callable[[], Channel]:
        return self._channel

    @property
    def time_left(self) -> float | None:
        return self._context.account.time_left

    # --- identity ---

    @cached_property
    def _fingerprint(self) -> str:
        context, settings = self._context, self._context.prompt
        return hexdigest(
            "hosted",
            METHOD_VERSION,
            self._spec,
            context.model_version or self._address,
            context.endpoint,
            self._prompt.fingerprint(),
            context.task.kind.value,
            *self.labels,
            settings.scoring,
            int(settings.length_normalised),
            int(settings.calibrate),
            settings.max_new_tokens,
            context.seed,
            *(["temperature", repr(settings.temperature)] if settings.temperature else ()),
            *(["samples", settings.samples, settings.vote] if settings.samples > 1 else ()),
        )

    def _details(self) -> dict[str, Any]:
        context, settings = self._context, self._context.prompt
        details: dict[str, Any] = {
            "prompt": self._prompt.preview(context.task.fields),
            "template": self._prompt.template.name,
            "shots": settings.shots,
            "prompt_source": "in-distribution training pool" if settings.shots else "none",
            "demonstrations": [shown.id for shown in self._prompt.demonstrations],
            "label_words": dict(self._prompt.words),
            "scoring": "label log-likelihood where the server shows it, else the written answer"
            if not settings.writes and self.labels
            else "generation and parsing",
            "length_normalised": settings.length_normalised,
            "calibrated": settings.calibrate,
            "server": self._address,
            "endpoint": context.endpoint,
            "decoding": f"temperature {settings.temperature:g}, seed {self._seed}",
        }
        if settings.samples > 1:
            details["samples"] = settings.samples
            details["vote"] = settings.vote
        if context.model_version:
            details["version"] = context.model_version
        parts = urlsplit(self._address)
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            details["warnings"] = [
                f"asked over http: texts and key crossed the network to {parts.hostname} unencrypted"
            ]
        return details


# An answer with its place and what to settle when it is stored; what ended the work; or its end.
Arrived = tuple[int, Prediction, "asyncio.Future[None]"] | BaseException | None


class _Work:
    """The event loop in a thread of its own: it may stand beside a notebook's, and stores go on."""

    def __init__(
        self,
        model: HostedModel,
        examples: Sequence[Example],
        wanted: Iterator[int],
        hand_over: Callable[[Arrived], None],
    ) -> None:
        self._model = model
        self._examples = examples
        self._wanted = wanted
        self._hand_over = hand_over
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = threading.Event()
        self._reached: CapReachedError | None = None

    def run(self) -> None:
        """All requests; whatever ends them early is handed over, then None."""
        try:
            asyncio.run(self._main())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._hand_over(error)
        finally:
            self._hand_over(None)

    def stop(self) -> None:
        """Ends what is still on its way; to be called from the caller's thread."""
        self._stopped.set()
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            try:
                loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:  # the loop has ended meanwhile
                return

    def go_on(self, taken: Sequence[asyncio.Future[None]]) -> None:
        """The caller has taken care of these answers: whoever brought one may ask for the next."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(_settle, taken)

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._stopped.is_set():
            return
        async with self._model.channel() as channel:
            asking = self._model.asking(channel)
            answering = self._model.answering(asking)
            try:
                async with asyncio.timeout(self._model.time_left), asyncio.TaskGroup() as group:
                    for _ in range(self._model.workers):
                        group.create_task(self._worker(answering))
            except TimeoutError:
                raise InfrastructureError(
                    "the --deadline is over; answers so far are kept: run the same command again"
                ) from None
            except BaseExceptionGroup as failures:
                raise _first_cause(failures) from None
        if self._reached is not None:
            raise InfrastructureError(
                f"{self._reached}; answers so far are kept: raise the cap, or run the same command "
                "again to go on with as much once more"
            )

    async def _worker(self, answering: Answering) -> None:
        for i in self._wanted:
            try:
                answer = await answering.answer(self._examples[i])
            except CapReachedError as cap:
                # Others end what they have on its way; nobody starts anything new.
                self._reached = self._reached or cap
                return
            # A worker waits until its answer is stored: so an interruption costs no more answers
            # than there are workers, however slow the disk is.
            taken = asyncio.get_running_loop().create_future()
            self._hand_over((i, answer, taken))
            await taken


def _settle(taken: Sequence[asyncio.Future[None]]) -> None:
    for future in taken:
        if not future.done():  # else its worker was cancelled
            future.set_result(None)


def _first_cause(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    cause: BaseException = failures
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    return cause
