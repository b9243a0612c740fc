"""What an agent runs for a privileged helper: asks process 1 (agent.py) for it, and ends as that one's start does."""

import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as asked:
    asked.connect(os.path.join(os.environ.get('TMPDIR', '/tmp'), 'privsep.sock'))
    asked.sendall('\0'.join(sys.argv[1:]).encode())
    asked.shutdown(socket.SHUT_WR)
    answer = asked.recv(1)
sys.exit(answer[0] if answer else 1)
