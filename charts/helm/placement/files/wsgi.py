"""The placement API for uWSGI. Its modules are loaded while the database is still being prepared; the application
itself looks into the database as soon as it is made."""

import gc
import sys

gc.disable()  # a service's modules are not garbage, and looking for some costs an eighth of their import
sys.path.insert(0, '/opt/pilotlight')
from placement import wsgi  # noqa: E402

import needs  # noqa: E402

needs.wait()
application = wsgi.init_application()
gc.freeze()
gc.enable()
