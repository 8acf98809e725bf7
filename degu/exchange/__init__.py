"""Studies as plain folders and archives, between machines and tracking stores."""

from degu.exchange.archives import MOST_BYTES, MOST_FILES, archive_stem, pack, unpack
from degu.exchange.exporting import export_study
from degu.exchange.importing import import_study

__all__ = ["MOST_BYTES", "MOST_FILES", "archive_stem", "export_study", "import_study", "pack", "unpack"]
