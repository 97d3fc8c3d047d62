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

// holdsSecret reports whether getting at the file by itself gives away secrets or control: more
// than credentials.
func holdsSecret(file string) bool {
	switch file {
	case "/etc/sudoers", "/dev/mem", "/dev/kmem", "/proc/kcore",
		"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/var/run/crio/crio.sock", "/run/crio/crio.sock":
		return true
	}
	for _, dir := range [...]string{"/etc/kubernetes/", "/var/lib/kubelet/", "/var/lib/etcd/", "/etc/sudoers.d/", servicePath, "/var" + servicePath} {
		if strings.HasPrefix(file, dir) {
			return true
		}
	}
	return holdsCredentials(file) || strings.HasPrefix(file, "/proc/") && strings.HasSuffix(file, "/environ")
}

// servicePath is where a container has what it needs for the Kubernetes API.
const servicePath = "/run/secrets/kubernetes.io/serviceaccount/"

// holdsCredentials reports whether a file of this name is there to hold credentials: passwords,
// also as hashes, private keys, tokens.
func holdsCredentials(file string) bool {
	switch file {
	case "/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-", "/var/lib/kubelet/config.json",
		// Kubeconfigs of kubeadm with a key or token inside; kubelet.conf names a key elsewhere.
		"/etc/kubernetes/admin.conf", "/etc/kubernetes/super-admin.conf", "/etc/kubernetes/controller-manager.conf",
		"/etc/kubernetes/scheduler.conf", "/etc/kubernetes/bootstrap-kubelet.conf":
		return true
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
	switch below := strings.TrimPrefix(file, "/var"); {
	case strings.HasPrefix(below, servicePath):
		return path.Base(file) == "token" // beside it lie the namespace and a public certificate
	case strings.HasPrefix(file, "/etc/kubernetes/pki/"):
		return path.Ext(file) == ".key"
	case strings.HasPrefix(file, "/var/lib/kubelet/pki/"):
		return path.Ext(file) == ".key" || path.Ext(file) == ".pem"
	case strings.HasPrefix(file, "/var/lib/kubelet/pods/"):
		return strings.Contains(file, "/volumes/kubernetes.io~secret/") ||
			strings.Contains(file, "/volumes/kubernetes.io~projected/") && path.Base(file) == "token"
	}
	return false
}

// isItsOwn reports whether a program of this name opens this file before it connects each time
// that it is used.
func isItsOwn(name, file string) bool {
	switch name {
	case "ssh", "scp", "sftp", "rsync":
		return strings.Contains(file, "/.ssh/")
	case "aws":
		return strings.HasSuffix(file, "/.aws/credentials")
	case "gcloud", "gsutil":
		return strings.Contains(file, "/.config/gcloud/")
	case "az":
		return strings.HasSuffix(file, "/.azure/accessTokens.json")
	case "kubectl", "helm", "k9s":
		return strings.HasSuffix(file, "/.kube/config")
	case "docker", "podman", "skopeo":
		return strings.HasSuffix(file, "/.docker/config.json")
	case "git", "git-credential-store", "git-remote-https":
		return strings.HasSuffix(file, "/.git-credentials") || strings.HasSuffix(file, "/.netrc")
	case "curl", "wget", "ftp":
		return strings.HasSuffix(file, "/.netrc")
	}
	return false
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
