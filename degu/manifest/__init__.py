"""What a finished study consists of: digests by which a change is found and named."""

from degu.manifest.finding import Finding, findings_table
from degu.manifest.rows import ROW_DIGESTS, changed_rows, read_row_digests, row_digests
from degu.manifest.study import MANIFEST, changed_config, changed_files, leaves, read_manifest, write_manifest

__all__ = [
    "MANIFEST",
    "ROW_DIGESTS",
    "Finding",
    "changed_config",
    "changed_files",
    "changed_rows",
    "findings_table",
    "leaves",
    "read_manifest",
    "read_row_digests",
    "row_digests",
    "write_manifest",
]
