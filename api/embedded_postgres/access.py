"""Give one system user access through a folder that is closed to other users."""

import errno
import logging
import os
import stat
import struct
from pathlib import Path

# The format in which Linux stores an access control list (acl(5)): a version, then (tag, permissions, id) per entry.
ATTRIBUTE = "system.posix_acl_access"
VERSION = struct.pack("<I", 2)
ENTRY = struct.Struct("<HHI")
USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
NO_ID = 0xFFFFFFFF
EXECUTE = 1

_log = logging.getLogger(__name__)


def allow_traversal(folder: Path, uid: int) -> None:
    """Let this user, and no other, traverse the folder, with an access control list. It grants no read permission.

    On a file system without access control lists, every user may traverse it (chmod o+x); a warning says so.
    """
    try:
        os.setxattr(folder, ATTRIBUTE, _add_user(_read_entries(folder), uid))
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in {errno.ENOTSUP, errno.ENOSYS, errno.EPERM, errno.EINVAL}:
            raise
        _log.warning("letting every user of this system traverse %s (chmod o+x)", folder)
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)


def _read_entries(folder: Path) -> dict[tuple[int, int], int]:
    """Return the permissions by (tag, id); derived from the mode when there is no list."""
    try:
        packed = os.getxattr(folder, ATTRIBUTE)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        mode = stat.S_IMODE(folder.stat().st_mode)
        return {(USER_OBJ, NO_ID): mode >> 6 & 7, (GROUP_OBJ, NO_ID): mode >> 3 & 7, (OTHER, NO_ID): mode & 7}
    return {(tag, user): permissions for tag, permissions, user in ENTRY.iter_unpack(packed[len(VERSION) :])}


def _add_user(entries: dict[tuple[int, int], int], uid: int) -> bytes:
    changed = dict(entries)
    changed[USER, uid] = changed.get((USER, uid), 0) | EXECUTE
    # The mask limits named users and groups; without a mask, the group's permissions had that role.
    changed[MASK, NO_ID] = changed.get((MASK, NO_ID), changed[GROUP_OBJ, NO_ID]) | EXECUTE
    return VERSION + b"".join(ENTRY.pack(tag, bits, user) for (tag, user), bits in sorted(changed.items()))
