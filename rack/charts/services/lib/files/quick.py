"""Makes importing a service quick: to be imported before it. `settle()` ends that, once all of it is imported.

What is being imported is not garbage, and looking for some takes an eighth of the time. Where eventlet replaces Python's
locks it asks for a whole collection twenty times: up to a second of processor time for each service. And its own
resolver of names needs a second DNS library; the C library's does as well.
"""

import gc
import os

os.environ.setdefault('EVENTLET_NO_GREENDNS', 'yes')
gc.disable()
_collect = gc.collect
gc.collect = lambda *_: 0


def settle():
    """What is there now stays, and is never looked at again; from here on garbage is collected as before."""
    gc.collect = _collect
    gc.freeze()
    gc.enable()
