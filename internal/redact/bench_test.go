package redact_test

import (
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/redact"
)

// typical is a report of a recorded alert, without secrets: 125 strings, 4.8 kB.
func typical(t testing.TB) *pb.Report {
	t.Helper()
	data, err := os.ReadFile("testdata/fileless.textproto")
	if err != nil {
		t.Fatal(err)
	}
	r := &pb.Report{}
	if err := prototext.Unmarshal(data, r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCleanReportAllocatesNothing(t *testing.T) {
	r := typical(t)
	if n := testing.AllocsPerRun(100, func() {
		if redact.Report(r) != r {
			t.Fatal("a clean report was copied")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkClean(b *testing.B) {
	r := typical(b)
	b.ReportAllocs()
	for b.Loop() {
		redact.Report(r)
	}
}

func BenchmarkDirty(b *testing.B) {
	r := proto.CloneOf(typical(b))
	r.Process.CommandLine = "mysql -u root -ptr0ub4dor3 shop"
	r.Process.Environment = "HOME=/root DB_PASSWORD=tr0ub4dor3"
	b.ReportAllocs()
	for b.Loop() {
		redact.Report(r)
	}
}

// BenchmarkClose reads a command line closely that turns out to be clean.
func BenchmarkClose(b *testing.B) {
	const in = "/usr/bin/docker run --rm -d -p 8080:80 --user 1000:1000 -e MODE=fast --name web-frontend registry.example.org/shop/web:2.4.1 serve --port 80"
	b.ReportAllocs()
	for b.Loop() {
		redact.String(in)
	}
}

// BenchmarkHostile reads texts of full length that are made to take long.
func BenchmarkHostile(b *testing.B) {
	for name, part := range map[string]string{
		"quotes": `token='\"`, "pipes": "echo a | sudo -S <<< ", "flags": "mysql -p$A curl -u a:$B ", "urls": "x://a:@b/@", "begins": "-----BEGIN PRIVATE KEY-----", "names": "a_", "values": `"value":`, "jwt": "eyJaaaaaa.", "open": "password=[", "dsn": "a:$B@tcp(",
		"env": "TOKEN=/a b", "here": "sudo -S <<a\n", "schemes": "x://", "writes": "(echo a;b)|passwd ", "sends": "expect assword send ", "logons": "sqlplus a/b ", "settings": "config set a_token b",
	} {
		b.Run(name, func(b *testing.B) {
			in := strings.Repeat(part, redact.MaxLength/len(part)) + " --token"
			in = in[:min(len(in), redact.MaxLength)]
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				redact.String(in)
			}
		})
	}
}
