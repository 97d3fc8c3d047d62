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
	// address are flags with user:secret@host.
	address string
	// words are long flags with one dash that take a secret, one after another with spaces
	// around them. A tool with words and no secret has no short flags.
	words string
	// values are long flags, as words, whose names do not say that their values are secrets of
	// valuesKind (Password if empty).
	values     string
	valuesKind Kind
	// after are the subcommands that all of this but the keywords is for, as words.
	after string
	// keyword is an argument behind which a secret stands, skip arguments further on; with
	// skip -1 it is the last argument of all. Several keywords stand as words do.
	keyword string
	// near is what must stand right before a keyword, for tools whose trigger is both: the
	// keyword counts nowhere else.
	near string
	skip int
	// hosts is how many arguments are names of hosts, and no programs.
	hosts int
	// isSQL says that arguments hold statements, with semicolons in them.
	isSQL bool
	// secretNames says that --secret takes a name and not a secret.
	secretNames bool
	// userInfo says that arguments have the form of domain/user:secret@host, logon that the first
	// one can be user/secret@database.
	userInfo, logon bool
	// literals says that --from-literal has key=secret, and pairs that arguments are that.
	literals, pairs bool
	// slashFlags says that flags begin with a slash and end with a colon, as in /p:X.
	slashFlags bool
	// switches says that words with a slash are no arguments.
	switches bool
}

// isPlain reports whether nothing of a program is known but its name.
func (t *tool) isPlain() bool { return *t == tool{} }

// toolNamed is what is known of a program. Programs are listed for their secrets, or because
// they have flags that look like those of others.
func toolNamed(name string) (t tool, ok bool) {
	switch name {
	case "mysqlsh":
		return tool{secret: "p", attached: true, takes: "uhPDSef", isSQL: true, userInfo: true}, true
	case "mysql", "mariadb", "mysqldump", "mariadb-dump", "mysqlimport", "mysqlshow", "mysqlcheck", "mariadb-check",
		"mysqlslap", "mysqlpump", "mysqlbinlog", "mycli":
		return tool{secret: "p", attached: true, takes: "uhPDSeIrR", isSQL: true}, true
	case "mysqladmin", "mariadb-admin":
		return tool{secret: "p", attached: true, takes: "uhPS", keyword: " password "}, true
	case "7z", "7za", "7zz", "7zr", "rar", "unrar":
		return tool{secret: "p", attached: true}, true
	case "sshpass":
		return tool{secret: "p", takes: "fdP"}, true
	case "curl":
		return tool{clusters: true, colon: "uUE", address: "x", secret: "b", kind: Cookie, takes: "AcCdDeFhHKmoPQrtTwXyYz"}, true
	case "http", "https", "xh":
		return tool{colon: "a"}, true
	case "wget", "wget2":
		return tool{takes: "oaeiBtOTwQPUlAD"}, true
	case "redis-cli", "valkey-cli", "keydb-cli":
		return tool{secret: "a", takes: "hpnuri", keyword: " auth AUTH requirepass masterauth ", skip: -1}, true
	case "ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami", "ldapcompare", "ldapmodrdn", "ldapexop":
		return tool{clusters: true, secret: "w", takes: "DHhpbsyYXURoOfFlzSaPtTe"}, true
	case "ldappasswd":
		return tool{clusters: true, secret: "was", takes: "DHhpyYXURoO"}, true
	case "kadmin":
		return tool{secret: "w", takes: "prqsckt", words: " -pw "}, true
	case "kadmin.local":
		return tool{words: " -pw "}, true
	case "dsconf", "dsidm":
		return tool{secret: "w", takes: "DybZ"}, true
	case "ipa-server-install":
		return tool{secret: "pa", takes: "rnP"}, true
	case "ipa-client-install":
		return tool{secret: "w", takes: "prN"}, true
	case "slappasswd":
		return tool{secret: "s", takes: "hcTo"}, true
	case "mkpasswd":
		return tool{keyword: " mkpasswd ", skip: -1, takes: "mSRPldcCs"}, true
	case "doveadm":
		return tool{secret: "p", takes: "sruco", after: " pw "}, true
	case "docker", "podman", "nerdctl", "buildah":
		return tool{secret: "p", takes: "uHev", after: " login ", secretNames: true}, true
	case "skopeo", "crane", "oras", "helm", "cosign", "regctl", "cf":
		return tool{secret: "p", takes: "un", after: " login "}, true
	case "az":
		return tool{secret: "p", takes: "untg", after: " login secret ", values: " --value ", valuesKind: Secret}, true
	case "oc":
		return tool{secret: "p", takes: "un", after: " login secret ", literals: true}, true
	case "kubectl", "kubecolor", "k3s", "microk8s":
		return tool{after: " secret ", literals: true}, true
	case "kubeadm":
		return tool{values: " --certificate-key ", valuesKind: Secret}, true
	case "twine":
		return tool{secret: "p", takes: "urisc", after: " upload register "}, true
	case "gh":
		return tool{secret: "b", kind: Secret, takes: "ReoaU", after: " secret ", values: " --body ", valuesKind: Secret}, true
	case "doctl":
		return tool{secret: "t", kind: Token, after: " auth "}, true
	case "swift":
		return tool{secret: "K", takes: "AUVS"}, true
	case "etcdctl":
		return tool{colon: "u"}, true
	case "ab":
		return tool{colon: "AP", takes: "cnstbgTvXyzCHmpu"}, true
	case "wbinfo":
		return tool{percent: "a"}, true
	case "hdparm":
		return tool{values: " --security-unlock --security-erase --security-erase-enhanced --security-disable "}, true
	case "openssl":
		return tool{words: " -k -K -pass -passin -passout -passphrase -hmac -psk -srppass ", keyword: " passwd ", skip: -1}, true
	case "plink", "pscp", "psftp", "putty":
		return tool{words: " -pw "}, true
	case "pdftotext", "pdftoppm", "pdfinfo", "pdfimages", "pdftocairo", "pdftohtml":
		return tool{words: " -upw -opw "}, true
	case "pdftk":
		return tool{keyword: " input_pw user_pw owner_pw "}, true
	case "swaks":
		return tool{words: " -ap "}, true
	case "sendemail", "sendEmail":
		return tool{words: " -xp "}, true
	case "xfreerdp", "wfreerdp", "xfreerdp3":
		return tool{slashFlags: true}, true
	case "htpasswd":
		return tool{clusters: true, takes: "C", keyword: "b", skip: -1}, true
	case "wpa_passphrase":
		return tool{keyword: " wpa_passphrase ", skip: 1}, true
	case "useradd", "usermod":
		return tool{clusters: true, secret: "p", takes: "bcdefgGkKsuZRP"}, true
	case "groupmod", "groupadd":
		return tool{secret: "p", takes: "gKnRP"}, true
	case "net":
		return tool{switches: true, percent: "U", takes: "SIWpsn", keyword: " user use ", near: "net ", skip: 1}, true
	case "smbclient", "rpcclient", "smbget", "smbtree", "smbcacls", "smbcquotas", "wmic", "winexe", "pth-winexe":
		return tool{percent: "U", takes: "ILWnspcDTmOt"}, true
	case "samba-tool":
		return tool{percent: "U", takes: "H", keyword: " create ", skip: 1}, true
	case "mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport", "mongostat", "mongotop", "mongofiles":
		return tool{secret: "p", takes: "uhdcojfq"}, true
	case "evil-winrm", "crackmapexec", "cme", "nxc", "netexec":
		return tool{secret: "pH", takes: "uhidnlPBLMsax"}, true
	case "cqlsh", "cypher-shell", "beeline", "rabbitmqadmin", "hydra", "medusa", "ldapdomaindump", "enum4linux", "enum4linux-ng", "certipy",
		"bloodhound-python", "couchbase-cli", "cbq", "add-user.sh", "esxcli", "veracrypt", "truecrypt",
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
		return tool{keyword: " login unseal unwrap ", kind: Token, after: " put patch ", pairs: true}, true
	case "flyctl", "fly":
		return tool{after: " secrets ", pairs: true}, true
	case "rclone":
		return tool{keyword: " pass pass2 password obscure secret_access_key client_secret token "}, true
	case "mc":
		return tool{keyword: " alias ", skip: 4, kind: CloudKey}, true
	case "b2":
		return tool{keyword: " authorize-account ", skip: 1, kind: CloudKey}, true
	case "cargo":
		return tool{keyword: " login ", near: "cargo ", kind: Token}, true
	case "cloudflared":
		return tool{keyword: " install ", kind: Token}, true
	case "snyk":
		return tool{keyword: " auth ", kind: Token}, true
	case "ansible-vault":
		return tool{keyword: " encrypt_string "}, true
	case "neo4j-admin":
		return tool{keyword: " set-initial-password "}, true
	case "radtest":
		return tool{keyword: " radtest ", skip: 1, takes: "t"}, true
	case "pppd":
		return tool{keyword: " password "}, true
	case "wpa_cli":
		return tool{keyword: " psk password wep_key0 "}, true
	case "iscsiadm":
		return tool{takes: "mo", keyword: " node.session.auth.password node.session.auth.password_in discovery.sendtargets.auth.password "}, true
	case "rabbitmqctl":
		return tool{keyword: " add_user change_password authenticate_user ", skip: 1, takes: "npt"}, true
	case "ssh-keygen":
		return tool{secret: "NP", takes: "tbfCmoiIqzaDEFGgHhKklLMnOQRrSsTUuVvwYZy"}, true
	case "ngrok":
		return tool{keyword: " authtoken add-authtoken ", kind: Token}, true
	case "grafana-cli":
		return tool{keyword: " reset-admin-password "}, true
	case "nmcli":
		return tool{keyword: " password wifi-sec.psk 802-1x.password 802-1x.private-key-password 802-11-wireless-security.psk "}, true
	case "aws":
		return tool{keyword: " aws_secret_access_key aws_session_token ", kind: CloudKey, after: " put-parameter ", values: " --value ", valuesKind: Secret}, true
	case "sqlplus", "sqlldr", "expdp", "impdp", "rman":
		return tool{logon: true}, true
	case "secretsdump.py", "psexec.py", "wmiexec.py", "smbexec.py", "atexec.py", "dcomexec.py",
		"mssqlclient.py", "GetUserSPNs.py", "GetNPUsers.py", "impacket-secretsdump", "impacket-psexec", "impacket-wmiexec", "impacket-smbexec",
		"impacket-mssqlclient", "impacket-GetUserSPNs":
		return tool{userInfo: true, words: " -hashes -aesKey ", kind: PasswordHash}, true
	case "ssh", "telnet", "nc", "ncat", "netcat":
		return tool{takes: "bcDEeFIiJLlmOopQRSsWwXxTuPg", hosts: 1}, true
	case "ps", "pgrep", "pkill", "top":
		return tool{takes: "upCgGqstU"}, true
	case "sudo", "doas", "su", "runuser":
		return tool{takes: "ugpChDrRtTUsw"}, true
	case "scp", "sftp", "rsync", "nmap", "socat", "mkdir", "cp", "mv", "rm", "tar", "ls", "cat", "grep", "find", "kill", "crictl", "psql",
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
