"""What is kept of a fetched catalogue, and when it is used."""

import errno
import os
import re

import numpy as np
import pytest
from astropy.table import QTable

from szmass._tables.columns import column_parts
from szmass.catalogs import CATALOGS, PSZ2Catalog, conf
from szmass.exceptions import IntegrityError, InvalidInputError, RemoteDataError, SzmassWarning


@pytest.fixture(autouse=True)
def good_answer(vizier, psz2_like, rows, monkeypatch):
    monkeypatch.setattr(PSZ2Catalog, "expected_rows", 60)
    vizier.body = psz2_like.vizier_answer(rows)


def assert_same(one, other):
    assert one.colnames == other.colnames
    for name in one.colnames:
        (values, mask, unit), (others, other_mask, other_unit) = (
            column_parts(table[name]) for table in (one, other)
        )
        assert unit == other_unit
        np.testing.assert_array_equal(mask, other_mask, err_msg=name)
        np.testing.assert_array_equal(values[~mask], others[~mask], err_msg=name)


def the_snapshot(cache):
    (path,) = cache.glob("*")
    return path


def test_second_fetch_reads_the_snapshot(vizier, cache):
    fetched = PSZ2Catalog.fetch()
    again = PSZ2Catalog.fetch()
    assert len(vizier.requests) == 1
    path = the_snapshot(cache)
    assert re.fullmatch(r"psz2_\d{4}-\d\d-\d\d\.ecsv", path.name)
    assert_same(fetched.table, again.table)
    assert again.table.meta["snapshot"] == str(path)
    for key in ("source", "server", "query", "retrieved", "sha256"):
        assert again.table.meta[key] == fetched.table.meta[key]
    assert "-source=J/A+A/594/A27/psz2" in again.table.meta["query"]
    assert "-out.max=unlimited" in again.table.meta["query"]


def test_snapshot_is_readable_by_others(cache):
    PSZ2Catalog.fetch()
    table = QTable.read(the_snapshot(cache))
    assert table["msz"].unit == "solMass"
    assert table.meta["source"] == "VizieR J/A+A/594/A27/psz2"
    assert len(PSZ2Catalog.read(the_snapshot(cache))) == 60


def test_offline(vizier):
    with pytest.raises(RemoteDataError, match="no snapshot of 'psz2'.*Fetch it once"):
        PSZ2Catalog.fetch(offline=True)
    assert not vizier.requests
    PSZ2Catalog.fetch()
    assert len(PSZ2Catalog.fetch(offline=True)) == 60
    assert len(vizier.requests) == 1
    with pytest.raises(InvalidInputError, match="exclude each other"):
        PSZ2Catalog.fetch(offline=True, refresh=True)


def test_refresh_asks_again_and_keeps_older_snapshots(vizier, cache):
    PSZ2Catalog.fetch()
    today = the_snapshot(cache)
    old = today.with_name("psz2_2019-01-01.ecsv")
    today.rename(old)
    assert PSZ2Catalog.fetch().table.meta["snapshot"] == str(old)
    PSZ2Catalog.fetch(refresh=True)
    assert len(vizier.requests) == 2
    assert {path.name for path in cache.glob("*")} == {old.name, today.name}
    assert PSZ2Catalog.fetch().table.meta["snapshot"] == str(today)


def test_failed_refresh_is_an_error_and_leaves_the_snapshot(vizier, cache):
    PSZ2Catalog.fetch()
    before = the_snapshot(cache).read_bytes()
    vizier.status = 500
    with pytest.raises(RemoteDataError, match="500"):
        PSZ2Catalog.fetch(refresh=True)
    assert the_snapshot(cache).read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-100],
        lambda content: content.replace(b"10", b"11"),
        lambda content: content.replace(b"retrieved: '2", b"retrieved: '1"),
        lambda content: content.replace(b"snapshot_sha256", b"snapshot_sha257"),
        lambda content: b"",
    ],
)
def test_damaged_snapshot(vizier, cache, damage):
    PSZ2Catalog.fetch()
    path = the_snapshot(cache)
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert path.read_bytes() != content
    with pytest.raises(IntegrityError, match="changed or damaged.*refresh=True"):
        PSZ2Catalog.fetch(offline=True)
    with pytest.warns(SzmassWarning, match="changed or damaged.*fetched again"):
        assert len(PSZ2Catalog.fetch()) == 60
    assert len(vizier.requests) == 2
    assert len(PSZ2Catalog.fetch(offline=True)) == 60  # it was mended


def test_cache_folder_is_configured(tmp_path):
    with conf.set_temp("cache_folder", str(tmp_path / "mine" / "tables")):
        PSZ2Catalog.fetch()
        assert len(PSZ2Catalog.fetch(offline=True)) == 60
    assert list((tmp_path / "mine" / "tables").glob("psz2_*.ecsv"))


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with conf.set_temp("cache_folder", str(tmp_path / "file" / "cache")):
        with pytest.warns(SzmassWarning, match="could not be kept.*cache_folder"):
            assert len(PSZ2Catalog.fetch()) == 60
        with pytest.raises(RemoteDataError, match="no snapshot"):
            PSZ2Catalog.fetch(offline=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_is_read_only(cache):
    cache.mkdir(parents=True)
    cache.chmod(0o500)
    try:
        with pytest.warns(SzmassWarning, match="could not be kept.*Permission"):
            assert len(PSZ2Catalog.fetch()) == 60
    finally:
        cache.chmod(0o700)
    assert not list(cache.glob("*"))


def test_full_disk_or_refused_write(cache, monkeypatch):
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):

        def replace(*args, code=code):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr("szmass._io.files.os.replace", replace)
        with pytest.warns(SzmassWarning, match=f"could not be kept.*{os.strerror(code)}"):
            assert len(PSZ2Catalog.fetch()) == 60
        assert not list(cache.glob("*"))  # nothing half-written


def test_every_catalogue_takes_the_same_options():
    for tag, catalog in CATALOGS.items():
        with pytest.raises((RemoteDataError, OSError), match=r"."):
            catalog.fetch(offline=True)
        with pytest.raises((InvalidInputError, RemoteDataError)):
            catalog.fetch(offline=True, refresh=True)
        assert tag == catalog.tag


def test_snapshot_of_a_day_to_come_does_not_win(vizier, cache):
    PSZ2Catalog.fetch()
    today = the_snapshot(cache)
    content = today.read_bytes()
    later = today.with_name("psz2_9999-12-31.ecsv")
    later.write_bytes(content)
    assert PSZ2Catalog.fetch().table.meta["snapshot"] == str(today)
    today.unlink()
    with pytest.raises(RemoteDataError, match="no snapshot"):
        PSZ2Catalog.fetch(offline=True)
    assert "snapshot" not in PSZ2Catalog.fetch().table.meta
    assert len(vizier.requests) == 2


def test_tables_that_are_written_do_not_tell_where_the_snapshot_lies(tmp_path, cache):
    PSZ2Catalog.fetch()
    catalog = PSZ2Catalog.fetch()
    catalog.write(tmp_path / "catalog.ecsv")
    catalog.sample().write(tmp_path / "sample.ecsv")
    for name in ("catalog.ecsv", "sample.ecsv"):
        text = (tmp_path / name).read_text()
        assert the_snapshot(cache).name in text
        assert str(cache) not in text
