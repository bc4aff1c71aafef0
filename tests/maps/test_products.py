"""Published maps: the table of them, and their fetching from a server on this machine."""

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.io import fits
from file_server import FileServer

from szmass._io import transfer
from szmass._utils.registry import Registry
from szmass.exceptions import (
    DiskSpaceError,
    FileFormatError,
    IntegrityError,
    InvalidInputError,
    RemoteDataError,
    SzmassWarning,
    UnknownNameError,
)
from szmass.maps import products
from szmass.maps.products import MAP_PRODUCTS, MapProduct, MapSource, fetch_map, open_map

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "products.rst"
NSIDE = 16


def make_map(folder, seed=0, nside=NSIDE):
    """Give the bytes of a real y-map with three columns, without word of its beam."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(0, 1e-6, (3, 12 * nside**2)).astype(np.float32)
    path = folder / f"made-{seed}.fits"
    names = ["FULL", "FIRST", "LAST"]
    healpy.write_map(path, list(columns), coord="G", column_names=names, dtype=np.float32)
    content = path.read_bytes()
    path.unlink()
    return content, columns


def make_archive(content, name="milca_ymaps.fits", before=(), mode="w:gz"):
    """Give the bytes of an archive as the Planck archive makes them."""
    stream = io.BytesIO()
    filler = random.Random(4).randbytes(50_000)
    with tarfile.open(fileobj=stream, mode=mode) as tar:
        for info in before:
            tar.addfile(info)
        for member, data in (
            ("COM_CompMap_YSZ/MILCA_Csz_100.fits", filler),
            (f"COM_CompMap_YSZ/{name}", content),
            ("COM_CompMap_YSZ/nilc_ymaps.fits", filler),
        ):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(transfer, "_PAUSE", 0.001)
    with FileServer().running() as server:
        yield server


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "maps"


@pytest.fixture
def content(tmp_path):
    return make_map(tmp_path)[0]


def product(*sources, **options):
    """Make a product as Planck's are, with homes of our own."""
    options = {
        "tag": "test",
        "title": "A map",
        "filename": "ymap.fits",
        "homepage": "https://example.org/maps",
        "nside": NSIDE,
        "frame": "galactic",
        "column": "FULL",
        "beam": 10 * u.arcmin,
        **options,
    }
    sources = [s if isinstance(s, MapSource) else MapSource(url=s) for s in sources]
    return MapProduct(sources=tuple(sources), **options)


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def sha256(content):
    return hashlib.sha256(content).hexdigest()


# The table


@pytest.mark.parametrize("tag", list(MAP_PRODUCTS))
def test_entry_says_what_is_needed(tag):
    entry = MAP_PRODUCTS[tag]
    assert entry.tag == tag == tag.lower()
    assert entry.kind in ("map", "mask")
    assert entry.filename == Path(entry.filename).name
    assert entry.filename.endswith(".fits")
    assert entry.homepage.startswith("https://")
    assert entry.references
    assert all(len(bibcode) == 19 for bibcode in entry.references)
    assert 2013 <= entry.year <= 2030
    assert entry.title
    assert entry.column is None or entry.column in entry.columns
    assert set(entry.splits) <= set(entry.columns)
    assert len(entry.splits) in (0, 2)
    if entry.pixels == "healpix":
        assert healpy.isnsideok(entry.nside, nest=True)
    else:
        assert entry.pixels == "car"
        assert not entry.columns
    assert entry.frame in ("galactic", "icrs")
    if entry.beam is not None:
        assert 1 * u.arcmin < entry.beam < 15 * u.arcmin
    elif entry.kind == "map":
        assert "beam" in entry.notes
    assert entry.sources or "by hand" in entry.notes
    for source in entry.sources:
        assert source.url.startswith("https://")
        assert (source.member is None) == (not source.url.endswith((".tgz", ".tar.gz")))
        assert source.sha256 is None or len(source.sha256) == 64


def test_no_two_products_share_a_file():
    names = [entry.filename for entry in MAP_PRODUCTS.values()]
    assert len(set(names)) == len(names)


def test_releases_of_the_issue_are_there():
    for tag in (
        "milca", "milca-r2.01", "milca-r2.02", "nilc", "nilc-r2.01", "nilc-r2.02", "planck-masks",
        "pr4-nilc", "pr4-nilc-masks", "pr4-pyilc", "pr4-pyilc-cib", "act-dr6", "act-dr4-d56",
    ):  # fmt: skip
        assert tag in MAP_PRODUCTS
    with pytest.raises(UnknownNameError, match=r"No map product is named 'mlica'. Did you mean"):
        fetch_map("mlica")


def test_guide_names_every_product():
    text = GUIDE.read_text()
    for tag, entry in MAP_PRODUCTS.items():
        assert f"{tag} " in text
        assert entry.title in text


def test_read_options_are_those_of_the_reader():
    assert MAP_PRODUCTS["milca"].read_options == {
        "beam": 10 * u.arcmin,
        "noise": "planck",
        "sampling": "window",
        "column": "FULL",
        "frame": "galactic",
    }
    act = MAP_PRODUCTS["act-dr6"].read_options
    assert act == {"beam": 1.6 * u.arcmin, "sampling": "window"}


# Fetching


def test_file_is_fetched_once_and_put_on_record(server, folder, content):
    url = server.add("/map.fits", content)
    for _ in range(2):
        path = fetch_map(product(url), folder=folder)
    assert path == folder / "ymap.fits"
    assert path.read_bytes() == content
    assert files_in(folder) == ["ymap.fits", "ymap.fits.json"]
    assert len(server.log) == 1
    record = json.loads((folder / "ymap.fits.json").read_text())
    assert record["url"] == url
    assert record["sha256"] == sha256(content)
    assert record["size"] == len(content)
    assert record["date"].startswith("20")


def test_cache_folder_is_the_default(server, tmp_path, content, monkeypatch):
    monkeypatch.setenv("SZMASS_CACHE", str(tmp_path / "cache"))
    path = fetch_map(product(server.add("/map.fits", content)))
    assert path == tmp_path / "cache" / "maps" / "ymap.fits"


def test_tag_of_the_table_is_fetched(server, folder, content, monkeypatch):
    registry = Registry("map product")
    registry.add("test", product(server.add("/map.fits", content)))
    monkeypatch.setattr(products, "MAP_PRODUCTS", registry)
    assert fetch_map("test", folder=folder).read_bytes() == content


def test_interrupted_download_is_resumed_by_the_next_call(server, folder, content):
    url = server.add("/map.fits", content, cuts=[20_000, 0, 0, 0])
    with pytest.raises(RemoteDataError, match="The next call goes on with what has arrived"):
        fetch_map(product(url), folder=folder)
    assert files_in(folder) == ["ymap.fits.part", "ymap.fits.part.json"]
    assert fetch_map(product(url), folder=folder).read_bytes() == content
    assert server.log[-1] == ("/map.fits", "bytes=20000-", '"1"', 206)
    assert files_in(folder) == ["ymap.fits", "ymap.fits.json"]


def test_interrupt_from_the_keyboard(server, folder, tmp_path):
    content, _ = make_map(tmp_path, nside=256)
    url = server.add("/map.fits", content, stalls=[20])
    code = (
        "import sys; from szmass.maps.products import *\n"
        "product = MapProduct(tag='t', title='', filename='ymap.fits', homepage='',\n"
        "    sources=(MapSource(url=sys.argv[1]),))\n"
        "fetch_map(product, folder=sys.argv[2])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, url, str(folder)], stderr=subprocess.PIPE, text=True
    )
    part = folder / "ymap.fits.part"
    for _ in range(1000):
        if part.exists() and part.stat().st_size > 10**6:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10)[1].rstrip().endswith("KeyboardInterrupt")
    assert files_in(folder) == ["ymap.fits.part", "ymap.fits.part.json"]
    arrived = part.stat().st_size
    assert content.startswith(part.read_bytes())
    assert fetch_map(product(url), folder=folder).read_bytes() == content
    assert server.log[-1] == ("/map.fits", f"bytes={arrived}-", '"1"', 206)


def test_file_that_changed_between_two_attempts(server, folder, content, tmp_path):
    url = server.add("/map.fits", content, cuts=[20_000, 0, 0, 0])
    with pytest.raises(RemoteDataError, match="did not deliver"):
        fetch_map(product(url), folder=folder)
    newer, _ = make_map(tmp_path, seed=1)
    server.add("/map.fits", newer, etag='"2"')
    assert fetch_map(product(url), folder=folder).read_bytes() == newer


def test_wrong_hash_is_refused_and_not_kept(server, folder, content):
    wanted = product(server.add("/map.fits", content), sha256="0" * 64)
    with pytest.raises(IntegrityError, match=r"instead of 0{64}: it is another version.*By hand"):
        fetch_map(wanted, folder=folder)
    assert files_in(folder) == []


def test_wrong_size_is_refused(server, folder, content):
    source = MapSource(url=server.add("/map.fits", content), size=len(content) + 1)
    with pytest.raises(IntegrityError, match=f"has {len(content)} bytes instead of"):
        fetch_map(product(source), folder=folder)
    assert files_in(folder) == []


@pytest.mark.parametrize(
    "spoil",
    [lambda c: b"<html>Sorry, down for maintenance</html>", lambda c: c[:-5000], lambda c: b""],
    ids=["page", "truncated", "empty"],
)
def test_what_is_no_complete_fits_file_is_refused(server, folder, content, spoil):
    url = server.add("/map.fits", spoil(content))
    with pytest.raises(FileFormatError, match="gave is no complete FITS file"):
        fetch_map(product(url), folder=folder)
    assert files_in(folder) == []


@pytest.mark.parametrize("status", [404, 500])
def test_mirror_is_tried(server, folder, content, status):
    bad = server.add("/first.fits", content, statuses=[status] * 4)
    good = server.add("/second.fits", content)
    with pytest.warns(SzmassWarning, match=f"answered {status}.* Trying .*/second.fits next"):
        path = fetch_map(product(bad, good), folder=folder)
    assert path.read_bytes() == content
    assert json.loads((folder / "ymap.fits.json").read_text())["url"] == good


def test_mirror_with_the_right_file_wins(server, folder, content, tmp_path):
    other, _ = make_map(tmp_path, seed=1)
    homes = server.add("/first.fits", other), server.add("/second.fits", content)
    with pytest.warns(SzmassWarning, match="it is another version"):
        path = fetch_map(product(*homes, sha256=sha256(content)), folder=folder)
    assert path.read_bytes() == content
    assert files_in(folder) == ["ymap.fits", "ymap.fits.json"]


def test_all_homes_fail(server, folder, content):
    wanted = product(server.url + "/a.fits", server.add("/b.fits", b"nothing"))
    message = r"'test' could not be fetched: .*a\.fits answered 404 .*b\.fits gave is no complete"
    with (
        pytest.warns(SzmassWarning, match="Trying"),
        pytest.raises(RemoteDataError, match=message + ".*https://example.org/maps and save it as"),
    ):
        fetch_map(wanted, folder=folder)
    assert files_in(folder) == []


def test_address_that_is_not_on_record(folder):
    with pytest.raises(RemoteDataError, match="not on record. By hand: download it from https"):
        fetch_map("pr4-pyilc", folder=folder)
    assert not folder.exists()


def test_four_at_the_same_time_fetch_it_once(server, folder, content):
    url = server.add("/map.fits", content)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(fetch_map, product(url), folder=folder) for _ in range(4)]
    assert {job.result() for job in jobs} == {folder / "ymap.fits"}
    assert len(server.log) == 1
    assert files_in(folder) == ["ymap.fits", "ymap.fits.json"]


def test_disk_without_room(server, folder, content, monkeypatch):
    monkeypatch.setattr(
        transfer.shutil, "disk_usage", lambda folder: type("usage", (), {"free": 1000})
    )
    mirror = server.add("/mirror.fits", content)
    with pytest.raises(DiskSpaceError, match="Make room there or choose another folder"):
        fetch_map(product(server.add("/map.fits", content), mirror), folder=folder)
    assert files_in(folder) == []
    assert len(server.log) == 1  # a mirror would not help


# What is there already


def test_file_that_was_put_there_is_used(folder, content):
    folder.mkdir()
    (folder / "ymap.fits").write_bytes(content)
    wanted = product("http://127.0.0.1:9/map.fits")
    assert fetch_map(wanted, folder=folder) == folder / "ymap.fits"
    assert json.loads((folder / "ymap.fits.json").read_text())["url"] is None
    known = dataclasses.replace(wanted, sha256=sha256(content))
    assert fetch_map(known, folder=folder) == folder / "ymap.fits"
    other = dataclasses.replace(wanted, sha256="0" * 64)
    with pytest.raises(IntegrityError, match="which is published: it is damaged or another"):
        fetch_map(other, folder=folder)
    assert (folder / "ymap.fits").read_bytes() == content


def test_file_that_was_damaged_later_is_noticed(server, folder, content):
    path = fetch_map(product(server.add("/map.fits", content)), folder=folder)
    spoiled = bytearray(content)
    spoiled[-100] ^= 1
    path.write_bytes(spoiled)
    with pytest.raises(IntegrityError, match="which is on record: it is damaged"):
        fetch_map(product(server.url + "/map.fits"), folder=folder)
    path.write_bytes(content)
    assert fetch_map(product(server.url + "/map.fits"), folder=folder) == path


def test_file_that_is_unchanged_is_not_read_again(server, folder, content, monkeypatch):
    wanted = product(server.add("/map.fits", content), sha256=sha256(content))
    path = fetch_map(wanted, folder=folder)
    monkeypatch.setattr("szmass._io.download.file_sha256", lambda path: 1 / 0)
    fetch_map(wanted, folder=folder)
    os.utime(path, (1, 1))
    with pytest.raises(ZeroDivisionError):
        fetch_map(wanted, folder=folder)


@pytest.mark.skipif(os.name != "posix", reason="needs modes of POSIX")
def test_folder_of_others_is_enough(folder, content):
    folder.mkdir()
    (folder / "ymap.fits").write_bytes(content)
    folder.chmod(0o500)
    try:
        fetch_map(product(), folder=folder)
    finally:
        folder.chmod(0o700)


def test_change_at_home_is_noticed_and_can_be_accepted(server, folder, content, tmp_path):
    url = server.add("/map.fits", content)
    path = fetch_map(product(url), folder=folder)
    path.unlink()
    newer, _ = make_map(tmp_path, seed=1)
    server.add("/map.fits", newer, etag='"2"')
    with pytest.raises(
        IntegrityError, match=r"it was changed on its server. To accept .*fits\.json"
    ):
        fetch_map(product(url), folder=folder)
    assert not path.exists()
    requests = len(server.log)
    (folder / "ymap.fits.json").unlink()
    assert fetch_map(product(url), folder=folder).read_bytes() == newer
    assert len(server.log) == requests  # it had arrived already


# Archives


def archived(server, content, path="/maps.tgz", **options):
    url = server.add(path, make_archive(content), **options)
    return MapSource(url=url, member="milca_ymaps.fits")


def test_only_the_map_of_an_archive_is_kept(server, folder, content):
    source = archived(server, content)
    for _ in range(2):
        path = fetch_map(product(source), folder=folder)
    assert path.read_bytes() == content
    assert files_in(folder) == ["ymap.fits", "ymap.fits.json"]
    assert len(server.log) == 1
    record = json.loads((folder / "ymap.fits.json").read_text())
    assert (record["url"], record["member"]) == (source.url, "milca_ymaps.fits")


def test_archive_is_kept_for_its_other_maps(server, folder, content):
    source = archived(server, content)
    fetch_map(product(source), folder=folder, keep_archive=True)
    assert "maps.tgz" in files_in(folder)
    fetch_map(product(source, filename="other.fits"), folder=folder)
    assert len(server.log) == 1
    assert files_in(folder) == [
        "other.fits", "other.fits.json", "ymap.fits", "ymap.fits.json"
    ]  # fmt: skip


def test_archive_of_the_user_is_used_and_stays(server, folder, content):
    folder.mkdir()
    (folder / "maps.tgz").write_bytes(make_archive(content))
    source = MapSource(url=server.url + "/maps.tgz", member="milca_ymaps.fits")
    assert fetch_map(product(source), folder=folder).read_bytes() == content
    assert server.log == []
    assert "maps.tgz" in files_in(folder)


def test_archive_is_resumed(server, folder, content):
    source = archived(server, content, cuts=[30_000, 0, 0, 0])
    with pytest.raises(RemoteDataError, match="did not deliver"):
        fetch_map(product(source), folder=folder)
    assert files_in(folder) == ["maps.tgz.part", "maps.tgz.part.json"]
    assert fetch_map(product(source), folder=folder).read_bytes() == content
    assert server.log[-1][1] == "bytes=30000-"


def test_archive_survives_a_stop_during_extraction(server, folder, content, monkeypatch):
    source = archived(server, content)
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):

        def interrupted(archive, member, path):
            path.write_bytes(b"half")
            raise KeyboardInterrupt

        patch.setattr("szmass.maps.products.extract_member", interrupted)
        fetch_map(product(source), folder=folder)
    assert files_in(folder) == ["maps.tgz", "maps.tgz.json"]
    assert fetch_map(product(source), folder=folder).read_bytes() == content
    assert len(server.log) == 1
    assert files_in(folder) == ["ymap.fits", "ymap.fits.json"]


def test_hostile_archive(server, folder, content, tmp_path):
    evil = tarfile.TarInfo("../milca_ymaps.fits")
    planted = tarfile.TarInfo("milca_ymaps.fits")
    planted.type, planted.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
    url = server.add("/maps.tgz", make_archive(content, before=[evil, planted]))
    source = MapSource(url=url, member="milca_ymaps.fits")
    path = fetch_map(product(source), folder=folder)
    assert path.read_bytes() == content
    assert not path.is_symlink()
    assert files_in(folder) == ["ymap.fits", "ymap.fits.json"]
    assert files_in(tmp_path) == ["maps"]


@pytest.mark.parametrize(
    "spoil",
    [lambda a: a[: len(a) // 2], lambda a: b"not an archive", lambda a: make_archive(b"no map")],
    ids=["truncated", "no archive", "no FITS"],
)
def test_archive_damaged_at_its_home(server, folder, content, spoil):
    url = server.add("/maps.tgz", spoil(make_archive(content)))
    source = MapSource(url=url, member="milca_ymaps.fits")
    with pytest.raises(FileFormatError, match="could not be fetched"):
        fetch_map(product(source), folder=folder)
    assert files_in(folder) == []


def test_archive_with_another_map(server, folder, content):
    wanted = product(archived(server, content), sha256="0" * 64)
    with pytest.raises(IntegrityError, match="another version"):
        fetch_map(wanted, folder=folder)
    assert files_in(folder) == []


def test_hash_and_size_of_an_archive(server, folder, content):
    source = archived(server, content)
    good = make_archive(content)
    right = dataclasses.replace(source, sha256=sha256(good), size=len(good))
    assert fetch_map(product(right), folder=folder).read_bytes() == content
    wrong = dataclasses.replace(source, sha256="0" * 64)
    with pytest.raises(IntegrityError, match="another version"):
        fetch_map(product(wrong, filename="other.fits"), folder=folder)
    assert files_in(folder) == ["ymap.fits", "ymap.fits.json"]


def test_room_for_archive_and_map_is_looked_for(server, folder, content, monkeypatch):
    source = archived(server, content)
    size = len(server.pages["/maps.tgz"].content)
    monkeypatch.setattr(
        transfer.shutil, "disk_usage", lambda folder: type("usage", (), {"free": size + 1000})
    )
    with pytest.raises(DiskSpaceError, match="are needed"):
        fetch_map(product(source, size=len(content)), folder=folder)
    assert files_in(folder) == []


# Opening


@pytest.mark.parametrize("packed", [False, True])
def test_product_is_opened_as_its_release_says(server, folder, tmp_path, packed):
    content, columns = make_map(tmp_path)
    source = archived(server, content) if packed else server.add("/map.fits", content)
    wanted = product(source)
    ymap = open_map(wanted, folder=folder)
    assert ymap.nside == NSIDE
    assert ymap.frame == "galactic"
    assert ymap.beam == 10 * u.arcmin
    position = healpy.pix2ang(NSIDE, 1234, lonlat=True)
    for column, values in zip(("FULL", "FIRST", "LAST"), columns, strict=True):
        opened = open_map(wanted, folder=folder, column=column)
        assert value_at(opened, position) == pytest.approx(values[1234], rel=1e-6)
    assert len(server.log) == 1


def value_at(ymap, position):
    from astropy.coordinates import SkyCoord

    coord = SkyCoord(*position, unit="deg", frame="galactic")
    return ymap.cutouts(coord, interpolation="nearest").data[0, 48, 48]


def test_name_in_the_table_or_path(server, folder, content, monkeypatch):
    registry = Registry("map product")
    registry.add("test", product(server.add("/map.fits", content)))
    monkeypatch.setattr(products, "MAP_PRODUCTS", registry)
    path = fetch_map("test", folder=folder)
    assert open_map("test", folder=folder, column=None, beam=None).beam == 10 * u.arcmin
    assert open_map(path).beam is None
    assert open_map(str(path), beam="5 arcmin").beam == 5 * u.arcmin
    with pytest.raises(UnknownNameError, match=r"There is no file 'tset'. No map product is named"):
        open_map("tset")


def test_mask_is_no_map(folder):
    with pytest.raises(InvalidInputError, match="'planck-masks' is a mask, not a map of y"):
        open_map("planck-masks", folder=folder)


def test_image_product_is_opened(server, folder):
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---CAR", "DEC--CAR"
    header["CRVAL1"], header["CRVAL2"], header["CRPIX1"], header["CRPIX2"] = 0, 0, 180.5, 60.5
    header["CDELT1"], header["CDELT2"] = -1.0, 1.0
    stream = io.BytesIO()
    fits.PrimaryHDU(np.zeros((120, 360), np.float32), header).writeto(stream)
    options = {"pixels": "car", "nside": None, "frame": "icrs", "column": None}
    wanted = product(server.add("/map.fits", stream.getvalue()), **options)
    ymap = open_map(wanted, folder=folder)
    assert ymap.shape == (120, 360)
    assert ymap.beam == 10 * u.arcmin
