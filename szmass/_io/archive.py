"""One file out of a tar archive, read as a stream: nothing else is written anywhere."""

import lzma
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from szmass._io.transfer import check_room, full_disk_raises
from szmass._utils.progress import progress_bar
from szmass.exceptions import FileFormatError

__all__ = ["extract_member"]

_CHUNK = 1 << 20  # bytes
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


def extract_member(archive, member, path):
    """Write the first regular file named ``member`` of a tar archive, also compressed, to ``path``.

    The name decides only *which* it is, never where it is written: links, devices and names that
    point out of the archive are passed over. Nothing is left at ``path`` after a failure.
    """
    archive, path = Path(archive), Path(path)
    try:
        with tarfile.open(archive, "r|*") as tar:
            _copy(tar, _find(tar, archive, member), path)
    except BaseException as err:
        path.unlink(missing_ok=True)
        if isinstance(err, _DAMAGED):
            raise FileFormatError(
                f"{member!r} could not be taken out of {str(archive)!r}: the archive is damaged, "
                f"cut short or no tar file ({err})"
            ) from err
        raise


def _find(tar, archive, member):
    passed_over = []
    with progress_bar(desc=f"looking for {member}", bar_format="{desc} {elapsed}") as bar:
        for info in tar:
            bar.update()
            name = PurePosixPath(info.name)
            if name.name != member:
                continue
            if info.isreg() and not name.is_absolute() and ".." not in name.parts:
                return info
            passed_over.append(info.name)
    reason = f" ({passed_over[0]!r} is a link or points out of the archive)" if passed_over else ""
    raise FileFormatError(f"The archive {str(archive)!r} has no file {member!r}{reason}")


def _copy(tar, info, path):
    check_room(path.parent, info.size)
    bar = progress_bar(total=info.size, unit="B", unit_scale=True, desc=path.name)
    with bar, full_disk_raises(path), tar.extractfile(info) as source, path.open("wb") as target:
        while chunk := source.read(_CHUNK):
            target.write(chunk)
            bar.update(len(chunk))
