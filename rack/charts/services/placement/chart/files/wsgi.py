"""The placement API for uWSGI. Its modules are loaded while the database is still being prepared; the application
itself looks into the database as soon as it is made."""

import sys

sys.path.insert(0, '/opt/pilotlight')
import quick  # noqa: E402
from placement import wsgi  # noqa: E402

import needs  # noqa: E402

needs.wait()
application = wsgi.init_application()
quick.settle()
