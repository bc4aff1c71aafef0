"""One file out of an archive, also out of archives made to do harm."""

import errno
import io
import os
import random
import tarfile
from pathlib import Path

import pytest

from szmass._io import transfer
from szmass._io.download import extract_member
from szmass.exceptions import DiskSpaceError, FileFormatError

CONTENT = random.Random(3).randbytes(300_000)


def regular(name, content=CONTENT):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, io.BytesIO(content)


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, None


def make(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as tar:
        for info, content in members:
            tar.addfile(info, content)
    return path


@pytest.fixture
def target(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "map.fits"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_only_the_wanted_file_is_written(tmp_path, target, mode):
    archive = make(
        tmp_path / "maps.tar",
        [
            regular("COM_CompMap_YSZ/._milca_ymaps.fits", b"resource fork"),
            regular("COM_CompMap_YSZ/nilc_ymaps.fits", b"other"),
            regular("COM_CompMap_YSZ/milca_ymaps.fits"),
            regular("COM_CompMap_YSZ/milca_ymaps.fits", b"later"),
        ],
        mode,
    )
    extract_member(archive, "milca_ymaps.fits", target)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    "hostile",
    [
        regular("../../milca_ymaps.fits", b"x"),
        regular("/milca_ymaps.fits", b"x"),
        regular("a/../milca_ymaps.fits", b"x"),
        link("milca_ymaps.fits", "/etc/passwd"),
        link("milca_ymaps.fits", "other", tarfile.LNKTYPE),
        link("milca_ymaps.fits", "", tarfile.CHRTYPE),
        link("milca_ymaps.fits", "", tarfile.FIFOTYPE),
        link("milca_ymaps.fits", "", tarfile.DIRTYPE),
    ],
    ids=["up", "absolute", "inside", "symlink", "hardlink", "device", "fifo", "folder"],
)
def test_hostile_members_are_passed_over(tmp_path, target, hostile):
    info, content = hostile
    content = None if content is None else io.BytesIO(content.getvalue())
    alone = make(tmp_path / "alone.tgz", [(info, content)])
    with pytest.raises(FileFormatError, match="is a link or points out of the archive"):
        extract_member(alone, "milca_ymaps.fits", target)
    content = None if content is None else io.BytesIO(content.getvalue())
    followed = make(tmp_path / "followed.tgz", [(info, content), regular("a/milca_ymaps.fits")])
    extract_member(followed, "milca_ymaps.fits", target)
    assert target.read_bytes() == CONTENT
    assert {path.name for path in tmp_path.rglob("*")} == {
        "alone.tgz", "followed.tgz", "out", "map.fits"
    }  # fmt: skip


def test_missing_member(tmp_path, target):
    archive = make(tmp_path / "maps.tgz", [regular("nilc_ymaps.fits")])
    with pytest.raises(FileFormatError, match="has no file 'milca_ymaps.fits'$"):
        extract_member(archive, "milca_ymaps.fits", target)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.5, 0.9])
def test_archive_that_was_cut_short(tmp_path, target, mode, fraction):
    archive = make(tmp_path / "maps.tar", [regular("nilc.fits"), regular("milca.fits")], mode)
    archive.write_bytes(archive.read_bytes()[: int(fraction * archive.stat().st_size)])
    with pytest.raises(FileFormatError, match=r"maps\.tar"):
        extract_member(archive, "milca.fits", target)
    assert not target.exists()


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_damaged_archive(tmp_path, target, mode):
    compressible = CONTENT.hex().encode()
    archive = make(tmp_path / "maps.tar", [regular("milca.fits", compressible)], mode)
    data = bytearray(archive.read_bytes())
    data[1000:2000] = bytes(1000)
    archive.write_bytes(data)
    with pytest.raises(FileFormatError, match="the archive is damaged, cut short or no tar file"):
        extract_member(archive, "milca.fits", target)
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"<html>no</html>", bytes(100), b"\x1f\x8b junk"])
def test_no_archive_at_all(tmp_path, target, content):
    archive = tmp_path / "maps.tgz"
    archive.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"maps\.tgz"):
        extract_member(archive, "milca.fits", target)
    assert not target.exists()


def test_room_is_looked_for_first(tmp_path, target, monkeypatch):
    archive = make(tmp_path / "maps.tgz", [regular("milca.fits")])
    usage = type("usage", (), {"free": 299_999})
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(DiskSpaceError, match="are needed"):
        extract_member(archive, "milca.fits", target)
    assert not target.exists()


def test_disk_that_fills_up(tmp_path, target, monkeypatch):
    archive = make(tmp_path / "maps.tgz", [regular("milca.fits")])
    really_open = Path.open

    class Full(io.BytesIO):
        def write(self, chunk):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opened(path, mode="r", *args, **kwargs):
        return Full() if mode == "wb" else really_open(path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(DiskSpaceError, match="The disk is full"):
        extract_member(archive, "milca.fits", target)
    assert not target.exists()
    assert archive.exists()
