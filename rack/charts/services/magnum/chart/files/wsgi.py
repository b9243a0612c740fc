"""Magnum's API for uWSGI: its own server answers one request after the other, or starts a process for each. Loaded while
the database is still being prepared; requests are answered only after that."""

import sys

sys.path.insert(0, '/opt/pilotlight')
import quick  # noqa: E402
from magnum.api import app  # noqa: E402
from magnum.common import policy  # noqa: E402

import needs  # noqa: E402

sys.argv = ['magnum-api']  # the options that uWSGI was started with are not Magnum's
application = app.build_wsgi_app()
# Otherwise loaded by the first request, and a second one beside it sees half of the rules.
policy.init().load_rules()
needs.wait()
quick.settle()
