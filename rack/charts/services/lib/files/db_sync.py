"""Fills a service's database: `db_sync.py MODULE:FUNCTION COMMAND...`.

Each command is one of the service's own management commands, run by that function in a fork of this interpreter:
importing a service costs as much as such a command, and the import happens while the database is still starting.
Every command gives the same when it is run again.
"""

import importlib
import os
import signal
import sys

import quick  # noqa: F401  to the end: it ends soon, and leaves little garbage

# The first process of a container ignores this signal unless it says otherwise.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
module, _, function = sys.argv[1].partition(':')
main = getattr(importlib.import_module(module), function)

import needs  # noqa: E402  after the service, which may replace parts of Python's own library

needs.wait_for_database()
for command in sys.argv[2:]:
    print(command, file=sys.stderr, flush=True)
    child = os.fork()
    if child == 0:
        sys.argv = command.split()
        status = 1
        try:
            status = main() or 0
        except SystemExit as end:
            status = end.code or 0
        finally:
            if isinstance(status, str):
                print(status, file=sys.stderr)
                status = 1
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(int(status))  # what Python does at its end is the parent's to do
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 0:
        sys.exit(f'{command} ended with status {status}')
needs.record_job(os.environ['JOB_NAME'])
