"""The identity API for uWSGI. Keystone is loaded at once, while the database is still being prepared; requests are
answered only after the job that prepared it is done."""

import logging
import sys

sys.path.insert(0, '/opt/pilotlight')
import quick  # noqa: E402
from keystone.common.rbac_enforcer import enforcer  # noqa: E402
from keystone.server.wsgi import initialize_public_application  # noqa: E402

import needs  # noqa: E402

# The kubelet makes the directory of a Secret readable to all, whatever it does with the keys in it: they are this user's
# alone. Keystone would warn of the directory with every token.
logging.getLogger('keystone.common.fernet_utils').addFilter(lambda it: 'world readable' not in str(it.msg))
application = initialize_public_application()
# The policy is otherwise loaded by the first request; a second one beside it sees half of the rules, and is refused
# with 403 what it may do.
enforcer.RBACEnforcer()._enforcer.load_rules()
needs.wait()
quick.settle()
