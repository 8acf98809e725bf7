"""Takes a study of somebody else into a tracking store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from degu.errors import DataError
from degu.exchange.archives import MOST_BYTES, archive_stem, plain_files, unpack
from degu.exchange.records import RUNS, read_records
from degu.manifest import MANIFEST, changed_config, changed_files, findings_table, read_manifest
from degu.report.table import aligned
from degu.reproduce.numbers import results_of
from degu.stored import plain_config, stored_config
from degu.tracking.models import log_student_of
from degu.tracking.trees import RunRecord, write_tree

IMPORTED_TAG = "degu.imported_from"
"""Tag of an imported study: the run that it was exported from."""

_OF_NETWORKS = ("weights", "histories", RUNS)


class ImportedStudy(NamedTuple):
    """An imported study.

    Attributes:
        run_id: Its new run.
        folder: Its files.
    """

    run_id: str
    folder: Path


def import_study(
    source: Path,
    folder: Path | None = None,
    uri: str | None = None,
    experiment: str = "degu",
    root: str | Path = "mlruns",
    allowed: Sequence[str] = (),
    most_bytes: int = MOST_BYTES,
) -> ImportedStudy:
    """Record an exported study in a tracking store: same parameters, tags, measurements, times and files.

    Nothing of the study is run or unpickled. An archive is unpacked only after all of it has been looked at, and a
    study whose config names code that is not allowed, or whose files are not those of its manifest, is refused before
    anything is recorded.

    Args:
        source: An exported folder, which is left alone, or an archive.
        folder: New folder for the files of an archive; `outputs/imported/<name of the archive>` by default.
        uri: Tracking URI; `None` for the local store.
        experiment: Name of the experiment, created if missing.
        root: Folder of the local store.
        allowed: Packages beside those of degu whose code the config may name.
        most_bytes: Bytes that an archive may unpack to.

    Raises:
        DeguError: When the study cannot be read or is refused, or the store refuses.
    """
    if source.is_dir():
        plain_files(source)
        return ImportedStudy(_recorded(source, uri, experiment, root, allowed), source)
    stem = archive_stem(source)
    if not source.is_file() or not stem:
        raise DataError(f"{source}: expected an exported study, a folder or an archive, received something else.")
    home = unpack(source, folder or Path("outputs") / "imported" / stem, most_bytes)
    try:
        return ImportedStudy(_recorded(home, uri, experiment, root, allowed), home)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise


def _recorded(home: Path, uri: str | None, experiment: str, root: str | Path, allowed: Sequence[str]) -> str:
    stored_config(home, allowed)
    results_of(home)
    _check_manifest(home)
    study, *networks = read_records(home)
    tags = {**study.tags, IMPORTED_TAG: study.run_id or "a study that was not tracked"}
    records = [study._replace(tags=tags), *networks]
    runs = write_tree(records, lambda record: _files(home, record, record is records[0]), uri, experiment, root)
    if (home / "student" / "student.json").is_file():
        log_student_of(runs[study.name], home / "student", uri, root)
    return runs[study.name]


def _check_manifest(home: Path) -> None:
    if not (home / MANIFEST).is_file():
        return
    manifest = read_manifest(home)
    found = changed_config(manifest, plain_config(home)) + changed_files(manifest, home)
    if found:
        table = "\n".join(f"  {line}" for line in aligned(findings_table(found, 10)))
        raise DataError(
            f"{home}: expected the files of its {MANIFEST}, received others. The study was damaged or changed:\n{table}"
        )


def _files(home: Path, record: RunRecord, is_study: bool) -> Iterator[tuple[Path, str]]:
    """Yield the files of a run, as a study of one's own records them."""
    if is_study:
        for path in sorted(home.iterdir()):
            if path.name not in _OF_NETWORKS and not path.name.startswith("."):
                yield path, ""
        return
    index = record.name.removeprefix("member-")
    stem = f"member_{int(index)}" if index.isdigit() else record.name
    yield from ((path, "weights") for path in sorted((home / "weights").glob(f"{stem}.*")))
    history = home / "histories" / f"{record.name}.json"
    if history.is_file():
        yield history, "history"
