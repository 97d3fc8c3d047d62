package render

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

var update = flag.Bool("update", false, "write the golden files")

// reports reads the reports of testdata, by name.
func reports(t testing.TB) map[string]*pb.Report {
	t.Helper()
	files, err := filepath.Glob("testdata/*.textproto")
	if err != nil || len(files) == 0 {
		t.Fatalf("no reports in testdata: %v", err)
	}
	out := map[string]*pb.Report{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		r := &pb.Report{}
		if err := prototext.Unmarshal(data, r); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out[strings.TrimSuffix(filepath.Base(f), ".textproto")] = r
	}
	return out
}

func render(t testing.TB, f Format, r *pb.Report) string {
	t.Helper()
	out, err := Append(nil, f, r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestGolden(t *testing.T) {
	for name, r := range reports(t) {
		for f, ext := range map[Format]string{JSON: ".json", Markdown: ".md", Text: ".txt", HTML: ".html"} {
			t.Run(name+ext, func(t *testing.T) {
				file := filepath.Join("testdata", name+ext)
				got := render(t, f, r)
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(string(want), got); d != "" {
					t.Errorf("-want +got (go test -update accepts it):\n%s", d)
				}
			})
		}
	}
}
