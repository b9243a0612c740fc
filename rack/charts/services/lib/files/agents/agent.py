"""Process 1 of an agent that works on its host: `agent.py --privileged=MODULE,... MODULE:FUNCTION ARGUMENT...`.

Agents do what needs rights in helpers, one for each set of rights (oslo.privsep). Usually each helper is an interpreter
that imports the same libraries again: a second of processor time, and as much for the next one. Here process 1 imports
them once and forks a helper whenever the agent asks for one (privsep.py asks, which is its `helper_command`).

The agent itself starts from nothing, by serve.py: it replaces parts of Python's own library before it imports anything.
Beside this, process 1 does what the first one has to: it reaps, and passes on the signal to end.
"""

import importlib
import os
import select
import signal
import socket
import sys
import traceback

import quick

ASK = os.path.join(os.environ.get('TMPDIR', '/tmp'), 'privsep.sock')


def main():
    privileged = sys.argv[1].removeprefix('--privileged=').split(',')
    with socket.socket(socket.AF_UNIX) as asks:
        if os.path.exists(ASK):
            os.unlink(ASK)
        asks.bind(ASK)
        asks.listen()
        agent = fork(become_agent, sys.argv[2:])
        signal.signal(signal.SIGTERM, lambda *_: os.kill(agent, signal.SIGTERM))
        for module in ('oslo_privsep.daemon', *privileged):
            importlib.import_module(module)
        quick.settle()  # helpers share what they do not change
        sys.exit(watch(agent, asks))


def watch(agent, asks):
    """Forks helpers and reaps until the agent has ended; gives its exit status."""
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.raise_signal(signal.SIGCHLD)  # for children that ended before
    starting = {}
    while True:
        ready, _, _ = select.select([asks, ended], [], [])
        if asks in ready:
            connection, _ = asks.accept()
            words = connection.makefile().read().split('\0')
            starting[fork(become_helper, words)] = connection
        if ended in ready:
            os.read(ended, 4096)
        for pid, status in reap():
            if pid == agent:
                return status if status >= 0 else 128 - status
            if pid in starting:
                with starting.pop(pid) as connection:
                    connection.sendall(bytes([status & 255]))


def reap():
    """Every child that has ended, orphans that process 1 inherited among them."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def fork(work, words):
    """Runs `work` in a child of this process, with the signals of a fresh one; gives its pid."""
    pid = os.fork()
    if pid != 0:
        return pid
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    status = 1
    try:
        work(words)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # what Python does at its end is process 1's to do


def become_agent(words):
    os.execv(sys.executable, [sys.executable, os.path.join(os.path.dirname(__file__), 'serve.py'), *words])


def become_helper(words):
    from oslo_privsep import daemon
    sys.argv = ['privsep-helper', *words]
    daemon.helper_main()  # forks what goes on, and returns


main()
