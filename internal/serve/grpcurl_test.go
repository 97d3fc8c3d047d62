package serve

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// buildGrpcurl builds the pinned grpcurl.
func buildGrpcurl(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "grpcurl")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join("..", "..", "tools", "grpcurl"),
		"-o", bin, "github.com/fullstorydev/grpcurl/cmd/grpcurl")
	if out, err := build.CombinedOutput(); err != nil {
		// How go says that it cannot reach a module proxy.
		noProxy := bytes.Contains(out, []byte("dial tcp")) || bytes.Contains(out, []byte("module lookup disabled"))
		if os.Getenv("CI") != "" || !noProxy {
			t.Fatalf("build grpcurl: %v\n%s", err, out)
		}
		t.Skipf("no module proxy can be reached to build grpcurl, so the server was not tried with it:\n%s", out)
	}
	return bin
}

// TestGrpcurl tries the server with a client that knows nothing but what reflection tells.
func TestGrpcurl(t *testing.T) {
	bin, path := buildGrpcurl(t), socketIn(t)
	r := serveUnix(t, Options{Journal: newJournal(t, 10, 3)}, path)
	r.SetInputsServing(true)
	tests := []struct {
		name   string
		flags  []string
		args   []string
		exit   int // 64 and the status code, if a call fails
		want   []string
		absent string
	}{
		{
			name: "list", args: []string{"list"},
			want: []string{
				"falcoreporter.v1.ReportService\n", "grpc.health.v1.Health\n",
				"grpc.reflection.v1.ServerReflection\n", "grpc.reflection.v1alpha.ServerReflection\n",
			},
		},
		{
			name: "describe", args: []string{"describe", reportService},
			want: []string{
				"rpc Subscribe ( .falcoreporter.v1.SubscribeRequest ) returns ( stream .falcoreporter.v1.SubscribeResponse );",
				"rpc GetReport (", "rpc GetStatus (",
			},
		},
		{
			name: "subscribe", flags: []string{"-max-time", "2", "-d", `{"last":2}`}, args: []string{reportService + "/Subscribe"}, exit: 64 + 4,
			want:   []string{`"cursor": "` + cursor(2) + `"`, string(reportID(2)), `"cursor": "` + cursor(3) + `"`, string(reportID(3)), "DeadlineExceeded"},
			absent: cursor(1),
		},
		{
			name: "bad cursor", flags: []string{"-d", `{"after_cursor":"x"}`}, args: []string{reportService + "/Subscribe"}, exit: 64 + 3,
			want: []string{"InvalidArgument", "not a cursor"},
		},
		{name: "status", args: []string{reportService + "/GetStatus"}, want: []string{`"kind": "memory"`, `"newestCursor": "` + cursor(3) + `"`}},
		{name: "health", args: []string{"grpc.health.v1.Health/Check"}, want: []string{`"status": "SERVING"`}},
		{
			name: "inputs", flags: []string{"-d", `{"service":"` + InputsHealthService + `"}`}, args: []string{"grpc.health.v1.Health/Check"},
			want: []string{`"status": "SERVING"`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append(append([]string{"-plaintext", "-unix"}, tt.flags...), path)
			var out bytes.Buffer
			cmd := exec.CommandContext(t.Context(), bin, append(args, tt.args...)...)
			cmd.Stdout, cmd.Stderr = &out, &out
			exit := new(exec.ExitError)
			if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			code := 0
			if exit.ProcessState != nil {
				code = exit.ExitCode()
			}
			if code != tt.exit {
				t.Errorf("exit status %d, want %d", code, tt.exit)
			}
			for _, want := range tt.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q", want)
				}
			}
			if tt.absent != "" && strings.Contains(out.String(), tt.absent) {
				t.Errorf("there is %q", tt.absent)
			}
			if t.Failed() {
				t.Logf("grpcurl printed:\n%s", &out)
			}
		})
	}
}
