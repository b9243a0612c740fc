"""What the pods of OpenStack wait for, given by their environment, and the record of jobs that are done."""

import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request

import pymysql
from sqlalchemy.engine import make_url


def wait():
    """Returns once all of NEEDS are there: `database`, `identity`, `catalog:TYPE`, `queue:NAME`, HOST:PORT, or the path of
    a socket."""
    for need in os.environ.get('NEEDS', '').split():
        name, _, rest = need.partition(':')
        if need == 'database':
            wait_for_job(os.environ['JOB_NAME'])
        elif need == 'identity':
            _until(f'Keystone to know {os.environ["SERVICE_USER"]}', _get_token, 1)
        elif name == 'catalog':
            _until(f'Keystone to know service {rest}', lambda: _find_service(rest), 1)
        elif name == 'queue':
            _until(f'an answerer of queue {rest}', lambda: _find_consumer(rest), 0.5)
        elif name.startswith('/'):
            _until(f'socket {name}', lambda: _connect(name))
        else:
            _until(f'service {need}', lambda: socket.create_connection((name, int(rest)), timeout=2).close())


def wait_for_database():
    """Returns once the service's own database is there, with the table that records jobs."""
    _until('the database', lambda: _query("SHOW TABLES LIKE 'done'"))


def wait_for_job(name):
    """Returns once that job has recorded its end."""
    _until(f'job {name}', lambda: _query('SELECT 1 FROM done WHERE name = %s', name))


def record_job(name):
    """Records that the job is done, for all pods that wait for it."""
    _query('REPLACE INTO done (name) VALUES (%s)', name)
    print(f'{name} is done', file=sys.stderr, flush=True)


def _until(what, look, seconds=0.25):
    """Looks again and again; says what it waits for, and again whenever the reason changes."""
    said = None
    while True:
        try:
            look()
            return
        except _NotYet:
            reason = 'not done yet'
        except (OSError, urllib.error.URLError, pymysql.MySQLError) as error:
            reason = str(error.args[-1] if error.args else error)
        if reason != said:
            said = reason
            print(f'waiting for {what}: {reason}', file=sys.stderr, flush=True)
        time.sleep(seconds)


def _find_consumer(queue):
    """Raises _NotYet unless the queue has a consumer: a call to a queue without one is answered only by its time-out."""
    import amqp
    import kombu  # not every service has it

    url = os.environ['OS_DEFAULT__TRANSPORT_URL'].replace('rabbit://', 'amqp://', 1)
    try:
        with kombu.Connection(url, connect_timeout=2) as connection:
            if connection.default_channel.queue_declare(queue, passive=True).consumer_count == 0:
                raise _NotYet
    except amqp.exceptions.NotFound as error:
        raise _NotYet from error
    except kombu.exceptions.OperationalError as error:
        raise ConnectionError(str(error)) from error  # kombu's own is none of Python's


def _connect(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        connection.connect(path)


class _NotYet(Exception):
    pass


def _query(statement, *arguments):
    """Runs one statement and commits. Raises _NotYet when it touches no row."""
    url = make_url(os.environ['JOBS_URL'])
    connection = pymysql.connect(
        host=url.host, port=url.port, user=url.username, password=url.password, database=url.database,
        connect_timeout=2, autocommit=True)
    with connection, connection.cursor() as cursor:
        if not cursor.execute(statement, arguments):
            raise _NotYet


def _get_token():
    """Gives what Keystone reports of a token for the service's own account."""
    domain = {'id': 'default'}
    user = {'name': os.environ['SERVICE_USER'], 'domain': domain, 'password': os.environ['SERVICE_PASSWORD']}
    identity = {'methods': ['password'], 'password': {'user': user}}
    scope = {'project': {'name': 'service', 'domain': domain}}
    body = json.dumps({'auth': {'identity': identity, 'scope': scope}}).encode()
    headers = {'Content-Type': 'application/json'}
    request = urllib.request.Request(f'{os.environ["KEYSTONE_URL"]}/auth/tokens', body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)['token']


def _find_service(kind):
    if not any(entry['type'] == kind for entry in _get_token()['catalog']):
        raise _NotYet
