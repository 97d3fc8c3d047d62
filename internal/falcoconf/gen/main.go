// Command gen makes fields.json of package falcoconf out of the facts that were gathered about
// Falco's fields. Run it with `go generate` in the package's folder.
//
// It takes the fields over that an alert of the system call source can be given: those of
// Falco's libraries and of the container plugin, without the deprecated ones and those that
// only conditions may use. The same input gives the same bytes.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/falcoconf"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stderr)) //nolint:forbidigo // this is main
}

// run is main with its arguments, its messages and its exit code.
func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("facts", "../../../shared/facts", "the `folder` with the gathered facts")
	out := flags.String("o", "fields.json", "the `file` to write")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := generate(filepath.Join(*dir, "falco-fields.json"), *out); err != nil {
		_, _ = fmt.Fprintln(stderr, "gen:", err)
		return 1
	}
	return 0
}

// gathered is the file of facts, as far as the generator needs it.
type gathered struct {
	Commit string `json:"libs_commit"`
	Fields []struct {
		Name       string `json:"name"`
		Arg        string `json:"arg"`
		FilterOnly bool   `json:"filter_only"`
		Deprecated bool   `json:"deprecated"`
		Provider   string `json:"provider"`
		Since      string `json:"since_falco"`
	} `json:"fields"`
}

// generate writes the fields.
func generate(from, to string) error {
	raw, err := os.ReadFile(from) //nolint:gosec // the developer names the file
	if err != nil {
		return err
	}
	var in gathered
	if err := json.Unmarshal(raw, &in); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	list := falcoconf.FieldList{Source: "falcosecurity/libs " + in.Commit}
	for _, f := range in.Fields {
		plugin := strings.HasPrefix(f.Provider, "container plugin")
		if f.FilterOnly || f.Deprecated || !plugin && !strings.HasPrefix(f.Provider, "libs ") {
			continue
		}
		list.Fields = append(list.Fields, falcoconf.Field{
			Name: f.Name, Arg: f.Arg, Container: plugin, Since: strings.TrimPrefix(f.Since, "<="),
		})
	}
	if len(list.Fields) == 0 {
		return errors.New("no fields in the facts")
	}
	slices.SortFunc(list.Fields, func(a, b falcoconf.Field) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(list.Fields); i++ {
		if list.Fields[i].Name == list.Fields[i-1].Name {
			return fmt.Errorf("field %s is there twice", list.Fields[i].Name)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"source\":%q,\"fields\":[\n", list.Source)
	for i, f := range list.Fields {
		line, err := json.Marshal(f)
		if err != nil {
			return err
		}
		b.Write(line)
		if i+1 < len(list.Fields) {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]}\n")
	return os.WriteFile(to, b.Bytes(), 0o644) //nolint:gosec // a source file, for everyone to read
}
