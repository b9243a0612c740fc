/* The process that holds a pod's namespaces: it sleeps, and reaps the orphans of a pod that shares one PID namespace. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void reap(int signal)
{
	(void)signal;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void leave(int signal)
{
	(void)signal;
	_exit(0);
}

int main(void)
{
	struct sigaction reaping = { .sa_handler = reap, .sa_flags = SA_NOCLDSTOP | SA_RESTART };
	struct sigaction leaving = { .sa_handler = leave };

	if (sigaction(SIGCHLD, &reaping, NULL) < 0 || sigaction(SIGTERM, &leaving, NULL) < 0 ||
	    sigaction(SIGINT, &leaving, NULL) < 0)
		return 1;
	reap(0);
	for (;;)
		pause();
}
