"""Helpers for teachers behind an HTTP server: check the URL and the API key, and convert errors
without a status code, or with status 200, to scicot's exceptions."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx2

from scicot.errors import ScicotError
from scicot.teachers.base import TeacherBusy
from scicot.teachers.error_table import classify, classify_typed
from scicot.teachers.stop_reasons import Stop, kind_of
from scicot.text import one_line, whole_characters

# Exceptions other than those of the SDKs, raised for responses that are cut short or cannot be
# decoded.
UNREADABLE = (
    httpx2.HTTPError,
    httpx2.StreamError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)

# Characters that RFC 9110 allows in the name of a header.
_HEADER_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)

ADDRESS = "give the server as http://HOST:PORT, the port from 1 to 65535"


def check_url(url: str) -> None:
    """Raise ScicotError if a URL is not the address of a server (http or https, host, port). The
    message hides the password that the URL may contain."""
    try:
        parts = urlsplit(url)
        port = parts.port  # raises ValueError above 65,535
    except ValueError:
        parts, port = urlsplit(""), None
    valid_host = re.fullmatch(r"[\w.:%-]+", parts.hostname or "")
    if parts.scheme not in ("http", "https") or not valid_host or port == 0:
        raise ScicotError(f"--base-url {_without_password(url)!r}: {ADDRESS}")


def _without_password(url: str) -> str:
    prefix, at, host = url.rpartition("@")
    return f"...@{host}" if at else prefix + host


def has_key(environment: Mapping[str, str], *names: str) -> bool:
    """Return True if one of these environment variables holds an API key. Raises ScicotError for a
    key with characters that an HTTP header cannot contain. The message does not show the key."""
    present = [name for name in names if environment.get(name)]
    for name in present:
        if not _fits_header(environment[name]):
            raise ScicotError(
                f"{name}: not a valid API key (a line break, a control or non-ASCII character, or a"
                " space at its start or end); set it again"
            )
    return bool(present)


def _fits_header(value: str) -> bool:
    return value.isascii() and value.isprintable() and value == value.strip()


def check_headers(lines: str, *values: str) -> None:
    """Raise ScicotError if an environment variable has characters that an HTTP header cannot
    contain. The message names the variable and does not show its value.

    All arguments are names of environment variables:

    lines: a variable with one header per line, as NAME: VALUE.
    values: variables that each contain the value of a header, without its name.
    """
    wrong = [name for name in values if not _fits_header(os.environ.get(name, ""))]
    # The SDK ignores lines without a colon, and strips names and values.
    headers = [line.split(":", 1) for line in os.environ.get(lines, "").split("\n") if ":" in line]
    for name, value in headers:
        valid_value = _fits_header(value.strip().replace("\t", " "))
        if not (_HEADER_NAME.fullmatch(name.strip()) and valid_value):
            wrong.append(lines)
    if wrong:
        raise ScicotError(
            f"{wrong[0]}: not valid as an HTTP header (a line break, a control or non-ASCII"
            " character, a space around the value, or an invalid header name); correct it, or unset"
            " it"
        )


def check_environment() -> None:
    """Raise ScicotError if an environment variable makes requests impossible, because a proxy
    cannot be used or certificates cannot be read. The messages do not show the values of variables,
    which may contain passwords."""
    try:
        httpx2.create_ssl_context()
    except OSError as error:
        name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
        raise ScicotError(
            f"{name}: cannot read certificates ({one_line(error.strerror or str(error), 200)});"
            f" set SSL_CERT_FILE to a file in PEM format, or unset {name}"
        ) from None
    proxies = getproxies()
    if "*" in (host.strip() for host in proxies.get("no", "").split(",")):
        return
    for scheme in ("http", "https", "all"):
        if url := proxies.get(scheme):
            _check_proxy(scheme, url if "://" in url else f"http://{url}")


def _check_proxy(scheme: str, url: str) -> None:
    name = f"{scheme}_proxy" if os.environ.get(f"{scheme}_proxy") else f"{scheme}_proxy".upper()
    try:
        httpx2.AsyncHTTPTransport(verify=False, proxy=httpx2.Proxy(url=url))
    except ImportError:
        raise ScicotError(
            f"{name}: a SOCKS proxy needs a package: pip install socksio; or name an HTTP proxy, or"
            " unset the variable"
        ) from None
    except (httpx2.InvalidURL, ValueError):
        raise ScicotError(
            f"{name}: not a valid proxy URL; give http://HOST:PORT, or unset the variable"
        ) from None


def address_of(url: httpx2.URL) -> str:
    """Return the host, port and path of a URL. The user name, password and query are left out,
    because they may contain secrets."""
    return one_line(f"{url.netloc.decode('ascii', 'replace')}{url.path}", 200)


def origin_of(response: httpx2.Response) -> str:
    """Return the status and the address of a response, for error messages. After a redirect, for
    example to a login page, the address is the one that the response came from."""
    return f" ({response.status_code} from {address_of(response.url)})"


def error_without_status(error: Exception) -> Exception:
    """Return scicot's exception for an exception without a status code. The HTTP client library
    raises such exceptions if the connection fails or the response cannot be decoded."""
    if isinstance(error, json.JSONDecodeError):
        return TeacherBusy("the server's answer is not JSON")
    if isinstance(error, ValueError | TypeError | KeyError | AttributeError | RecursionError):
        return TeacherBusy(one_line(f"the server's answer cannot be read ({error})", 300))
    if isinstance(error.__cause__, httpx2.TooManyRedirects):
        address = address_of(error.__cause__.request.url)
        return TeacherBusy(f"the server redirects too many times (status 3xx, last to {address})")
    cause = str(error.__cause__ or "")
    # Only a request can have a bad header that the user can mend; a response may hold anything.
    if isinstance(error.__cause__, httpx2.LocalProtocolError) and "header" in cause.lower():
        return ScicotError(f"cannot send requests: {one_line(cause, 300)}; correct the API key")
    return TeacherBusy(one_line(f"{error} {cause and f'({cause})'}", 300))


def raise_error_in(body: bytes, headers: Mapping[str, str]) -> None:
    """Raise the exception for an error in the body of a response with status 200. llama.cpp and
    some proxies send such responses. Do nothing if the body contains no error."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, dict):
        raise classify_typed(error, otherwise=400)
    if error:
        raise classify(400, value, headers)


def stop_reason_of(reason: Any) -> str:
    """Return a stop reason as a string of at most 100 characters. Return "end_turn" if the server
    sent no stop reason. Raises TeacherBusy if the server broke off the reply."""
    if not isinstance(reason, str) or not reason:
        return "end_turn"
    if kind_of(reason) is Stop.BROKEN_OFF:
        raise TeacherBusy(f"the server broke off its reply ({reason})")
    return reason[:100]


_COUNTS = ("input_tokens", "output_tokens", "prompt_tokens", "completion_tokens")


def counts_in(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a usage object that may be token counts:

    - each field of _COUNTS, if its value is not null
    - each other field, if its value is a number other than 0

    A field of _COUNTS is returned even if its value is not a number. `Reply` later removes values
    that are not numbers, and lists their fields in `misstated`.
    """
    # Local servers may omit fields, and broken servers may add fields of any type.
    numbers: dict[str, Any] = {}
    for name, count in usage.items():
        number = isinstance(count, int | float) and not isinstance(count, bool)
        if number and (count or name in _COUNTS):
            integral = isinstance(count, float) and count.is_integer()
            numbers[whole_characters(name)] = int(count) if integral else count
        elif not number and name in _COUNTS and count is not None:
            numbers[name] = count
    return numbers
