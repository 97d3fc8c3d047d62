package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"falco-reporter": main,
	})
}

// TestScripts runs the real program as a user would, one file in testdata/script after the
// other.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			// As root, the journal would otherwise be the machine's.
			env.Setenv("STATE_DIRECTORY", filepath.Join(env.WorkDir, "state"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"reports":   reports,
			"subscribe": subscribe,
			"await":     await,
		},
	})
}

// reports FILE N: the file has N lines, each a report in JSON.
func reports(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: reports FILE N")
	}
	n := 0
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(args[0])))
	lines.Buffer(nil, 16<<20)
	for ; lines.Scan(); n++ {
		var r struct {
			ID      string `json:"id"`
			Summary string `json:"summary"`
			Alert   struct {
				OutputFields map[string]string `json:"output_fields"`
			} `json:"alert"`
		}
		ts.Check(json.Unmarshal(lines.Bytes(), &r))
		if len(r.ID) != 32 || r.Summary == "" {
			ts.Fatalf("line %d is no report: %s", n+1, lines.Text())
		}
	}
	if fmt.Sprint(n) != args[1] {
		ts.Fatalf("%d reports; want %s", n, args[1])
	}
}

// patience bounds what waits in scripts.
const patience = 30 * time.Second

// subscribe SOCKET N [CURSORFILE]: N reports come from the daemon at the socket, as soon as
// there is one: all it has, or those after the cursor in the file. The file then has the cursor
// of the last.
func subscribe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: subscribe SOCKET N [CURSORFILE]")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := grpc.NewClient("unix://"+ts.MkAbs(args[0]), grpc.WithTransportCredentials(insecure.NewCredentials()))
	ts.Check(err)
	defer func() { _ = conn.Close() }() // nothing is left on it
	req := &pb.SubscribeRequest{Start: &pb.SubscribeRequest_Last{Last: 1 << 30}}
	if len(args) > 2 {
		if cursor, err := os.ReadFile(ts.MkAbs(args[2])); err == nil {
			req.Start = &pb.SubscribeRequest_AfterCursor{AfterCursor: string(cursor)}
		}
	}
	stream, err := pb.NewReportServiceClient(conn).Subscribe(ctx, req, grpc.WaitForReady(true))
	ts.Check(err)
	seen := make(map[string]bool)
	for len(seen) < want {
		event, err := stream.Recv()
		if err != nil {
			ts.Fatalf("after %d of %d reports: %v", len(seen), want, err)
		}
		raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(event)
		ts.Check(err)
		_, err = ts.Stdout().Write(append(raw, '\n'))
		ts.Check(err)
		id := event.GetReport().GetId()
		if id == "" || seen[id] {
			ts.Fatalf("event %v: no report, or one that came before", event)
		}
		seen[id] = true
		if len(args) > 2 {
			ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(event.GetCursor()), 0o600))
		}
	}
}

// await FILE: the file is there.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s did not appear", args[0])
		}
	}
}
