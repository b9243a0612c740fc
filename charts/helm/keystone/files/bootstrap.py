"""Brings the schema up to date, then makes the admin user, the roles and the identity endpoints.

Both are keystone-manage's own commands, each in a fork of one interpreter: importing Keystone costs as much
as either, and the import happens while the database is still starting.
What bootstrap sets comes from OS_BOOTSTRAP_* variables; running it again changes only what differs.
"""

import os
import sys

sys.path.insert(0, '/opt/pilotlight')
from keystone.cmd import cli  # noqa: E402  imported while the database is still starting

import database  # noqa: E402

URL = os.environ['OS_DATABASE__CONNECTION']
database.wait_for(URL, 'the database', "SHOW TABLES LIKE 'pilotlight_jobs'")
for command in ('db_sync', 'bootstrap'):
    print(f'keystone-manage {command}', file=sys.stderr, flush=True)
    child = os.fork()
    if child == 0:
        cli.main(argv=['keystone-manage', command])
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # what Python does at its end is the parent's to do
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 0:
        sys.exit(f'keystone-manage {command} ended with status {status}')
database.execute(URL, 'REPLACE INTO pilotlight_jobs (name) VALUES (%s)', (os.environ['JOB_NAME'],))
print(f'{os.environ["JOB_NAME"]} is done', file=sys.stderr, flush=True)
