"""The identity API for uWSGI. Keystone is loaded at once, while the database is still being prepared; requests are
answered only after the job that prepared it for this very configuration is done."""

import os
import sys

sys.path.insert(0, '/opt/pilotlight')
from keystone.server.wsgi import initialize_public_application  # noqa: E402

import database  # noqa: E402

application = initialize_public_application()
JOB = os.environ['JOB_NAME']
database.wait_for(os.environ['OS_DATABASE__CONNECTION'], f'job {JOB}',
                  'SELECT 1 FROM pilotlight_jobs WHERE name = %s', (JOB,))
