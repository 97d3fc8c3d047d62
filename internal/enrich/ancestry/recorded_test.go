package ancestry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry"
)

// TestRecorded: the recorded alerts give all the links that they have, each with its own values,
// and none is complete. Both recordings are of the same alerts.
func TestRecorded(t *testing.T) {
	const dir = "../../../../shared/alerts"
	for file, decode := range map[string]func([]byte) (*alert.Alert, error){
		"falco-0.43-full-json.jsonl": alert.DecodeJSON,
		"falco-0.43-full-grpc.jsonl": decodeGRPC,
	} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Skipf("the recorded alerts are not here: %v", err)
			}
			links := 0
			for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
				a, err := decode(line)
				if err != nil {
					t.Fatal(err)
				}
				r := &pb.Report{}
				ancestry.Apply(a, r)
				if r.GetAncestryComplete() {
					t.Errorf("line %d is called complete", i+1)
				}
				want := recordedChain(t, line)
				if diff := cmp.Diff(want, values(r)); diff != "" {
					t.Errorf("line %d (-recorded +reported):\n%s", i+1, diff)
				}
				links += len(want)
			}
			if links < 4*17+5 {
				t.Errorf("only %d links are recorded: the test shows nothing", links)
			}
		})
	}
}

func decodeGRPC(line []byte) (*alert.Alert, error) {
	var r outputs.Response
	if err := protojson.Unmarshal(line, &r); err != nil {
		return nil, err
	}
	raw, err := proto.Marshal(&r)
	if err != nil {
		return nil, err
	}
	return alert.DecodeGRPC(raw)
}

// values are what a report says of a chain: "LEVEL PID NAME EXE COMMAND" each.
func values(r *pb.Report) (out []string) {
	for _, a := range r.GetAncestry() {
		out = append(out, fmt.Sprintf("%d %d %s %s %s", a.GetLevel(), a.GetPid(), a.GetName(), a.GetExePath(), a.GetCommandLine()))
	}
	return out
}

// recordedChain reads the same out of the line itself.
func recordedChain(t *testing.T, line []byte) (out []string) {
	t.Helper()
	var recorded struct {
		JSON map[string]json.RawMessage `json:"output_fields"`
		GRPC map[string]json.RawMessage `json:"outputFields"`
	}
	if err := json.Unmarshal(line, &recorded); err != nil {
		t.Fatal(err)
	}
	field := func(name string) string {
		for _, fields := range []map[string]json.RawMessage{recorded.JSON, recorded.GRPC} {
			if v := string(fields[name]); v != "" && v != "null" && v != `"<NA>"` {
				var s string
				if json.Unmarshal(fields[name], &s) == nil {
					return s
				}
				return v // a number
			}
		}
		return ""
	}
	for level := 1; level <= 7; level++ {
		index := fmt.Sprintf("[%d]", level)
		pid, name, exe, command := field("proc.apid"+index), field("proc.aname"+index), field("proc.aexepath"+index), field("proc.acmdline"+index)
		if level == 1 {
			pid, name, exe, command = field("proc.ppid"), field("proc.pname"), field("proc.pexepath"), field("proc.pcmdline")
		}
		if name != "" {
			out = append(out, fmt.Sprintf("%d %s %s %s %s", level, pid, name, exe, command))
		}
	}
	return out
}
