"""An image is on the disk before an upload is acknowledged: glance_store's store of files leaves it in the page cache.

To be imported before the store is used; wraps the store's own `add`, which everything that makes an image ends with.
"""

import errno
import functools
import os

from glance_store import exceptions
from glance_store._drivers import filesystem

_add = filesystem.Store.add


@functools.wraps(_add)
def add(store, *arguments, **named):
    answer = _add(store, *arguments, **named)
    path = answer[0].removeprefix('file://')
    try:
        for it in (path, os.path.dirname(path)):
            sync(it)
    except OSError as error:
        os.unlink(path)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # a file system may find this out only now
            raise exceptions.StorageFull() from error
        raise
    return answer


def sync(path):
    """Returns once the file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


filesystem.Store.add = add
