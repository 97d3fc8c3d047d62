package redact_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/falco-reporter/falco-reporter/internal/redact"
)

// password draws passwords of any shape, also such as look like flags, names, users and
// assignments.
var password = rapid.Custom(func(t *rapid.T) string {
	part := rapid.OneOf(
		rapid.SampledFrom([]string{"pass", "Pass", "PASSWORD", "secret", "Secret", "token", "Token", "key", "my", "root", "-", "--", "=", "@", "_", ".", "+", "!", "%", "~", "^"}),
		rapid.StringMatching(`[A-Za-z0-9]{1,6}`),
	)
	first := rapid.StringMatching(`[A-Za-z][A-Za-z0-9]`).Draw(t, "first")
	parts := rapid.SliceOfN(part, 3, 8).Draw(t, "parts")
	// No name of a kind of file: such stay.
	return first + strings.Join(parts, "") + rapid.StringMatching(`[0-9][a-z0-9]{2}`).Draw(t, "last")
})

// flags are the flags of tools that take a password, written -pX, -p X and --password[=]X:
// what stands before and behind, and the spellings.
var flags = []struct{ before, after, spellings string }{
	{"sshpass", "ssh root@h", "-p -p_"},
	{"mysql -uroot", "db", "-p --password="},
	{"mysqldump -u root", "db", "-p --password="},
	{"mysqlsh -u root", "db", "-p --password="},
	{"mysqladmin -u root", "ping", "-p --password="},
	{"/usr/bin/mariadb -h mytoken", "db", "-p --password="},
	{"su - root -c mysql -u mysecret", "db", "-p"},
	{"7z a", "a.7z d", "-p"},
	{"docker login -u bob", "registry.example.org", "-p -p_ -p= --password= --password_"},
	{"podman login", "registry.example.org", "-p -p_ --password= --password_"},
	{"helm registry login -u bob", "registry.example.org", "-p -p_ --password= --password_"},
	{"az login --service-principal -u bob", "--tenant t", "-p -p_ --password= --password_"},
	{"oc login -u bob", "https://host", "-p -p_ --password= --password_ --token= --token_"},
	{"twine upload -u __token__", "dist/a.whl", "-p -p_ --password= --password_"},
	{"mongosh --host db -u bob", "shop", "-p -p_ --password= --password_"},
	{"mongodump -u bob", "--db shop", "-p -p_ --password= --password_"},
	{"redis-cli -h cache", "ping", "-a_ --pass_"},
	{"ldapsearch -x -D cn=bob", "-b dc=x", "-w -w_ -xw -xw_"},
	{"ldappasswd -x", "uid=bob", "-w_ -a_ -s_ -s"},
	{"slappasswd", "-h x", "-s -s_"},
	{"kadmin", "-p bob", "-w -w_ -pw_"},
	{"kadmin.local -q addprinc", "bob", "-pw_"},
	{"openssl enc -aes-256-cbc", "-in f", "-k_"},
	{"plink bob@host", "id", "-pw_"},
	{"useradd -m", "bob", "-p -p_ -mp_ --password_ --password="},
	{"usermod", "bob", "-p -p_"},
	{"ipmitool -H h -U bob", "power status", "-P -P_"},
	{"sqlcmd -S db -U sa", "-Q x", "-P -P_"},
	{"zip", "a.zip f", "-P -P_ -rP_ --password_"},
	{"unzip", "a.zip", "-P -P_ -oP_"},
	{"mosquitto_pub -u bob", "-t x", "-P -P_"}, //nolint:misspell // its name
	{"snmpwalk -v3 -u bob", "host", "-A -A_ -X -X_"},
	{"rdesktop -u bob", "host", "-p -p_"},
	{"hydra -l bob", "ssh://host", "-p -p_"},
	{"ssh-keygen -t rsa", "-f k", "-N -N_ -P_"},
	{"gpg --batch", "-c f", "--passphrase= --passphrase_"},
	{"wget --user bob", "https://host", "--password= --password_ --http-password= --ftp-password="},
	{"kubectl", "get pods", "--token= --token_ --password="},
	{"pdftotext", "in.pdf", "-upw_ -opw_"},
	{"swaks --to bob", "--server h", "-ap_ --auth-password_"},
	{"java -jar x.jar", "run", "-password_ -keyPassword_ -Dsome.password="},
	{"doctl auth init", "--context x", "-t_"},
	{"gh secret set NAME", "--org x", "-b_ --body_ --body="},
	{"hdparm", "/dev/sda", "--security-unlock_ --security-erase_"},
	{"veracrypt -k x", "/mnt", "-p_ --password="},
	{"xfreerdp /v:host /u:bob", "/f", "/p: /gp:"},
	{"curl -s", "https://host", "-ubob: -u_bob: -su_bob: --user=bob: --user_bob: -xbob:…@proxy:3128 -x_bob:…@proxy:3128 -E_c.pem:"},
	{"http", "https://host", "-a_bob: --auth_bob:"},
	{"java -jar jenkins-cli.jar", "list-jobs", "-auth_bob:"},
	{"smbclient //h/s", "-c ls", "-Ubob% -U_bob% --user=bob%"},
	{"net ads join", "-S h", "-Ubob% -U_bob%"},
	{"wbinfo", "-S x", "-a_bob%"},
	{"lftp", "ftp://host", "-ubob, -u_bob,"},
	{"etcdctl", "get /", "--user=bob: --user_bob:"},
	{"nxc smb host -u bob", "--shares", "-p_ -H_"},
}

var placeholders = regexp.MustCompile(`^\[redacted [a-z ]+\]$`)

// checkOnly fails if what String makes of the planted text in its surroundings is not a
// placeholder with everything around it.
func checkOnly(t *rapid.T, before, planted, after string) {
	out, _ := redact.String(before + planted + after)
	middle, ok := strings.CutPrefix(out, before)
	if middle, ok2 := strings.CutSuffix(middle, after); !ok || !ok2 || !placeholders.MatchString(middle) {
		t.Fatalf("%s\n became %s", before+planted+after, out)
	}
}

// TestDrawnFlags: for each tool and each spelling of its flag, a password never survives, and
// nothing else of the line is lost.
func TestDrawnFlags(t *testing.T) {
	quotes := rapid.SampledFrom([]string{"", "", "'", `"`})
	for _, f := range flags {
		t.Run(f.before, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				for spelling := range strings.FieldsSeq(f.spellings) {
					q, after := quotes.Draw(t, "quote"), " "+f.after
					flag, address, isAddress := strings.Cut(strings.ReplaceAll(spelling, "_", " "), "…")
					if isAddress {
						after = address + after
					}
					if strings.ContainsAny(flag[1:], ":%,") || isAddress {
						q = ""
					}
					checkOnly(t, f.before+" "+flag+q, password.Draw(t, "password"), q+after)
				}
			})
		})
	}
}

// TestDrawnCases is that for the other forms.
func TestDrawnCases(t *testing.T) {
	for _, tc := range cases {
		before, rest, _ := strings.Cut(tc.text, "«")
		planted, after, _ := strings.Cut(rest, "»")
		if len(planted) > len("session=abc") || strings.ContainsAny(planted, " =;$-_&") {
			continue // a shape of its own, or known by how it is made up
		}
		t.Run(tc.text, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { checkOnly(t, before, password.Draw(t, "password"), after) })
		})
	}
}
