"""One OpenAI-compatible server over HTTP: a JSON request, and a JSON reply that is not trusted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from robust_eval.errors import ModelError
from robust_eval.models.api.faults import Rejected, Transient
from robust_eval.models.api.retries import retry_after
from robust_eval.models.api.secrets import Secrets

if TYPE_CHECKING:
    import httpx2

OPENAI = "https://api.openai.com/v1"
MAX_REPLY = 16 * 1024**2  # bytes: log-probabilities of long prompts take a few of them
CONNECT_SECONDS = 10.0
_SAID = 300  # characters of a server's message that are passed on
_TRANSIENT = {408, 409, 421, 425, 429, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524, 529}


def server_address(text: str) -> str:
    """The address that `--base-url` means, without a slash at its end; `/v1` where it has no path.

    Raises ModelError for what is not a plain http or https address. One with credentials in it is
    not repeated in the message.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ModelError(
            f"--base-url {text[:200]!r} is no address; give one such as http://127.0.0.1:8080/v1"
        ) from error
    if "@" in text:
        raise ModelError(
            "--base-url must not hold a user name, password or key; put the key into the environment"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isprintable():
        raise ModelError(
            f"--base-url {text[:200]!r} is no http or https address; give one such as "
            "http://127.0.0.1:8080/v1"
        )
    if parts.query or parts.fragment:
        raise ModelError(
            f"--base-url {text[:200]!r} must end with its path, without '?' and '#'; "
            "servers that need more can be asked through litellm:"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    where = host if port is None else f"{host}:{port}"
    return f"{parts.scheme}://{where}{parts.path.rstrip('/') or '/v1'}"


def usable_key(key: str | None, variable: str) -> str | None:
    """The key as a header takes it; None when none is set. The value never enters a message."""
    if key is None or not key.strip():
        return None
    key = key.strip()
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ModelError(
            f"the key in {variable} holds spaces or characters that no key has; set it again"
        )
    return key


class Connection:
    """Keeps connections open between requests. Use it inside one event loop, with `async with`.

    Redirects are never followed, so the key goes to no other host; replies are read up to a cap.
    """

    def __init__(self, address: str, key: str | None, timeout: float, connections: int) -> None:
        self.address = address
        self.host = urlsplit(address).netloc
        self._key = key
        self._secrets = Secrets([key])
        self._timeout = timeout
        self._connections = connections

    async def __aenter__(self) -> Self:
        import httpx2

        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # what arrives is what counts against the cap
            "User-Agent": "robust-eval",
        }
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._client = httpx2.AsyncClient(
            headers=headers,
            follow_redirects=False,
            timeout=httpx2.Timeout(
                self._timeout, connect=min(CONNECT_SECONDS, self._timeout), pool=None
            ),
            limits=httpx2.Limits(
                max_connections=self._connections, max_keepalive_connections=self._connections
            ),
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> dict[str, Any]:
        """The JSON object under this path. Raises Transient or Rejected."""
        return await self._send("GET", path, None)

    async def models(self) -> list[str]:
        """Names of the models that the server says it has. Raises Transient or Rejected."""
        listed = (await self.get("/models")).get("data")
        rows = listed if isinstance(listed, list) else []
        names = (row.get("id") for row in rows if isinstance(row, dict))
        return [name for name in names if isinstance(name, str)]

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that answers this body. Raises Transient or Rejected."""
        # Lone surrogates have no UTF-8: as escapes they would be refused or mangled by the server.
        text = json.dumps(body, ensure_ascii=False, allow_nan=False)
        return await self._send("POST", path, text.encode("utf-8", "replace"))

    async def _send(self, method: str, path: str, content: bytes | None) -> dict[str, Any]:
        import httpx2

        try:
            # Over the whole exchange: a server that drips bytes keeps every single read in time.
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream(method, self.address + path, content=content) as response,
            ):
                raw = await self._read(response)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            reason = self._said(str(error) or "no connection")
            raise Transient(
                f"{self.host} cannot be reached ({reason})", overloaded=True, reached=False
            ) from None
        except (TimeoutError, httpx2.TimeoutException):
            raise Transient(
                f"no reply within {self._timeout:g} s (--timeout)", overloaded=True
            ) from None
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            reason = self._said(str(error) or type(error).__name__)
            raise Transient(f"the connection broke: {reason}", overloaded=True) from None
        return self._judged(response, raw)

    async def _read(self, response: httpx2.Response) -> bytes:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise Transient(f"the reply is compressed ({encoding[:40]}), which was not asked for")
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_raw():
            size += len(part)
            if size > MAX_REPLY:
                raise Transient(f"the reply is over {MAX_REPLY // 1024**2} MiB")
            parts.append(part)
        return b"".join(parts)

    def _judged(self, response: httpx2.Response, raw: bytes) -> dict[str, Any]:
        status = response.status_code
        if 300 <= status < 400:
            target = urlsplit(response.headers.get("location", "")).netloc or "another path"
            raise Rejected(
                status,
                f"redirected to {self._said(target)}, which is not followed: the key goes to no "
                "other place; give the final address as --base-url",
            )
        if status == 200:
            body = self._parsed(response, raw)
            if "error" in body and "choices" not in body and "data" not in body:
                raise Transient(self._error(raw)[0] or "an error in place of an answer")
            return body
        message, code, parameter = self._error(raw)
        if status in _TRANSIENT and code not in (
            "insufficient_quota",
            "billing_hard_limit_reached",
        ):
            raise Transient(
                f"HTTP {status}: {message}" if message else f"HTTP {status}",
                overloaded=True,
                retry_after=retry_after(response.headers.get("retry-after"), datetime.now(UTC)),
            )
        raise Rejected(status, message, code=code, parameter=parameter)

    def _parsed(self, response: httpx2.Response, raw: bytes) -> dict[str, Any]:
        kind = response.headers.get("content-type", "")
        if "json" not in kind.lower():
            raise Transient(f"the reply is {self._said(kind) or 'of no type'}, not JSON")
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            raise Transient("the reply is no whole JSON text") from None
        if not isinstance(body, dict):
            raise Transient("the reply is no JSON object")
        return self._secrets.scrubbed(body)  # type: ignore[no-any-return]

    def _error(self, raw: bytes) -> tuple[str, str, str]:
        """Message, code and parameter of an error reply, whatever its shape."""
        try:
            body = json.loads(raw[:65_536])
        except (ValueError, RecursionError):
            return "", "", ""
        error = body.get("error", body) if isinstance(body, dict) else body
        if not isinstance(error, dict):
            return self._said(error if isinstance(error, str) else ""), "", ""
        message = error.get("message") or error.get("detail") or ""
        code = error.get("code") if isinstance(error.get("code"), str) else error.get("type")
        parameter = error.get("param")
        return (
            self._said(message if isinstance(message, str) else json.dumps(message)),
            self._said(code) if isinstance(code, str) else "",
            self._said(parameter) if isinstance(parameter, str) else "",
        )

    def _said(self, text: str) -> str:
        """A server's words, short, on one line and without the key."""
        return self._secrets.hidden(" ".join(text.split()))[:_SAID]
