"""Files of other people, kept in a folder: fetched once, checked, and continued where a transfer broke off.

pooch checks digests and places complete files; what is here adds mirrors, continued transfers and a record for files
whose digest is not known beforehand: that of the first download is written beside the file and holds from then on.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from degu.errors import DataError
from degu.files import write_text
from degu.progress import Progress

log = logging.getLogger(__name__)

_CHUNK = 1 << 16
_CONNECT = 10.0


def cache_folder(folder: str | Path | None = None) -> Path:
    """Return where downloaded files are kept.

    Args:
        folder: A folder; None takes that of the environment variable `DEGU_DATA`, or the platform's cache folder.
    """
    import pooch

    named = folder or os.environ.get("DEGU_DATA")
    return Path(named).expanduser() if named else Path(pooch.os_cache("degu"))


def fetch(
    name: str,
    urls: Sequence[str],
    checksum: str | None = None,
    folder: str | Path | None = None,
    *,
    attempts: int = 3,
    timeout: float = 30.0,
    pause: float = 2.0,
) -> Path:
    """Return a file, downloaded if it is not there yet.

    Args:
        name: Its path below the folder.
        urls: Where to find it, tried in this order; ``{file}`` stands for the last part of the name.
        checksum: ``sha256:...`` or ``md5:...``. None trusts the first download and records its SHA-256 in
            ``<name>.sha256``, which every later use is checked against.
        folder: See `cache_folder`.
        attempts: Transfers from each address before the next is tried; a transfer that broke off is continued.
        timeout: Seconds without any data after which a transfer has failed.
        pause: Seconds before the second attempt; each further one waits twice as long.

    Returns:
        The file, whose digest is the expected one.

    Raises:
        DataError: No address gives the file, its digest is another, or the folder cannot be written to.
    """
    target = cache_folder(folder) / name
    record = target.with_name(f"{target.name}.sha256")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            known = checksum or _recorded(record)
            if target.exists():
                _check_present(target, known, record)
            else:
                _download(target, [url.replace("{file}", target.name) for url in urls], known, attempts, timeout, pause)
            if checksum is None and not record.exists():
                _write_record(target, record)
    except OSError as error:
        raise DataError(
            f"{target}: expected a folder that can be written to, received: {error.strerror or error}. Set "
            "DEGU_DATA to another folder."
        ) from None
    return target


def _recorded(record: Path) -> str | None:
    if not record.is_file():
        return None
    digest = record.read_text(encoding="utf-8").split(maxsplit=1)[:1]
    if not digest or len(digest[0]) != 64:
        raise DataError(f"{record}: expected a SHA-256 and a file name, received something else. Delete the file.")
    return f"sha256:{digest[0]}"


def _write_record(target: Path, record: Path) -> None:
    import pooch

    digest = pooch.file_hash(str(target), alg="sha256")
    write_text(record, f"{digest}  {target.name}\n")
    log.info("%s: no checksum is known; SHA-256 %s is recorded and checked from now on", target, digest)


def _check_present(target: Path, known: str | None, record: Path) -> None:
    import pooch

    if known is None:
        return
    algorithm, _, digest = known.partition(":")
    found = pooch.file_hash(str(target), alg=algorithm)
    if found != digest.lower():
        raise DataError(
            f"{target}: expected {known}, received {algorithm}:{found}. The file was altered or is another version. "
            f"Delete it to download it again{'; delete the record too: ' + str(record) if record.exists() else ''}."
        )


def _download(
    target: Path, urls: Sequence[str], known: str | None, attempts: int, timeout: float, pause: float
) -> None:
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    failures = []
    for url in urls:
        for attempt in range(attempts):
            downloader = _Continuing(target, known is not None, timeout)
            try:
                pooch.retrieve(url, known, fname=target.name, path=target.parent, downloader=downloader)
                return
            except requests.RequestException as error:
                reason = _reason(error, timeout)
                log.warning("%s: attempt %d of %d failed: %s", url, attempt + 1, attempts, reason)
                if _is_final(error) or attempt + 1 == attempts:
                    failures.append(f"{url}: {reason}")
                    break
                time.sleep(pause * 2**attempt)
            except ValueError as error:
                failures.append(f"{url}: another content, {' '.join(str(error).split())}")
                break
    raise DataError(
        f"{target.name}: expected a download from one of {len(urls)} address(es). Received: {'; '.join(failures)}. "
        f"Check the network (a proxy is taken from HTTPS_PROXY), or place the file at {target} yourself."
    )


def _reason(error: Exception, timeout: float) -> str:
    import requests

    if isinstance(error, requests.Timeout):
        return f"no data for {timeout:g} seconds"
    response = getattr(error, "response", None)
    if response is not None and not isinstance(response, _Gone):
        return f"HTTP status {response.status_code}"
    return " ".join(str(error).split())[:200]


def _is_final(error: Exception) -> bool:
    """Whether asking the same address again is of no use."""
    response = getattr(error, "response", None)
    return response is not None and 400 <= response.status_code < 500 and response.status_code not in (408, 429)


class _Continuing:
    """Downloads for pooch, into a partial file that a broken transfer leaves and the next one continues.

    A partial file is continued where the digest is known, or where the server says that the file is still the same.
    """

    def __init__(self, target: Path, is_known: bool, timeout: float) -> None:
        self.part = target.with_name(f"{target.name}.part")
        self.origin = target.with_name(f"{target.name}.part.from")
        self.is_known = is_known
        self.timeout = timeout

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> None:
        import requests

        done, headers = self._start(url)
        with requests.get(url, headers=headers, stream=True, timeout=(_CONNECT, self.timeout)) as response:
            if response.status_code == 416:
                self.part.unlink(missing_ok=True)
                raise requests.ConnectionError(f"the server has less than the {done} bytes that are there")
            response.raise_for_status()
            if response.headers.get("Content-Type", "").startswith("text/html"):
                raise requests.exceptions.InvalidHeader("a web page instead of a file", response=_Gone())
            continued = response.status_code == 206
            done = done if continued else 0
            self.origin.write_text(f"{url}\n{response.headers.get('ETag', '')}\n", encoding="utf-8")
            total = done + int(response.headers.get("Content-Length", 0))
            with self.part.open("ab" if continued else "wb") as file, Progress(self.part.stem, total, "B") as progress:
                for chunk in response.iter_content(_CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    progress.reach(done)
        if total and done != total:
            raise requests.ConnectionError(f"{done} of {total} bytes")
        self.part.replace(output_file)
        self.origin.unlink(missing_ok=True)

    def _start(self, url: str) -> tuple[int, dict[str, str]]:
        """Return how many bytes are there, and the headers that ask for the rest."""
        headers = {"Accept-Encoding": "identity"}
        if not self.part.is_file():
            return 0, headers
        origin, tag = (
            [*self.origin.read_text(encoding="utf-8").splitlines(), "", ""] if self.origin.is_file() else ["", ""]
        )[:2]
        size = self.part.stat().st_size
        if not size or not (self.is_known or (origin == url and tag)):
            return 0, headers
        headers["Range"] = f"bytes={size}-"
        if origin == url and tag:
            headers["If-Range"] = tag
        return size, headers


class _Gone:
    """Stands for a response that another attempt would not change."""

    status_code = 404
