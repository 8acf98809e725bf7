"""Archives of others: what leads elsewhere, is no plain file or is too large is refused before anything is written."""

import gzip
import io
import stat
import struct
import tarfile
import zipfile

import pytest

from degu.errors import DataError
from degu.exchange import archive_stem, pack, unpack
from degu.exchange.archives import MOST_FILES

LINKS = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "study"
    (home / "weights").mkdir(parents=True)
    (home / "config.yaml").write_text("seed: 0\n")
    (home / "weights" / "student.weights.h5").write_bytes(bytes(range(256)) * 9000)
    (home / ".hidden").write_text("not packed")
    return home


def tar(path, *entries, mode="w:gz"):
    """Write a tar file of (name, content or a TarInfo type)."""
    with tarfile.open(path, mode) as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            if content not in LINKS:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content, "/etc/passwd"
                archive.addfile(info)
    return path


def zipped(path, *entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar", ".zip", ".ZIP"])
def test_a_folder_comes_back(folder, tmp_path, suffix):
    archive = pack(folder, tmp_path / "new" / f"packed{suffix}")
    assert archive_stem(archive) == "packed" or suffix == ".ZIP"
    back = unpack(archive, tmp_path / "back")
    files = {path.relative_to(back).as_posix() for path in back.rglob("*") if path.is_file()}
    assert files == {"config.yaml", "weights/student.weights.h5"}
    for name in files:
        assert (back / name).read_bytes() == (folder / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "new", "study"]


@pytest.mark.parametrize(
    "name",
    [
        *("../evil", "a/../../evil", "/etc/evil", "a\\..\\evil", "C:evil", "a/\x07b", "..", "n" * 2000),
        *("a/./../../b", "study/../../x"),
    ],
)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_names_that_lead_elsewhere_are_refused(tmp_path, kind, name):
    make = tar if kind == "tar" else zipped
    archive = make(tmp_path / f"bad.{'tar.gz' if kind == 'tar' else 'zip'}", ("good", b"good"), (name, b"bad"))
    with pytest.raises(DataError, match="Nothing of it was unpacked"):
        unpack(archive, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == [archive.name]


@pytest.mark.parametrize("kind", LINKS)
def test_links_and_devices_in_a_tar_file_are_refused(tmp_path, kind):
    archive = tar(tmp_path / "bad.tar.gz", ("study/good", b"good"), ("study/link", kind))
    with pytest.raises(DataError, match="'study/link' is a link, a device"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_links_in_a_zip_file_are_refused(tmp_path):
    info = zipfile.ZipInfo("study/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = zipped(tmp_path / "bad.zip", ("study/good", b"good"), (info, b"/etc/passwd"))
    with pytest.raises(DataError, match="'study/link' is a link"):
        unpack(archive, tmp_path / "out")


def test_links_in_a_folder_are_not_packed(folder, tmp_path):
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(DataError, match="a link or a device"):
        pack(folder, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.parametrize("make", [tar, zipped])
def test_a_name_that_is_there_twice_is_refused(tmp_path, make):
    archive = tmp_path / ("bad.tar.gz" if make is tar else "bad.zip")
    make(archive, ("study/a", b"one"), ("study/A", b"two"))
    with pytest.raises(DataError, match="there twice"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("make", [tar, zipped])
def test_a_bomb_is_refused(tmp_path, make):
    archive = tmp_path / ("bomb.tar.gz" if make is tar else "bomb.zip")
    make(archive, ("study/zeros", bytes(2**24)))
    assert archive.stat().st_size < 2**17
    with pytest.raises(DataError, match="at most 1,000,000 bytes"):
        unpack(archive, tmp_path / "out", most_bytes=10**6)
    assert not (tmp_path / "out").exists()


def test_a_zip_file_that_lies_about_its_size_is_refused(tmp_path):
    archive = zipped(tmp_path / "bomb.zip", ("study/zeros", bytes(2**22)))
    content = bytearray(archive.read_bytes())
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(signature) + place
        content[at : at + 4] = struct.pack("<I", 10)
    archive.write_bytes(content)
    with pytest.raises(DataError):
        unpack(archive, tmp_path / "out", most_bytes=10**6)
    assert not (tmp_path / "out").exists()


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path):
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 2**28
    with gzip.open(tmp_path / "bomb.tar.gz", "wb", compresslevel=1) as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT))
        file.write(bytes(2**20))
    with pytest.raises(DataError, match=r"a header of 268,435,456 bytes"):
        unpack(tmp_path / "bomb.tar.gz", tmp_path / "out")


def test_too_many_files_are_refused(tmp_path):
    archive = zipped(tmp_path / "many.zip", *((f"study/{index}", b"") for index in range(12)))
    with pytest.raises(DataError, match="more than 10 files"):
        unpack(archive, tmp_path / "out", most_files=10)
    assert MOST_FILES > 1000


@pytest.mark.parametrize("name", ["cut.tar.gz", "cut.zip", "text.tar.gz", "text.zip", "empty.tar"])
def test_damaged_archives_are_refused(folder, tmp_path, name):
    archive = pack(folder, tmp_path / name)
    whole = archive.read_bytes()
    archive.write_bytes(
        {"cut": whole[: len(whole) // 2], "text": b"no archive " * 99, "empty": b""}[name.split(".")[0]]
    )
    with pytest.raises(DataError, match=name):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_is_left_alone(folder, tmp_path):
    archive = pack(folder, tmp_path / "x.tgz")
    with pytest.raises(DataError, match="one that exists"):
        unpack(archive, folder)
    assert (folder / "config.yaml").read_text() == "seed: 0\n"
