package redact

import "strings"

// tool is what is known of the arguments of a program. Letters are those of short flags.
type tool struct {
	// secret are the flags whose value is a secret, and kind what it is (Password if empty).
	secret string
	kind   Kind
	// attached says that the value of these stands in the same word: mysql -pX.
	attached bool
	// colon, percent and comma are flags with user:secret, user%secret and user,secret.
	colon, percent, comma string
	// takes are the other flags that take a value, which is no program then.
	takes string
	// clusters says that flags without a value can stand before one in the same word: -sSu.
	clusters bool
	// words are long flags with one dash that take a secret, one after another with spaces
	// around them. A tool with words has no short flags.
	words string
	// after is the subcommand that all of this is for.
	after string
	// keyword is an argument behind which a secret stands, skip arguments further on; with
	// skip -1 it is the last argument of all. Several keywords stand as words do.
	keyword string
	skip    int
	// hosts is how many arguments are names of hosts, and no programs.
	hosts int
	// isSQL says that arguments hold statements, with semicolons in them.
	isSQL bool
	// secretNames says that --secret takes a name and not a secret.
	secretNames bool
	// userInfo says that arguments have the form of domain/user:secret@host.
	userInfo bool
}

// toolNamed is what is known of a program. Programs are listed for their secrets, or because
// they have flags that look like those of others.
func toolNamed(name string) (t tool, ok bool) {
	switch name {
	case "mysql", "mariadb", "mysqldump", "mariadb-dump", "mysqlimport", "mysqlshow", "mysqlcheck", "mariadb-check",
		"mysqlslap", "mysqlpump", "mysqlbinlog", "mycli", "mysqlsh":
		return tool{secret: "p", attached: true, takes: "uhPDSeIrR", isSQL: true}, true
	case "mysqladmin", "mariadb-admin":
		return tool{secret: "p", attached: true, takes: "uhPS", keyword: " password "}, true
	case "7z", "7za", "7zz", "7zr", "rar", "unrar":
		return tool{secret: "p", attached: true}, true
	case "sshpass":
		return tool{secret: "p", takes: "fdP"}, true
	case "curl":
		return tool{clusters: true, colon: "uU", secret: "b", kind: Cookie, takes: "AcCdDeEFhHKmoPQrtTwxXyYz"}, true
	case "http", "https", "xh":
		return tool{colon: "a"}, true
	case "wget", "wget2":
		return tool{takes: "oaeiBtOTwQPUlAD"}, true
	case "redis-cli", "valkey-cli", "keydb-cli":
		return tool{secret: "a", takes: "hpnuri", keyword: " auth AUTH requirepass masterauth "}, true
	case "ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami", "ldapcompare", "ldapmodrdn", "ldapexop":
		return tool{clusters: true, secret: "w", takes: "DHhpbsyYXURoOfFlzSaPtTe"}, true
	case "ldappasswd":
		return tool{clusters: true, secret: "was", takes: "DHhpyYXURoO"}, true
	case "kadmin":
		return tool{secret: "w", takes: "prqsckt"}, true
	case "docker", "podman", "nerdctl", "buildah":
		return tool{secret: "p", takes: "uHev", after: "login", secretNames: true}, true
	case "skopeo", "crane", "oras", "helm", "cosign", "regctl", "az", "oc", "cf":
		return tool{secret: "p", takes: "un", after: "login"}, true
	case "openssl":
		return tool{words: " -k -K -pass -passin -passout -passphrase -hmac -psk -srppass ", keyword: " passwd ", skip: -1}, true
	case "plink", "pscp", "psftp", "putty":
		return tool{words: " -pw "}, true
	case "xfreerdp", "wfreerdp", "xfreerdp3":
		return tool{words: " /p: "}, true
	case "htpasswd":
		return tool{clusters: true, takes: "C", keyword: "b", skip: -1}, true
	case "wpa_passphrase":
		return tool{keyword: " wpa_passphrase ", skip: 1}, true
	case "useradd", "usermod":
		return tool{clusters: true, secret: "p", takes: "bcdefgGkKsuZRP"}, true
	case "groupmod", "groupadd":
		return tool{secret: "p", takes: "gKnRP"}, true
	case "net":
		return tool{percent: "U", takes: "SIWpsn", keyword: " user use ", skip: 1}, true
	case "smbclient", "rpcclient", "smbget", "smbtree", "smbcacls", "smbcquotas", "wmic", "winexe", "pth-winexe", "samba-tool":
		return tool{percent: "U", takes: "ILWnspcDTmOt"}, true
	case "mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport", "mongostat", "mongotop", "mongofiles":
		return tool{secret: "p", takes: "uhdcojfq"}, true
	case "cqlsh", "cypher-shell", "beeline", "rabbitmqadmin", "evil-winrm", "crackmapexec", "cme", "nxc", "netexec", "hydra",
		"rdesktop", "mydumper", "myloader", "ncftp", "ncftpput", "ncftpget", "smbmap":
		return tool{secret: "p", takes: "uhHidnlPBLMsa"}, true
	case "mosquitto_pub", "mosquitto_sub", "mosquitto_rr": //nolint:misspell // their names
		return tool{secret: "P", takes: "uhptmiI"}, true
	case "sqlcmd", "bcp", "isql", "osql", "tsql", "ipmitool":
		return tool{secret: "P", takes: "SUHIdiQqp", isSQL: true}, true
	case "zip", "unzip":
		return tool{clusters: true, secret: "P", takes: "bdtx"}, true
	case "lftp":
		return tool{comma: "u", takes: "efp"}, true
	case "snmpget", "snmpwalk", "snmpset", "snmpgetnext", "snmpbulkwalk", "snmpbulkget":
		return tool{secret: "cAX", takes: "vulaxntrmMO"}, true
	case "vault":
		return tool{keyword: " login ", kind: Token}, true
	case "rabbitmqctl":
		return tool{keyword: " add_user change_password authenticate_user ", skip: 1, takes: "npt"}, true
	case "ssh-keygen":
		return tool{secret: "NP", takes: "tbfCmoiIqzaDEFGgHhKklLMnOQRrSsTUuVvwYZy"}, true
	case "ngrok":
		return tool{keyword: " authtoken add-authtoken ", kind: Token}, true
	case "grafana-cli":
		return tool{keyword: " reset-admin-password "}, true
	case "nmcli":
		return tool{keyword: " password wifi-sec.psk 802-11-wireless-security.psk "}, true
	case "aws":
		return tool{keyword: " aws_secret_access_key aws_session_token ", kind: CloudKey}, true
	case "sqlplus", "sqlldr", "expdp", "impdp", "secretsdump.py", "psexec.py", "wmiexec.py", "smbexec.py", "atexec.py", "dcomexec.py",
		"mssqlclient.py", "GetUserSPNs.py", "GetNPUsers.py", "impacket-secretsdump", "impacket-psexec", "impacket-wmiexec", "impacket-smbexec",
		"impacket-mssqlclient", "impacket-GetUserSPNs":
		return tool{userInfo: true}, true
	case "ssh", "telnet", "nc", "ncat", "netcat":
		return tool{takes: "bcDEeFIiJLlmOopQRSsWwXxTuPg", hosts: 1}, true
	case "ps", "pgrep", "pkill", "top":
		return tool{takes: "upCgGqstU"}, true
	case "sudo", "doas", "su", "runuser":
		return tool{takes: "ugpCchDrRtTUs"}, true
	case "scp", "sftp", "rsync", "nmap", "socat", "mkdir", "cp", "mv", "rm", "tar", "ls", "cat", "grep", "find", "kill", "kubectl", "crictl", "psql",
		"pg_dump", "python", "python3", "perl", "ruby", "node", "java", "php", "make", "install", "chown", "chmod", "mount", "umount", "iptables",
		"env", "nohup", "time", "strace", "watch", "id", "getent", "systemctl", "journalctl", "apt", "apt-get", "yum", "dnf", "apk", "xmrig", "bash", "sh", "dash", "zsh":
		return tool{}, true
	default:
		return tool{}, false
	}
}

// has reports whether a list with spaces around its words has a word.
func has(list, word string) bool {
	for list != "" {
		i := strings.Index(list, word)
		if i < 0 {
			return false
		}
		if end := i + len(word); i > 0 && list[i-1] == ' ' && end < len(list) && list[end] == ' ' {
			return true
		}
		list = list[i+1:]
	}
	return false
}
