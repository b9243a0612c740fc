"""Becomes a service of OpenStack: `serve.py [--import=MODULE,...] [--health=PORT] MODULE:FUNCTION ARGUMENT...`.

The service is imported at once, and what it would load later on too, while the things it needs are still starting.
Then it waits for them (see needs.py), and runs the function with these arguments as its command line. With a port it
reports there that it works (see health.py).
"""

import importlib
import signal
import sys

import quick

# The first process of a container ignores this signal unless it says otherwise; the service does so later on.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
sys.argv.pop(0)
options = {}
while sys.argv[0].startswith('--'):
    name, _, options[name] = sys.argv.pop(0)[2:].partition('=')
module, _, function = sys.argv.pop(0).partition(':')
main = getattr(importlib.import_module(module), function)
for module in filter(None, options.get('import', '').split(',')):
    importlib.import_module(module)

import needs  # noqa: E402  after the service, which may replace parts of Python's own library

if 'health' in options:
    import health

    health.answer_once_started(int(options['health']))
quick.settle()
needs.wait()
sys.exit(main())
