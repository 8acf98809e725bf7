"""What a sweep leaves: tables, a figure, the best job, and what to do about failed ones."""

from __future__ import annotations

import json
import logging
import shlex
import sys
from collections.abc import Sequence

from degu.files import write_text
from degu.report.sweep_table import SweepRow, sweep_text, sweep_tsv
from degu.sweeps.records import ERROR_FILE, FAILED, FINISHED, SWEEP_FILE, Job, Sweep
from degu.tracking import Tracker
from degu.tracking.protocol import BEST_TAG, NOTE_TAG

log = logging.getLogger(__name__)
TABLES = ("comparison.tsv", "comparison.txt")
FIGURE = "parallel_coordinates"
_LONGEST_NOTE = 4000


def rows_of(sweep: Sweep) -> list[SweepRow]:
    """Return the jobs as rows of a table."""
    return [
        SweepRow(
            job.number,
            job.status,
            job.values,
            job.metric,
            job.objective,
            _metrics(sweep, job),
            job.seconds,
            job.run_id,
            str(job.number),
        )
        for job in sweep.jobs
    ]


def _metrics(sweep: Sweep, job: Job) -> dict[str, float]:
    if job.status != FINISHED:
        return {}
    try:
        return json.loads((sweep.home(job) / "results.json").read_text(encoding="utf-8"))["metrics"]
    except (OSError, ValueError, KeyError):
        return {}


def write_tables(sweep: Sweep) -> None:
    """Write `comparison.tsv` and `comparison.txt` as of now."""
    rows, best = rows_of(sweep), sweep.best_number()
    write_text(sweep.folder / TABLES[0], sweep_tsv(rows, best))
    write_text(sweep.folder / TABLES[1], text_table(sweep) + "\n")


def text_table(sweep: Sweep) -> str:
    """Return the comparison as text."""
    direction = sweep.jobs[0].direction if sweep.jobs else "maximize"
    text = sweep_text(rows_of(sweep), sweep.best_number(), direction)
    if not sweep.is_comparable:
        text += "\nThe jobs have different objectives, so none of them is called the best."
    return text


def conclude(sweep: Sweep, run: Tracker, root: Tracker) -> None:
    """Write and record what the sweep has come to.

    Args:
        sweep: The sweep, up to date.
        run: Bound to the sweep's run.
        root: Marks the best study.
    """
    sweep.write()
    write_tables(sweep)
    _draw(sweep)
    for name in (SWEEP_FILE, *TABLES, "figures"):
        if (sweep.folder / name).exists():
            run.artifact(sweep.folder / name)
    run.tags(
        {
            NOTE_TAG: f"```text\n{text_table(sweep)[:_LONGEST_NOTE]}\n```",
            "degu.jobs": str(len(sweep.jobs)),
            "degu.jobs.finished": str(len(sweep.having(FINISHED))),
            "degu.jobs.failed": str(len(sweep.having(FAILED))),
        }
    )
    for job in sweep.having(FINISHED):
        if job.objective is not None:
            run.metrics({f"objective/{job.metric}": job.objective}, step=job.number)
    _mark_best(sweep, run, root)


def _draw(sweep: Sweep) -> None:
    """Draw the jobs that have an objective, if they can be compared; the sweep does not fail with a figure."""
    judged = [(job, job.objective) for job in sweep.having(FINISHED) if job.objective is not None]
    if len(judged) < 2 or not sweep.is_comparable or not any(job.values for job, _ in judged):
        return
    from degu.report.drawing import save
    from degu.report.sweep_figure import parallel_coordinates

    jobs, objectives = [job for job, _ in judged], [value for _, value in judged]
    best = next((place for place, job in enumerate(jobs) if job is sweep.best()), None)
    figure = parallel_coordinates([job.values for job in jobs], objectives, jobs[0].metric, best)
    save(figure, sweep.folder / "figures", FIGURE)


def _mark_best(sweep: Sweep, run: Tracker, root: Tracker) -> None:
    best = sweep.best()
    if best is None or best.objective is None:
        return
    run.tags({BEST_TAG: best.run_id or str(best.number)})
    run.metrics({best.metric: best.objective})
    for job in sweep.having(FINISHED):
        root.mark(job.run_id, {BEST_TAG: "true" if job is best else "false"})


def farewell(sweep: Sweep, command: Sequence[str]) -> None:
    """Print the comparison and a line of JSON, and say on stderr how to run failed jobs again."""
    failed, best = sweep.having(FAILED), sweep.best()
    summary = {
        "run_id": sweep.run_id,
        "output_dir": str(sweep.folder),
        "objective": None if best is None else best.objective,
        "best": None if best is None else best.number,
        "jobs": len(sweep.jobs),
        "failed": [job.number for job in failed],
    }
    sys.stdout.write(f"\n{text_table(sweep)}\n\n{json.dumps(summary)}\n")
    sys.stdout.flush()
    if failed:
        sys.stderr.write(f"degu: {_advice(sweep, failed, command)}\n")


def _advice(sweep: Sweep, failed: Sequence[Job], command: Sequence[str]) -> str:
    lines = [f"{len(failed)} of {len(sweep.jobs)} jobs failed:"]
    lines += [f"  {job.number}: {job.words}: {job.error} (see {sweep.home(job) / ERROR_FILE})" for job in failed]
    words = [word for word in command if not word.startswith("hydra.sweeper.only=")]
    only = f"hydra.sweeper.only=[{','.join(str(job.number) for job in failed)}]"
    lines += ["Run them again, and nothing else, with", f"  {shlex.join([*words, only])}"]
    lines += ["or one of them alone with", f"  {failed[0].command(sweep.home(failed[0]))}"]
    return "\n".join(lines)
