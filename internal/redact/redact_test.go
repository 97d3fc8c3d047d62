package redact_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-reporter/falco-reporter/internal/redact"
)

// cases are texts with the secrets in them between « and »; what is redacted is what stands
// there, and nothing else.
var cases = []struct {
	kind redact.Kind
	text string
}{
	// Flags of any tool.
	{redact.Password, "app --password «hunter2» --port 80"},
	{redact.Password, "app --password=«hunter2» --port 80"},
	{redact.Password, "app --db-password '«my secret»' run"},
	{redact.Password, "java -jar app.jar -password «hunter2»"},
	{redact.Token, "kubectl --token «k8saws» get pods"},
	{redact.Secret, "app --client-secret=«x7Hq»"},
	{redact.APIKey, "app --api-key «0a1b2c» -v"},
	{redact.APIKey, "mc alias set x --access-key=«minioadmin»"},
	{redact.Password, "gpg --batch --passphrase «tr0ub4dor» -d x.gpg"},
	{redact.Password, "wget --http-user=u --http-password=«p4ss» https://host/f"},
	{redact.Password, "wget --user u --password «p4ss» ftp://host/f"},
	{redact.Password, "cmdkey /user:bob /password:«Winter24»"},
	// Tools.
	{redact.Password, "mysql -u root -p«hunter2» -h db shop"},
	{redact.Password, "/usr/bin/mysqldump -uroot -p'«a b»' --all-databases"},
	{redact.Password, "sh -c mariadb -p«x;9y» < dump.sql"},
	{redact.Password, "mysql -e select 1; select 2 -p«hunter2»"},
	{redact.Password, "mysql -u docker -p«hunter2»"},
	{redact.Password, "mysql -u root -p «Tr0ub4dor&3»"},
	{redact.Password, "mysqladmin -u root password «hunter2»"},
	{redact.Password, "sshpass -p «hunter2» ssh -p 2222 root@10.0.0.5"},
	{redact.Password, "curl -u admin:«hunter2» https://host/"},
	{redact.Password, "curl -sSu 'admin:«hunter2»' https://host/"},
	{redact.Password, "curl --user admin:«hunter2» https://host/"},
	{redact.Password, "curl --proxy-user=me:«hunter2» https://host/"},
	{redact.Cookie, "curl -b «session=abc» https://host/"},
	{redact.Password, "redis-cli -h cache -a «hunter2» ping"},
	{redact.Password, "redis-cli config set requirepass «hunter2»"},
	{redact.Password, "ldapsearch -x -D cn=admin,dc=x -w «hunter2» -b dc=x"},
	{redact.Password, "docker login -u bob -p «hunter2» registry.example.org"},
	{redact.Password, "podman login registry.example.org -u bob --password «hunter2»"},
	{redact.Password, "skopeo copy --src-creds bob:«hunter2» docker://a docker://b"},
	{redact.Password, "openssl enc -aes-256-cbc -passin pass:«hunter2» -in f"},
	{redact.Password, "openssl passwd -6 -salt xy «hunter2»"},
	{redact.Password, "htpasswd -bc /etc/nginx/.htpasswd bob «hunter2»"},
	{redact.Password, "useradd -m -p «hunter2» bob"},
	{redact.PasswordHash, "usermod -p '«$6$salt$Gq5hHk0Zb1Yb1Yb1Yb1Yb1»' root"},
	{redact.Password, "net user bob «Winter24» /add"},
	{redact.Password, "smbclient -U bob%«hunter2» //host/share"},
	{redact.Password, "mongo -u admin -p «hunter2» --authenticationDatabase admin"},
	{redact.Password, "ipmitool -I lanplus -H bmc -U root -P «calvin» chassis status"},
	{redact.Password, "lftp -u bob,«hunter2» ftp://host"},
	{redact.Password, "plink -ssh bob@host -pw «hunter2» id"},
	{redact.Password, "secretsdump.py corp/bob:«hunter2»@10.0.0.5"},
	{redact.Password, `net use z: \\srv\share «hunter2» /user:bob`},
	{redact.Password, "ssh-keygen -t rsa -N «hunter2» -f k"},
	{redact.Token, "ngrok config add-authtoken «2abcDEF»"},
	{redact.Password, "rabbitmqctl add_user bob «hunter2»"},
	{redact.Password, "xfreerdp /v:host /u:bob /p:«hunter2»"},
	{redact.Password, "sh -c echo «hunter2» | sudo -S id"},
	{redact.Password, `bash -c "echo root:«hunter2» | chpasswd"`},
	{redact.Password, "echo '«hunter2»' | docker login -u bob --password-stdin"},
	{redact.Password, "sudo -S id <<< «hunter2»"},
	{redact.Password, `sh -c "mysql -uroot -p«hunter2»" | nc -l -p 4444`},
	{redact.Password, "12:00:00.1: Notice x | process=mysql command=mysql -p«hunter2» terminal=0 container_id=host"},
	{redact.Password, "User “root” ran “mysql -uroot -p«hunter2»” on the host."},
	{redact.Password, "User “root” ran “mysql -uroot -p«hunt» … 2 -h db”."},
	{redact.Password, "docker exec db mysql -p«hunter2»"},
	// Assignments.
	{redact.Password, "PGPASSWORD=«hunter2» psql -h db"},
	{redact.Password, "docker run -e MYSQL_ROOT_PASSWORD=«hunter2» -p 3306:3306 mysql:8"},
	{redact.Password, "export DB_PASS='«my secret»'; run"},
	{redact.Password, "DB_PASSWORD=«abc;9f&3» run"},
	{redact.CloudKey, "AWS_SECRET_ACCESS_KEY=«wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY» aws s3 ls"},
	{redact.CloudKey, "AWS_SECRET_ACCESS_KEY=«/JalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY»"},
	{redact.CloudKey, "aws configure set aws_secret_access_key «wJalrXUtnFEMI»"},
	{redact.Token, "GITHUB_TOKEN_ACME=«0a1b2c3d» gh pr list"},
	{redact.Secret, "env clientSecret=«x7Hq9» run"},
	{redact.Password, "java -Dspring.datasource.password=«hunter2» -jar app.jar"},
	{redact.Password, "kubectl create secret generic db --from-literal=password=«hunter2»"},
	{redact.Password, "mount -t cifs -o user=bob,password=«hunter2»,ro //h/s /mnt"},
	{redact.Credentials, "REDIS_AUTH=«hunter2» ./run"},
	{redact.Password, `{"user":"bob","password":"«hunter2»","n":1}`},
	{redact.Password, `{"password": "«hun\"ter, 2»"}`},
	{redact.Password, `{"log":"{\"password\":\"«hunter2»\",\"a\":1}"}`},
	{redact.Password, `{"env":[{"name":"DB_PASSWORD","value":"«hunter2»"},{"name":"A","value":"b"}]}`},
	{redact.Password, "user: bob\npassword: «hunter»\nhost: db"},
	{redact.Token, "{name: x, token: «abc», n: 1}"},
	{redact.APIKey, "api_key = «0a1b2c3d»"},
	{redact.Password, "'password' => '«hunter2»',"},
	{redact.Password, "data[password]=«hunter2»&go=1"},
	// Headers.
	{redact.Token, "curl -H Authorization: Bearer «abcdefgh» https://host/"},
	{redact.Token, `curl -H "Authorization: Bearer «abcdefgh»" https://host/`},
	{redact.Credentials, "curl -H 'Authorization: Basic «Ym9iOmh1bnRlcjI=»' https://host/"},
	{redact.Token, "-HAuthorization:«abcdefgh»"},
	{redact.Credentials, "Authorization: AWS4-HMAC-SHA256 «Credential=a/b, SignedHeaders=host, Signature=0a»"},
	{redact.APIKey, "curl -H X-Api-Key: «abcdefgh» https://host/"},
	{redact.Token, "curl -H 'X-Auth-Token: «abcdefgh»' https://host/"},
	{redact.Token, "curl --header PRIVATE-TOKEN: «abcdefgh» https://host/"},
	{redact.Cookie, "curl -H Cookie: «session=abc; theme=dark» https://host/"},
	{redact.Cookie, `{"Set-Cookie":"«sid=1; Path=/; HttpOnly»"}`},
	{redact.Token, "sent Bearer «abc123def456» to it"},
	// URLs and connection strings.
	{redact.Password, "git clone https://bob:«hunter2»@github.com/x/y.git"},
	{redact.Password, "psql postgres://app:«p/w0rd»@db:5432/shop?sslmode=disable"},
	{redact.Password, "psql postgres://app:«p@ssw0rd»@db:5432/shop"},
	{redact.Password, "redis://:«hunter2»@cache:6379/0"},
	{redact.Token, "git clone https://x-access-token:«abcdefgh»@github.com/x/y"},
	{redact.Token, "https://«0123456789abcdef01234567»@sentry.io/1"},
	{redact.Token, "curl https://host/a?token=«abcdefgh»&x=1"},
	{redact.Signature, "curl https://acc.blob.core.windows.net/c?sv=2020&sig=«abcdefgh»&se=1"},
	{redact.Signature, "https://b.s3.amazonaws.com/k?X-Amz-Expires=300&X-Amz-Signature=«0a1b2c3d»"},
	{redact.APIKey, "https://maps.example.org/api?key=«abcdefgh»"},
	{redact.Password, "app -dsn root:«hunter2»@tcp(127.0.0.1:3306)/shop"},
	{redact.Password, "Server=db;User Id=sa;Password=«hunter2»;Database=shop"},
	{redact.CloudKey, "AccountName=a;AccountKey=«abcdefgh==»;EndpointSuffix=core.windows.net"},
	{redact.Password, "host=db user=app password=«hunter2» dbname=shop"},
	// Shapes.
	{redact.CloudKey, "aws configure set aws_access_key_id «AKIAIOSFODNN7EXAMPLE»"},
	{redact.Token, "echo «ghp_0123456789abcdefghijABCDEFGHIJ012345» > t"},
	{redact.Token, "echo «glpat-0123456789abcdefghij»"},
	{redact.Token, "echo «xoxb-123456789012-abcdef»"},
	{redact.APIKey, "echo «sk-proj-0123456789abcdefABCDEF»"},
	{redact.CloudKey, "echo «AIzaSyA0123456789abcdefghijklmnopqrstuv»"},
	{redact.Token, "echo «ya29.a0AfH6SMBx»"},
	{redact.Token, "echo «eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_9»"},
	{redact.Token, "echo «npm_0123456789abcdefghijABCDEFGHIJ012345»"},
	{redact.Token, "echo «dckr_pat_0123456789abcdef»"},
	{redact.PasswordHash, "root:«$6$salt$Gq5hHk0Zb1Yb1Yb1Yb1Yb1»:19000:0:99999:7:::"},
	{redact.PrivateKey, "-----BEGIN RSA PRIVATE KEY-----\n«MIIEow\nIBAAKC»\n-----END RSA PRIVATE KEY-----"},
	{redact.PrivateKey, `{"k":"-----BEGIN PRIVATE KEY-----\n«MIIEow\nIBAAKC»\n-----END PRIVATE KEY-----\n"}`},
	{redact.PrivateKey, "echo -----BEGIN OPENSSH PRIVATE KEY----- «b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\nQyNTUx» > k"},
	{redact.PrivateKey, "client-key-data: «LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQ==»"},
	// Statements.
	{redact.Password, "mysql -e CREATE USER bob IDENTIFIED BY '«hunter2»'"},
	{redact.Password, "psql -c ALTER USER bob WITH PASSWORD '«hunter2»'"},
	{redact.Password, "machine host login bob password «hunter2»"},
}

func TestStringRedacts(t *testing.T) {
	for _, tc := range cases {
		in := strings.NewReplacer("«", "", "»", "").Replace(tc.text)
		head, rest, _ := strings.Cut(tc.text, "«")
		_, tail, _ := strings.Cut(rest, "»")
		want := head + "[redacted " + string(tc.kind) + "]" + tail
		got, found := redact.String(in)
		if got != want || !slices.Equal(found, []redact.Kind{tc.kind}) {
			t.Errorf("%s\n got %s %q\nwant %s", in, got, found, want)
		}
		if again, found := redact.String(got); again != got || found != nil {
			t.Errorf("again: %s\n got %s %q", got, again, found)
		}
		if json.Valid([]byte(in)) && !json.Valid([]byte(got)) {
			t.Errorf("no JSON any more: %s", got)
		}
	}
}

func TestStringRedactsSeveral(t *testing.T) {
	in := `PGPASSWORD=a1b2c3 curl -u u:hunter2 -H "Cookie: s=1" https://x:pass9@h/?token=abcdefgh {"pin_secret":12345}`
	want := `PGPASSWORD=[redacted password] curl -u u:[redacted password] -H "Cookie: [redacted cookie]" https://x:[redacted password]@h/?token=[redacted token] {"pin_secret":"[redacted secret]"}`
	got, found := redact.String(in)
	if diff := cmp.Diff(want, got); diff != "" || len(found) != 6 {
		t.Errorf("found %q (-want +got):\n%s", found, diff)
	}
}

// evidence are texts that stay as they are.
var evidence = []string{
	// The same letters of other tools.
	"nc -l -p 4444", "ncat -lvp 4444 -e /bin/sh", "ssh -p 2222 root@10.0.0.5", "ssh -p2222 mysql", "mkdir -p /tmp/.x/y", "ps -p 1234 -o pid,args",
	"docker run -p 8080:80 --user 1000:1000 nginx", "docker exec mongo nc -l -p 4444", "sudo -u postgres psql -p 5432", "ps -u mysql -p 123",
	"mysql -u root -p shop", "mysql -u root -p", "mysqldump -u root -p --all-databases", "mongo --port 27017 -u admin", "curl -u bob https://host/",
	"curl -sSLo /tmp/x -A agent https://host/x.sh", "tar -pxzf a.tgz", "python3 -u -c import pty", "redis-cli -h cache -n 3 keys *", "xmrig -o pool:3333 -u 44wallet -p x",
	"mysql -e x && nc -p 4444 host", "12:00:00.1: x | container_name=mongo command=nc -l -p 4444 terminal=0", "useradd -m -s /bin/sh bob", "net user", "net user bob * /add",
	"openssl enc -pass env:PW -in f", "openssl req -newkey rsa:2048 -keyout k.pem -passout file:/run/pw", "sshpass -e ssh host", "sshpass -f /run/pw ssh host", "htpasswd /etc/x bob",
	"chpasswd < /tmp/list", "passwd root", "getent passwd root", "cat /etc/shadow /etc/passwd", "curl -b jar.txt https://host/", "curl --cookie-jar /tmp/j https://host/",
	// Names that say something else.
	"app --password-file /run/pw", "app --password-file=/run/pw", "app --token-ttl 24h", "app --token-ttl=24h", "X-aws-ec2-metadata-token-ttl-seconds: 21600", "sed -i s/password=.*// f", "xmllint --pass-through 1", "app --pass-through=x1",
	"GLIBC_TUNABLES=glibc.tune.hwcaps=-WAITED,glibc.tune.secrets=2", "SSH_AUTH_SOCK=/tmp/ssh-x/agent.1", "TOKEN_FILE=/x", "TOKEN_FILE=x1y2z3", "key=value", "sort_key=name9",
	"author=alice9", "git commit --author=alice9", "monkey=banana7", "MONKEY=banana7", "keyboard=us", "bypass=9f8e7d", "compass=n0rth", "secretary=al1ce", "tokenizer=bpe32k", "max_tokens=4096",
	"XAUTHORITY=/root/.Xauthority", "SSH_ASKPASS=/usr/bin/ssh-askpass", "AUTH_TYPE=basic9", "ssh -o PasswordAuthentication=no host", "ssh -o PreferredAuthentications=password host",
	"public_key=abc123def", "AWS_ACCESS_KEY_ID=none", "PASS_MAX_DAYS=99999", "kubectl get secrets -n kube-system", "kubectl get secret my-token-x7k2p -o yaml", "kubectl create token default",
	"docker run --secret id=npm,src=/x y", "podman run --secret mysecret9 nginx", "ansible-playbook --ask-pass site.yml", "gh auth login --with-token", "psql --no-password -c x",
	"/var/run/secrets/kubernetes.io/serviceaccount/token", "cat /home/bob/.aws/credentials", "find / -name id_rsa -o -name *.pem", "PWD=/root OLDPWD=/tmp",
	// Values that are none.
	"PASSWORD=", "PASSWORD= run", "PASSWORD='' run", `{"password":""}`, `{"password":null,"token":false}`, "PASSWORD=$PW run", "PASSWORD=${PW} run", `PASSWORD="$PW" run`, "PASSWORD=$(cat /run/pw) run",
	"app --password *** -x", "password=********", "PASSWORD=<NA>", "token: <token>", "password={{ .Values.password }}", "TOKEN=%TOKEN%", "--token=$TOKEN", `curl -H "Authorization: SSWS $OKTA_API_TOKEN" x`,
	"curl -u bob:$PW https://host/", "https://bob:${PW}@host/", "curl -u : --negotiate https://host/", "PASSWORD=/run/secrets/pw", "--private-key ~/.ssh/id_ed25519", "--credentials sa.json", "TOKEN_URL=https://sts/x",
	"PASSWORD=[redacted password]", "grep -r 'BEGIN RSA PRIVATE KEY' /", "grep -r -- -----BEGIN PRIVATE KEY----- /home /root", "-----BEGIN CERTIFICATE-----\nMIIEow\n-----END CERTIFICATE-----",
	// Prose and output lines.
	"The password: nobody knows it.", "Tokens of service accounts, passwords and keys may be read: rotate them.", "passwd: files systemd", "auth required pam_unix.so nullok", "Bearer tokens are sent in clear.",
	"10.0.0.1:5000->10.0.0.2:443", "http://host:80/path@v1", "ssh://git@host/x", "git@github.com:x/y.git", "registry/x:1.2@sha256:9b7cd0f7a8a1", "user=root user_uid=0 command=cat /root/.ssh/authorized_keys terminal=0",
	"disk-0123456789abcdefABCDEF", "npm_config_registry=https://r/ npm_lifecycle_event=build npm_package_version=1.2.3", "echo eyJhIjoxfQ== | base64 -d", "sk-this-is-a-long-name-of-a-thing",
}

func TestStringLeavesEvidence(t *testing.T) {
	for _, in := range evidence {
		if got, found := redact.String(in); got != in || found != nil {
			t.Errorf("%s\n got %s %q", in, got, found)
		}
	}
}
