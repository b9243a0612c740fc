"""Becomes a service of OpenStack: `serve.py [--import=MODULE,...] [--health=PORT] MODULE:FUNCTION ARGUMENT...`.

The service is imported at once, and what it would load later on too, while the things it needs are still starting.
Then it waits for them (see needs.py), and runs the function with these arguments as its command line. With a port it
reports there that it works (see health.py).
"""

import importlib
import os
import signal
import sys

import quick

# The kernel does not deliver a signal with its default action to the first process of a container. oslo.service relies on that action: when it
# stops, it resets all signals, and SIGALRM should end a service that exceeds graceful_shutdown_timeout.
act = signal.signal


def act_or_end(number, action):
    ends = number in (signal.SIGTERM, signal.SIGALRM) and action == signal.SIG_DFL
    return act(number, (lambda *_: os._exit(128 + number)) if ends else action)


signal.signal = act_or_end
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
