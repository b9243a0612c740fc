"""Fills Nova's three databases and maps its two cells, in one interpreter: importing Nova costs more than each step.

The cells are mapped by templates which every service fills from its own [database] connection and transport_url: no
password is in the table, and a changed address or password needs no mapping anew.
"""

import os
import signal
import sys

import quick  # noqa: F401  to the end: it ends soon, and leaves little garbage

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
from nova.cmd import manage  # noqa: E402  first: it replaces parts of Python's own library
from nova import config, context, objects  # noqa: E402
from oslo_log import log  # noqa: E402
from oslo_utils import uuidutils  # noqa: E402

import needs  # noqa: E402

SERVER = '{scheme}://{username}:{password}@{hostname}:{port}'
CELLS = {
    # Of servers that never found a host; nothing sends messages there.
    'cell0': {'database_connection': SERVER + '/nova_cell0?{query}', 'transport_url': 'none:///'},
    'cell1': {'database_connection': SERVER + '/{path}?{query}', 'transport_url': SERVER + '//'},
}


def map_cells():
    """Makes the mappings as they are above, new or changed."""
    admin = context.get_admin_context()
    known = {cell.name: cell for cell in objects.CellMappingList.get_all(admin)}
    for name, urls in CELLS.items():
        if name in known:
            for field, url in urls.items():
                setattr(known[name], field, url)
            known[name].save()
        else:
            uuid = objects.CellMapping.CELL0_UUID if name == 'cell0' else uuidutils.generate_uuid()
            objects.CellMapping(admin, uuid=uuid, name=name, **urls).create()


def step(title, work):
    print(title, file=sys.stderr, flush=True)
    if work() not in (0, None):
        sys.exit(f'{title}: failed')


manage.CONF.register_cli_opts([manage.category_opt, manage.post_mortem_opt])
config.parse_args(['nova-manage', 'api_db', 'sync'])
log.setup(manage.CONF, 'nova')
objects.register_all()
needs.wait_for_database()
step('api_db sync', manage.ApiDbCommands().sync)
step('map the cells', map_cells)
step('db sync', manage.DbCommands().sync)
needs.record_job(os.environ['JOB_NAME'])
