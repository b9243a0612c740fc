"""Makes a service known to Keystone: its account, with the roles admin and service in the project `service`, and its
entries in the catalog; for some, their own domain with its administrator. Only what differs is changed, so it may
run again, and beside that of another service."""

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request

KEYSTONE = os.environ['KEYSTONE_URL']
DOMAIN = 'default'
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
headers = {'Content-Type': 'application/json'}


def call(method, path, body=None, accept=()):
    """Gives Keystone's answer and its headers; raises HTTPError unless the status is good or in `accept`."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(KEYSTONE + path, data, headers, method=method)
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        if error.code not in accept:
            raise
        answer = error
    with answer:
        text = answer.read()
    return (json.loads(text) if text else {}), answer.headers


def token_of(name, password, scope, domain=DOMAIN):
    """Gives a token, or nothing where Keystone does not take that name and password for that scope."""
    user = {'name': name, 'domain': {'id': domain}, 'password': password}
    identity = {'methods': ['password'], 'password': {'user': user}}
    auth = {'auth': {'identity': identity, 'scope': scope}}
    return call('POST', '/auth/tokens', auth, accept=(401,))[1].get('X-Subject-Token')


def log_in():
    """Puts the admin's token into every later request."""
    headers.pop('X-Auth-Token', None)
    scope = {'project': {'name': os.environ['ADMIN_PROJECT'], 'domain': {'id': DOMAIN}}}
    token = token_of(os.environ['ADMIN_USER'], os.environ['ADMIN_PASSWORD'], scope)
    if token is None:
        raise PermissionError('Keystone does not take the password of the admin')
    headers['X-Auth-Token'] = token


def ensure(kind, match, more=None):
    """Gives the object of that kind which has all of `match`, made or changed to have `more` too."""
    wanted = {**match, **(more or {})}
    query = '&'.join(f'{key}={value}' for key, value in match.items())
    found = call('GET', f'/{kind}s?{query}')[0][f'{kind}s']
    if not found:
        made, _ = call('POST', f'/{kind}s', {kind: wanted}, accept=(409,))
        if kind in made:
            return made[kind]
        found = call('GET', f'/{kind}s?{query}')[0][f'{kind}s']  # another job was faster
    changed = {key: value for key, value in wanted.items() if found[0].get(key) != value}
    return call('PATCH', f'/{kind}s/{found[0]["id"]}', {kind: changed})[0][kind] if changed else found[0]


def register_user(name, password):
    project = ensure('project', {'name': 'service', 'domain_id': DOMAIN})
    # To set a password anew would end all of the user's sessions.
    known = token_of(name, password, {'project': {'id': project['id']}}) is not None
    user = ensure('user', {'name': name, 'domain_id': DOMAIN}, {} if known else {'password': password})
    for role in ('admin', 'service'):  # in any case: an earlier run may have been cut off between the two
        role_id = ensure('role', {'name': role})['id']
        call('PUT', f'/projects/{project["id"]}/users/{user["id"]}/roles/{role_id}')
    print(f'user {name} is there', file=sys.stderr)


def register_service(type, name, urls):
    service = ensure('service', {'type': type, 'name': name})
    for interface, url in urls.items():
        place = {'service_id': service['id'], 'interface': interface, 'region_id': os.environ['REGION']}
        ensure('endpoint', place, {'url': url})
    print(f'service {type} is at {urls["public"]}', file=sys.stderr)


def register_domain(name, admin, roles):
    """A domain that the service may fill with users, and the roles that it gives to them."""
    domain = ensure('domain', {'name': name})
    password = os.environ['DOMAIN_PASSWORD']
    if token_of(admin, password, {'domain': {'id': domain['id']}}, domain['id']) is None:
        user = ensure('user', {'name': admin, 'domain_id': domain['id']}, {'password': password})
        role_id = ensure('role', {'name': 'admin'})['id']
        call('PUT', f'/domains/{domain["id"]}/users/{user["id"]}/roles/{role_id}')
    for role in roles:
        ensure('role', {'name': role})
    print(f'domain {name} is there, with its administrator {admin}', file=sys.stderr)


def register():
    log_in()
    register_user(os.environ['SERVICE_USER'], os.environ['SERVICE_PASSWORD'])
    for entry in json.loads(os.environ['CATALOG']):
        register_service(**entry)
    if 'DOMAIN' in os.environ:
        register_domain(**json.loads(os.environ['DOMAIN']))


said = None
while True:  # Keystone may not be there yet, or may stop in between: all of this may be done again
    try:
        register()
        break
    except OSError as error:
        if isinstance(error, urllib.error.HTTPError) and 400 <= error.code < 500:
            raise
        if str(error) != said:
            said = str(error)
            print(f'waiting for Keystone: {said}', file=sys.stderr, flush=True)
        time.sleep(0.25)
