"""Downloads from a server on this machine that cuts files short, alters them, stalls, or does not have them."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from degu.data import deepstarr, detokenize, lentimpra, lentimpra_folds, measured_effects, saturation_mutagenesis
from degu.data import tokenize as tokens_of
from degu.data.archives import member_of
from degu.data.download import fetch
from degu.data.encoding import one_hot
from degu.errors import DataError

CONTENT = bytes(range(256)) * 4000
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `files`; `behave` says by path what goes wrong, once an entry of its list."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/file.bin": CONTENT}
        self.behave: dict[str, list[str]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.has_tags = True

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        wanted = self.headers.get("Range")
        self.server.asked.append((path, wanted))
        todo = self.server.behave.get(path, [])
        fault = todo.pop(0) if todo else ""
        if path not in self.server.files or fault in ("404", "503"):
            self.send_error(int(fault or 404))
            return
        content = self.server.files[path]
        tag = hashlib.md5(content).hexdigest()
        start = 0
        if wanted and self.headers.get("If-Range", f'"{tag}"') == f'"{tag}"' and fault != "no ranges":
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Type", "text/html" if fault == "page" else "application/octet-stream")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.server.has_tags:
            self.send_header("ETag", f'"{tag}"')
        self.end_headers()
        content = content[start:]
        if fault == "altered":
            content = content[:-1] + b"?"
        if fault in ("cut", "stall"):
            self.wfile.write(content[: len(content) // 3])
            self.wfile.flush()
            if fault == "stall":
                time.sleep(1.0)
            self.close_connection = True
            return
        for begin in range(0, len(content), 1 << 18):
            self.wfile.write(content[begin : begin + (1 << 18)])
            if fault == "slow":
                time.sleep(0.05)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(
    server: Server, folder: Path, checksum: str | None = SHA256, urls: list[str] | None = None, **more: Any
) -> Path:
    arguments: dict[str, Any] = {"pause": 0.01, "timeout": 0.4} | more
    return fetch("set/file.bin", urls or [server.url("/{file}")], checksum, folder, **arguments)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "set").iterdir() if not path.name.endswith(".lock"))


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == [("/file.bin", None)]
    assert left(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("fault", ["cut", "stall"])
@pytest.mark.parametrize("checksum", [SHA256, None])
def test_a_transfer_that_breaks_off_is_continued(
    server: Server, tmp_path: Path, fault: str, checksum: str | None
) -> None:
    server.behave["/file.bin"] = [fault, fault]
    assert get(server, tmp_path, checksum).read_bytes() == CONTENT
    first, second, third = (0 if wanted is None else int(wanted[6:-1]) for _, wanted in server.asked)
    assert first == 0
    assert len(CONTENT) // 4 < second <= len(CONTENT) // 3
    assert second < third < len(CONTENT)


def test_a_transfer_is_continued_by_a_later_process(server: Server, tmp_path: Path) -> None:
    server.behave["/file.bin"] = ["cut"]
    with pytest.raises(DataError, match=r"expected a download from one of 1 address.*Received: .*place the file at"):
        get(server, tmp_path, attempts=1)
    assert left(tmp_path) == ["file.bin.part", "file.bin.part.from"]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1][1] is not None
    assert left(tmp_path) == ["file.bin"]


@pytest.mark.parametrize(("has_tags", "fault"), [(True, ""), (False, ""), (True, "no ranges")])
def test_parts_of_two_versions_are_never_put_together(
    server: Server, tmp_path: Path, has_tags: bool, fault: str
) -> None:
    server.has_tags = has_tags
    server.behave["/file.bin"] = ["cut", fault]
    with pytest.raises(DataError):
        get(server, tmp_path, None, attempts=1)
    server.files["/file.bin"] = CONTENT[::-1]
    assert get(server, tmp_path, None).read_bytes() == CONTENT[::-1]


def test_an_altered_file_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.behave["/file.bin"] = ["altered"]
    with pytest.raises(DataError, match=r"another content.*does not match the known hash: expected"):
        get(server, tmp_path)
    assert left(tmp_path) == []


def test_the_next_mirror_is_asked(server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server.files["/b/file.bin"] = server.files["/c/file.bin"] = CONTENT
    server.behave["/b/file.bin"] = ["altered"]
    urls = [server.url(path) for path in ("/nowhere/{file}", "/b/{file}", "/c/{file}?download=1")]
    with caplog.at_level(logging.WARNING):
        assert get(server, tmp_path, urls=urls).read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/nowhere/file.bin", "/b/file.bin", "/c/file.bin"]
    assert "HTTP status 404" in caplog.text


def test_a_server_in_trouble_is_asked_again_and_one_without_the_file_is_not(server: Server, tmp_path: Path) -> None:
    server.behave["/file.bin"] = ["503", "503"]
    assert get(server, tmp_path / "a").read_bytes() == CONTENT
    assert len(server.asked) == 3
    with pytest.raises(DataError, match="HTTP status 404"):
        get(server, tmp_path / "b", urls=[server.url("/none")])
    assert len(server.asked) == 4


def test_a_slow_server_is_waited_for(server: Server, tmp_path: Path) -> None:
    server.behave["/file.bin"] = ["slow"]
    assert get(server, tmp_path, attempts=1).read_bytes() == CONTENT


def test_no_server_and_no_folder_are_said(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a download"):
        get(server, tmp_path, urls=["http://127.0.0.1:9/{file}"], attempts=1)
    (tmp_path / "set2").write_text("a file")
    with pytest.raises(DataError, match="expected a folder that can be written to"):
        fetch("set2/file.bin", [server.url("/{file}")], SHA256, tmp_path)


def test_a_web_page_is_no_data(server: Server, tmp_path: Path) -> None:
    server.behave["/file.bin"] = ["page"]
    with pytest.raises(DataError, match="a web page instead of a file"):
        get(server, tmp_path, None)


def test_the_digest_of_a_first_download_is_recorded_and_holds(server: Server, tmp_path: Path) -> None:
    path = get(server, tmp_path, None)
    record = path.with_name("file.bin.sha256")
    assert record.read_text() == f"{SHA256.removeprefix('sha256:')}  file.bin\n"
    path.write_bytes(b"altered")
    with pytest.raises(DataError, match=r"file.bin: expected sha256:.*Delete it to download it again"):
        get(server, tmp_path, None)
    path.unlink()
    server.files["/file.bin"] = b"another version"
    with pytest.raises(DataError, match="another content"):
        get(server, tmp_path, None)
    record.write_text("nonsense")
    with pytest.raises(DataError, match="expected a SHA-256 and a file name"):
        get(server, tmp_path, None)


def test_a_file_that_a_user_placed_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "file.bin").write_bytes(CONTENT)
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == []


def packed(members: dict[str, bytes], link: str | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        if link:
            entry = tarfile.TarInfo(link)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(entry)
    return buffer.getvalue()


def test_one_file_of_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(packed({"../../x/wanted": b"content", "data/other": b"o"}, link="data/link"))
    assert member_of(archive, "wanted") == tmp_path / "wanted"
    assert (tmp_path / "wanted").read_bytes() == b"content"
    for name in ("link", "nothing"):
        with pytest.raises(DataError, match="expected a file"):
            member_of(archive, name)
    whole = packed({"b": bytes(np.random.default_rng(0).integers(0, 256, 100_000, dtype=np.uint8))})
    archive.write_bytes(whole[:5000])
    with pytest.raises(DataError, match="expected a tar archive"):
        member_of(archive, "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "wanted"]


def test_deepstarr_in_the_format_of_the_authors(server: Server, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    expected = {}
    for word in ("Train", "Val", "Test"):
        rows = ["".join(rng.choice(list("ACGTN"), 249)) for _ in range(4)]
        expected[word] = rows
        fasta = "".join(f">chr2L_{i}_{i + 248}_+_{word}\n{text}\n" for i, text in enumerate(rows))
        columns = "Dev_log2_enrichment\tHk_log2_enrichment\tDev_log2_enrichment_scaled\n"
        values = columns + "".join(f"{i}.5\t-{i}\t0\n" for i in range(4))
        server.files[f"/Sequences_{word}.fa"] = fasta.encode()
        server.files[f"/Sequences_activity_{word}.txt"] = values.encode()
    splits = deepstarr(tmp_path, [server.url("/{file}?download=1")])
    assert splits.target_names == ("Dev_log2_enrichment", "Hk_log2_enrichment")
    assert detokenize(splits.valid.tokens) == expected["Val"]
    np.testing.assert_allclose(splits.test.targets[:, 0], [0.5, 1.5, 2.5, 3.5])
    assert len(server.asked) == 6
    with pytest.raises(DataError, match="checksums: expected names of files of DeepSTARR"):
        deepstarr(tmp_path, [server.url("/{file}")], {"Sequences.fa": SHA256})
    with pytest.raises(DataError, match="expected sha256"):
        deepstarr(tmp_path, [server.url("/{file}")], {"Sequences_Train.fa": SHA256})
    (tmp_path / "deepstarr" / "Sequences_activity_Train.txt").write_text(
        "Dev_log2_enrichment\tHk_log2_enrichment\n1\t1\n"
    )
    (tmp_path / "deepstarr" / "Sequences_activity_Train.txt.sha256").unlink()
    with pytest.raises(DataError, match="expected 4 rows, one for each record"):
        deepstarr(tmp_path, [])


def test_lentimpra_in_the_format_of_the_authors(server: Server, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    tokens = rng.integers(0, 4, (5, 230))
    with h5py.File(buffer, "w") as file:
        for name in ("Train", "Val", "Test"):
            file[f"{name}/X"] = one_hot(tokens)
            file[f"{name}/y"] = np.stack([np.arange(5), np.full(5, 0.25)], axis=1)
    member = "data/lentiMPRA_K562_activity_and_aleatoric_data.h5"
    server.files["/data.tar.gz"] = packed({member: buffer.getvalue()})
    urls = [server.url("/data.tar.gz")]
    splits = lentimpra("K562", cache=tmp_path, mirrors=urls)
    np.testing.assert_array_equal(splits.train.tokens, tokens)
    np.testing.assert_array_equal(splits.valid.targets[:, 0], np.arange(5))
    np.testing.assert_allclose(splits.test.target_std, 0.25)
    assert lentimpra("K562", with_std=False, cache=tmp_path, mirrors=urls).test.target_std is None
    assert len(server.asked) == 1
    with pytest.raises(DataError, match=r"cell_type: expected HepG2 or K562, received 'k562'\. Did you mean 'K562'"):
        lentimpra("k562", cache=tmp_path, mirrors=urls)  # type: ignore[arg-type]


def test_lentimpra_folds_in_the_format_of_the_authors(server: Server, tmp_path: Path) -> None:
    texts = detokenize(np.random.default_rng(0).integers(0, 4, (20, 230)))
    rows = "".join(f"peak{i}\t{text}\t{i / 10}\t{i % 10}\n" for i, text in enumerate(texts))
    table = f"seq_id\tseq\tmean_value\tfold\n{rows}"
    server.files["/m.tar.gz"] = packed({"human_mpra/HepG2_clean.tsv": table.encode()})
    splits = lentimpra_folds("HepG2", cache=tmp_path, mirrors=[server.url("/m.tar.gz")])
    assert [len(part) for _, part in splits.items()] == [16, 2, 2]
    np.testing.assert_array_equal(splits.test.tokens, tokens_of([texts[9], texts[19]]))


def test_saturation_mutagenesis_in_the_format_of_the_source(server: Server, tmp_path: Path) -> None:
    text = "##x\n1\t155301500\t.\tA\tC\t.\tSIGN\tEF=-0.52;PV=0.001\n1\t155301501\t.\tG\tT\t.\tNS\tTG=10;EF=0.1\n"
    server.files["/SatMut.all.PKLR.vcf.gz"] = gzip.compress(text.encode())
    path = saturation_mutagenesis("PKLR", tmp_path, [server.url("/{file}")])
    effects = measured_effects(path)
    assert effects[0] == ("1", 155301500, "A", "C", -0.52, True)
    assert not effects[1].is_significant
    with pytest.raises(DataError, match="received 'PKLF'. Did you mean 'PKLR'"):
        saturation_mutagenesis("PKLF", tmp_path, [])
    path.write_bytes(gzip.compress(text.replace("EF=0.1", "EF=x").encode()))
    with pytest.raises(DataError, match="line 3: expected a variant with a number EF="):
        measured_effects(path)
