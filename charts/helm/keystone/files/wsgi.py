"""The identity API for uWSGI. Keystone is loaded at once, while the database is still being prepared; requests are
answered only after the job that prepared it for this very configuration is done."""

import os
import sys

sys.path.insert(0, '/opt/pilotlight')
from keystone.common.rbac_enforcer import enforcer  # noqa: E402
from keystone.server.wsgi import initialize_public_application  # noqa: E402

import database  # noqa: E402

application = initialize_public_application()
# The policy is otherwise loaded by the first request; a second one beside it sees half of the rules, and is refused
# with 403 what it may do.
enforcer.RBACEnforcer()._enforcer.load_rules()
JOB = os.environ['JOB_NAME']
database.wait_for(os.environ['OS_DATABASE__CONNECTION'], f'job {JOB}',
                  'SELECT 1 FROM pilotlight_jobs WHERE name = %s', (JOB,))
