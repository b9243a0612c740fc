"""Becomes a service of OpenStack: `serve.py [--import=MODULE,...] MODULE:FUNCTION ARGUMENT...`.

The service is imported at once, and what it would load later on too, while the things it needs are still starting.
Then it waits for them (see needs.py), and runs the function with these arguments as its command line.
"""

import importlib
import signal
import sys

import quick

# The first process of a container ignores this signal unless it says otherwise; the service does so later on.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
sys.argv.pop(0)
later = sys.argv.pop(0).removeprefix('--import=').split(',') if sys.argv[0].startswith('--import=') else []
module, _, function = sys.argv.pop(0).partition(':')
main = getattr(importlib.import_module(module), function)
for module in later:
    importlib.import_module(module)

import needs  # noqa: E402  after the service, which may replace parts of Python's own library

quick.settle()
needs.wait()
sys.exit(main())
