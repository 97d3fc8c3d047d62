package enrich

import (
	pathpkg "path"
	"strings"
)

// place is a kind of path that tells more than its name: what it holds, and what it means
// that somebody got at it.
type place struct {
	holds string
	// among is what lies around it, where its own name does not tell what it holds.
	among string
	// grave is whether writing to it by itself gives an attacker lasting or higher access.
	grave bool
	// programs is whether it lies among the system's programs, disk whether it is one.
	programs, disk bool
	// secret is whether reading it by itself gives away credentials.
	secret bool
}

// tells is what is said of the path.
func (p place) tells() string {
	if p.among != "" {
		return "lies among " + p.among
	}
	return "holds " + p.holds
}

// exact are files known by their whole path.
func exact(path string) (place, bool) {
	switch path {
	case "/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-":
		return place{holds: "the password hashes of this system", grave: true, secret: true}, true
	case "/etc/passwd", "/etc/group":
		return place{holds: "the accounts of this system", grave: true}, true
	case "/etc/sudoers":
		return place{holds: "who may become root", grave: true, secret: true}, true
	case "/etc/ssh/sshd_config":
		return place{holds: "how logins over SSH are checked", grave: true}, true
	case "/etc/profile", "/etc/bash.bashrc", "/etc/bashrc", "/etc/environment", "/etc/zsh/zshrc", "/etc/zshrc", "/etc/zprofile", "/etc/zsh/zprofile":
		return place{holds: "commands that run at every login", grave: true}, true
	case "/etc/rc.local", "/etc/rc.d/rc.local", "/etc/inittab":
		return place{holds: "commands that run when the system starts", grave: true}, true
	case "/etc/ld.so.preload":
		return place{holds: "libraries that every program loads", grave: true}, true
	case "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/sys/kernel/uevent_helper":
		return place{holds: "a program that the kernel starts as root on the host", grave: true}, true
	case "/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/var/run/crio/crio.sock", "/run/crio/crio.sock":
		return place{holds: "control over every container of the host", grave: true, secret: true}, true
	case "/etc/crontab":
		return place{holds: "jobs that run by themselves", grave: true}, true
	case "/dev/mem", "/dev/kmem", "/proc/kcore":
		return place{holds: "the memory of the kernel", grave: true, secret: true}, true
	default:
		return place{}, false
	}
}

// below are folders known by their path.
func below(path string) (place, bool) {
	for _, p := range [...]struct {
		prefix string
		place  place
	}{
		{"/etc/sudoers.d/", place{holds: "who may become root", grave: true, secret: true}},
		{"/etc/pam.d/", place{holds: "how logins are checked", grave: true}},
		{"/etc/cron.d/", place{holds: "jobs that run by themselves", grave: true}},
		{"/etc/cron.hourly/", place{holds: "jobs that run by themselves", grave: true}},
		{"/etc/cron.daily/", place{holds: "jobs that run by themselves", grave: true}},
		{"/etc/cron.weekly/", place{holds: "jobs that run by themselves", grave: true}},
		{"/etc/cron.monthly/", place{holds: "jobs that run by themselves", grave: true}},
		{"/var/spool/cron/", place{holds: "jobs that run by themselves", grave: true}},
		{"/etc/systemd/system/", place{holds: "services that start by themselves", grave: true}},
		{"/usr/lib/systemd/system/", place{holds: "services that start by themselves", grave: true}},
		{"/lib/systemd/system/", place{holds: "services that start by themselves", grave: true}},
		{"/etc/ssh/sshd_config.d/", place{holds: "how logins over SSH are checked", grave: true}},
		{"/etc/init.d/", place{holds: "services that start by themselves", grave: true}},
		{"/etc/profile.d/", place{holds: "commands that run at every login", grave: true}},
		{"/etc/kubernetes/", place{holds: "configuration and keys of the cluster's node", grave: true, secret: true}},
		{"/var/lib/kubelet/", place{holds: "the node's keys and the pods' secrets", grave: true, secret: true}},
		{"/var/lib/etcd/", place{holds: "the state of the cluster, secrets included", grave: true, secret: true}},
		{"/var/run/secrets/kubernetes.io/serviceaccount/", place{holds: "the pod's credentials for the Kubernetes API", secret: true}},
		{"/run/secrets/kubernetes.io/serviceaccount/", place{holds: "the pod's credentials for the Kubernetes API", secret: true}},
		{"/var/log/", place{among: "the logs"}},
		{"/var/lib/rpm/", place{among: "the records of installed packages"}},
		{"/var/lib/dpkg/", place{among: "the records of installed packages"}},
		{"/bin/", place{among: "the system's programs", programs: true}},
		{"/sbin/", place{among: "the system's programs", programs: true}},
		{"/usr/bin/", place{among: "the system's programs", programs: true}},
		{"/usr/sbin/", place{among: "the system's programs", programs: true}},
	} {
		if strings.HasPrefix(path, p.prefix) {
			return p.place, true
		}
	}
	return place{}, false
}

// ending are files known by how their path ends, in whichever home directory they lie.
func ending(path string) (place, bool) {
	for _, p := range [...]struct {
		suffix string
		place  place
	}{
		{"/.ssh/authorized_keys", place{holds: "keys that may log in over SSH", grave: true}},
		{"/.ssh/authorized_keys2", place{holds: "keys that may log in over SSH", grave: true}},
		{"/.ssh/id_rsa", place{holds: "an SSH private key", secret: true}},
		{"/.ssh/id_ed25519", place{holds: "an SSH private key", secret: true}},
		{"/.ssh/id_ecdsa", place{holds: "an SSH private key", secret: true}},
		{"/.aws/credentials", place{holds: "credentials for AWS", secret: true}},
		{"/.config/gcloud/credentials.db", place{holds: "credentials for Google Cloud", secret: true}},
		{"/.config/gcloud/application_default_credentials.json", place{holds: "credentials for Google Cloud", secret: true}},
		{"/.azure/accessTokens.json", place{holds: "credentials for Azure", secret: true}},
		{"/.kube/config", place{holds: "credentials for Kubernetes", secret: true}},
		{"/.docker/config.json", place{holds: "credentials for image registries", secret: true}},
		{"/.git-credentials", place{holds: "credentials for Git", secret: true}},
		{"/.netrc", place{holds: "passwords for network services", secret: true}},
		{"/release_agent", place{holds: "a program that the kernel starts as root on the host", grave: true}},
		{"/.bash_history", place{holds: "the commands that were typed in a shell"}},
		{"/.zsh_history", place{holds: "the commands that were typed in a shell"}},
		{"/.ash_history", place{holds: "the commands that were typed in a shell"}},
		{"/.sh_history", place{holds: "the commands that were typed in a shell"}},
	} {
		if strings.HasSuffix(path, p.suffix) {
			return p.place, true
		}
	}
	if p, ok := startFile(path); ok {
		return p, true
	}
	if strings.HasPrefix(path, "/proc/") && strings.HasSuffix(path, "/environ") {
		return place{holds: "the environment of a process, often with secrets in it", secret: true}, true
	}
	return place{}, false
}

// startFile are the files of a home directory that shells read as they start. Elsewhere no shell
// reads them.
func startFile(path string) (place, bool) {
	dir, name := pathpkg.Split(path)
	holds := ""
	switch name {
	case ".bashrc", ".zshrc", ".kshrc":
		holds = "commands that run when a shell starts"
	case ".bash_profile", ".bash_login", ".profile", ".zprofile", ".zlogin":
		holds = "commands that run at login"
	default:
		return place{}, false
	}
	if openPlace(dir) != "" || strings.HasPrefix(dir, "/usr/share/") {
		return place{}, false
	}
	return place{holds: holds, grave: true}, true
}

// disk are the devices of whole disks and their parts.
func disk(path string) (place, bool) {
	name, ok := strings.CutPrefix(path, "/dev/")
	if !ok {
		return place{}, false
	}
	for _, kind := range [...]string{"sd", "vd", "xvd", "hd", "nvme", "mmcblk", "dm-", "md", "mapper/", "disk/"} {
		rest, ok := strings.CutPrefix(name, kind)
		if ok && rest != "" && rest != "control" && (len(kind) > 3 || kind == "dm-" || len(rest) <= 5) {
			return place{holds: "a disk with all its files", grave: true, secret: true, disk: true}, true
		}
	}
	return place{}, false
}

// placeOf says what a path holds, as far as its name tells.
func placeOf(name string) (place, bool) {
	if !strings.HasPrefix(name, "/") {
		return place{}, false // relative to a folder that is not known
	}
	path := pathpkg.Clean(name)
	if p, ok := exact(path); ok {
		return p, true
	}
	if p, ok := disk(path); ok {
		return p, true
	}
	if p, ok := ending(path); ok {
		return p, true
	}
	return below(path)
}
