// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's init: load the kit's module, run the kit's program with its
 * output on ttyS1, say how it ended, power off.
 *
 * A boot parameter kit.args=--case,foo gives the program other arguments.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define MAX_ARGS 32

static char cmdline[4096];

static void setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		dprintf(STDERR_FILENO, "lab: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Results go through a raw ttyS1: no echo, no line discipline of its own. */
static int open_results(void)
{
	struct termios tio;
	int fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY);

	if (fd >= 0 && tcgetattr(fd, &tio) == 0) {
		cfmakeraw(&tio);
		cfsetspeed(&tio, B115200);
		tcsetattr(fd, TCSANOW, &tio);
	}
	return fd;
}

static int load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	return syscall(SYS_finit_module, fd, "", 0);
}

static void arguments(char **argv)
{
	int argc = 0, fd = open("/proc/cmdline", O_RDONLY);
	char *word;

	argv[argc++] = "/kit/mn-kit";
	if (fd >= 0 && read(fd, cmdline, sizeof(cmdline) - 1) > 0) {
		word = strstr(cmdline, "kit.args=");
		if (word) {
			word += strlen("kit.args=");
			word[strcspn(word, "\n ")] = '\0';
			for (word = strtok(word, ","); word && argc < MAX_ARGS;
			     word = strtok(NULL, ","))
				argv[argc++] = word;
		}
	}
	if (argc == 1)
		argv[argc++] = "--all";
	argv[argc] = NULL;
}

static void run_kit(int out)
{
	char *argv[MAX_ARGS + 1];
	int status = 0;
	pid_t pid;

	arguments(argv);
	pid = fork();
	if (pid == 0) {
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
		execv(argv[0], argv);
		_exit(127);
	}
	/* Orphans of the kit are init's children too: wait for the kit itself. */
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		dprintf(out, "lab: cannot fork: %s\n", strerror(errno));
	else if (WIFSIGNALED(status))
		dprintf(out, "lab: kit killed by signal %d\n", WTERMSIG(status));
	else
		dprintf(out, "lab: kit exited %d\n", WEXITSTATUS(status));
}

int main(void)
{
	int out;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	setting("/proc/sys/kernel/hung_task_timeout_secs", "3");
	setting("/proc/sys/kernel/hung_task_warnings", "-1");

	out = open_results();
	if (out < 0)
		dprintf(STDERR_FILENO, "lab: /dev/ttyS1: %s\n", strerror(errno));
	else if (load_module("/kit/mn_kit.ko") < 0)
		dprintf(out, "lab: cannot load module: %s\n", strerror(errno));
	else
		run_kit(out);
	if (out >= 0)
		tcdrain(out);
	reboot(RB_AUTOBOOT);
	return 1;
}
