"""Letting one system user pass through a folder that is closed to others."""

import errno
import logging
import os
import stat
import struct
from pathlib import Path

# The form in which Linux keeps an access control list (acl(5)): a version, then (tag, permissions, id) of each entry.
ATTRIBUTE = "system.posix_acl_access"
VERSION = struct.pack("<I", 2)
ENTRY = struct.Struct("<HHI")
USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
NO_ID = 0xFFFFFFFF
PASS = 1

_log = logging.getLogger(__name__)


def let_pass(folder: Path, uid: int) -> None:
    """Let this user pass through the folder, by an access control list that says so of nobody else.

    Where the file system keeps no such lists, everybody may pass (chmod o+x), which is logged as a warning. Nobody may
    list the folder who could not before.
    """
    try:
        os.setxattr(folder, ATTRIBUTE, _with_user(_entries(folder), uid))
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in {errno.ENOTSUP, errno.ENOSYS, errno.EPERM, errno.EINVAL}:
            raise
        _log.warning("letting every user of this system pass through %s (chmod o+x)", folder)
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)


def _entries(folder: Path) -> dict[tuple[int, int], int]:
    """The permissions of each (tag, id); those of the mode where there is no list."""
    try:
        packed = os.getxattr(folder, ATTRIBUTE)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        mode = stat.S_IMODE(folder.stat().st_mode)
        return {(USER_OBJ, NO_ID): mode >> 6 & 7, (GROUP_OBJ, NO_ID): mode >> 3 & 7, (OTHER, NO_ID): mode & 7}
    return {(tag, who): permissions for tag, permissions, who in ENTRY.iter_unpack(packed[len(VERSION) :])}


def _with_user(entries: dict[tuple[int, int], int], uid: int) -> bytes:
    changed = dict(entries)
    changed[USER, uid] = changed.get((USER, uid), 0) | PASS
    # The mask bounds what named users and groups get; without one so far, it was what the group has.
    changed[MASK, NO_ID] = changed.get((MASK, NO_ID), changed[GROUP_OBJ, NO_ID]) | PASS
    return VERSION + b"".join(ENTRY.pack(tag, permissions, who) for (tag, who), permissions in sorted(changed.items()))
