package incident

import (
	"path"
	"strings"
)

// isShared reports whether a process is above much that has nothing to do with each other, so
// that having it in common ties nothing. Anybody can give a process such a name, which only
// keeps alerts apart.
func isShared(name, exe string) bool {
	return isSharedName(name) || exe != "" && isSharedName(path.Base(exe))
}

func isSharedName(name string) bool {
	if isRuntimeName(name) {
		return true
	}
	switch name {
	case "systemd", "init", "(sd-pam)", "kthreadd", "sshd", "sshd-session", "login", "cron", "crond", "CRON", "atd", "anacron",
		"kubelet", "docker-init", "tini", "dumb-init", "catatonit", "s6-svscan", "s6-supervise", "runit", "runsv", "supervisord",
		"inetd", "xinetd", "tmux: server", "screen", "SCREEN":
		return true
	}
	return false
}

// isRuntimeName reports whether a name is that of a part of a container runtime.
func isRuntimeName(name string) bool {
	switch name {
	case "containerd", "dockerd", "crio", "conmon", "runc", "crun", "podman", "runc:[0:PARENT]", "runc:[1:CHILD]", "runc:[2:INIT]":
		return true
	}
	return strings.HasPrefix(name, "containerd-shim")
}

// holdsSecret reports whether reading the file by itself gives away credentials.
func holdsSecret(file string) bool {
	switch file {
	case "/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-", "/etc/sudoers",
		"/dev/mem", "/dev/kmem", "/proc/kcore",
		"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/var/run/crio/crio.sock", "/run/crio/crio.sock":
		return true
	}
	for _, dir := range [...]string{
		"/etc/kubernetes/", "/var/lib/kubelet/", "/var/lib/etcd/", "/etc/sudoers.d/",
		"/var/run/secrets/kubernetes.io/serviceaccount/", "/run/secrets/kubernetes.io/serviceaccount/",
	} {
		if strings.HasPrefix(file, dir) {
			return true
		}
	}
	for _, end := range [...]string{
		"/.ssh/id_rsa", "/.ssh/id_ed25519", "/.ssh/id_ecdsa", "/.aws/credentials", "/.config/gcloud/credentials.db",
		"/.config/gcloud/application_default_credentials.json", "/.azure/accessTokens.json", "/.kube/config",
		"/.docker/config.json", "/.git-credentials", "/.netrc",
	} {
		if strings.HasSuffix(file, end) {
			return true
		}
	}
	return strings.HasPrefix(file, "/proc/") && strings.HasSuffix(file, "/environ")
}

// givesPower reports whether writing to the file by itself gives lasting or higher access.
func givesPower(file string) bool {
	switch file {
	case "/etc/passwd", "/etc/group", "/etc/ld.so.preload", "/etc/crontab",
		"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/sys/kernel/uevent_helper":
		return true
	}
	return strings.HasSuffix(file, "/.ssh/authorized_keys") || strings.HasSuffix(file, "/release_agent") ||
		strings.HasPrefix(file, "/etc/pam.d/") || strings.HasPrefix(file, "/etc/cron.d/") || strings.HasPrefix(file, "/var/spool/cron/") ||
		strings.HasPrefix(file, "/etc/systemd/system/")
}

// isSensitive reports whether it matters by itself that a file was touched.
func isSensitive(file string) bool {
	if !strings.HasPrefix(file, "/") {
		return false
	}
	file = path.Clean(file)
	return holdsSecret(file) || givesPower(file)
}

// isLog reports whether a file holds what happened: a log, or the history of a shell.
func isLog(file string) bool {
	if strings.HasPrefix(file, "/var/log/") {
		return true
	}
	switch path.Base(file) {
	case ".bash_history", ".zsh_history", ".ash_history", ".sh_history", ".ksh_history":
		return true
	}
	return false
}
