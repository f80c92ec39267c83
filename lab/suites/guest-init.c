// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's init: load the kit's module, run the kit's program with its
 * output on LAB_RESULTS, say how it ended, power off.  The kernel gives its
 * init each boot parameter that it does not know as a variable.
 *
 * A boot parameter kit.args=--case,foo gives the program other arguments;
 * lab.run=/path,arg,arg runs another program, and loads nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Results go through a raw serial line: no echo, no line discipline of its own. */
static int open_results(void)
{
	const char *path = getenv("LAB_RESULTS");
	struct termios tio;
	int fd = path ? open(path, O_RDWR | O_NOCTTY) : -1;

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

/* Cut the value of a boot parameter at its commas; say whether there is one. */
static bool parameter(const char *key, char **argv, int argc)
{
	char *word = strstr(cmdline, key);

	if (!word)
		return false;
	word += strlen(key);
	word[strcspn(word, "\n ")] = '\0';
	for (word = strtok(word, ","); word && argc < MAX_ARGS;
	     word = strtok(NULL, ","))
		argv[argc++] = word;
	argv[argc] = NULL;
	return true;
}

/* Give the program in argv; say whether it is the kit, which needs its module. */
static bool is_kit(char **argv)
{
	int fd = open("/proc/cmdline", O_RDONLY);

	if (fd < 0 || read(fd, cmdline, sizeof(cmdline) - 1) < 0)
		dprintf(STDERR_FILENO, "lab: /proc/cmdline: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	if (parameter("lab.run=", argv, 0))
		return false;
	argv[0] = "/kit/mn-kit";
	if (!parameter("kit.args=", argv, 1)) {
		argv[1] = "--all";
		argv[2] = NULL;
	}
	return true;
}

static void run(char **argv, const char *name, int out)
{
	int status = 0;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
		execv(argv[0], argv);
		_exit(127);
	}
	/* Orphans of the program are init's children too: wait for itself. */
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		dprintf(out, "lab: cannot fork: %s\n", strerror(errno));
	else if (WIFSIGNALED(status))
		dprintf(out, "lab: %s killed by signal %d\n", name, WTERMSIG(status));
	else
		dprintf(out, "lab: %s exited %d\n", name, WEXITSTATUS(status));
}

int main(void)
{
	char *argv[MAX_ARGS + 1] = { "" };
	bool kit;
	int out;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	kit = is_kit(argv);
	/* The kit hangs tasks on purpose; other programs may just be slow. */
	setting("/proc/sys/kernel/hung_task_timeout_secs", kit ? "3" : "30");
	setting("/proc/sys/kernel/hung_task_warnings", "-1");

	out = open_results();
	if (out < 0)
		dprintf(STDERR_FILENO, "lab: LAB_RESULTS: %s\n", strerror(errno));
	else if (kit && load_module("/kit/mn_kit.ko") < 0)
		dprintf(out, "lab: cannot load module: %s\n", strerror(errno));
	else
		run(argv, kit ? "kit" : basename(argv[0]), out);
	if (out >= 0)
		tcdrain(out);
	reboot(RB_AUTOBOOT);
	return 1;
}
