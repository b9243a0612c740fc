"""Lets the kubelet ask a service that only receives messages, and so has no other address where it could be asked.

It answers HTTP once the service has started, and so takes messages. The answer comes from the loop that does the service's
work: one that hangs is silent.
"""

import eventlet
from oslo_service import service

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'


def answer_once_started(port):
    """Makes every service of this process, and of workers that it forks, answer there when its start is done."""
    add = service.Services.add

    def add_and_answer(services, it):
        start = it.start

        def start_and_answer():
            it.start = start  # Magnum's conductor is started twice
            start()
            eventlet.spawn(eventlet.serve, eventlet.listen(('', port), reuse_port=True), answer)

        it.start = start_and_answer
        add(services, it)

    service.Services.add = add_and_answer


def answer(connection, _):
    try:
        connection.settimeout(2)
        connection.recv(4096)
        connection.sendall(OK)
    except OSError:
        pass  # who asked is gone, or says nothing
