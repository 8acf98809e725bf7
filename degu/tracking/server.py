"""Asks a tracking server whether it is there, before MLflow waits minutes for it."""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
import urllib.request

from degu.errors import TrackingError

_SECONDS = 5


def probe(uri: str) -> None:
    """Check that a server answers.

    Any answer below status 500 will do: a server behind a login or without a health page is still a server.

    Args:
        uri: Address of the server, perhaps with user name and password.

    Raises:
        TrackingError: If nothing answers within a few seconds.
    """
    # User name and password are for MLflow to send; neither this request nor a message may carry them.
    address = re.sub(r"//[^/@]*@", "//", uri)
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=_SECONDS):
            return
    except urllib.error.HTTPError as error:
        error.close()
        if error.code < 500:
            return
        reason = f"it answered with status {error.code}"
    except urllib.error.URLError as error:
        # MLflow has its own settings for certificates; it will say so if they do not fit.
        if isinstance(error.reason, ssl.SSLError):
            return
        reason = str(error.reason)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = str(error) or type(error).__name__
    raise TrackingError(
        f"Expected an MLflow server at {address}, received no usable answer within {_SECONDS} s: {reason}. "
        "Start the server, correct the address, or leave the tracking uri null for a local store."
    )
