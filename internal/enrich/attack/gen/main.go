// Command gen makes facts.json of package attack out of the facts that were gathered about
// ATT&CK and about the tags of Falco's rules. Run it with `go generate` in the package's
// folder.
//
// It takes over facts and figures only, checks them against each other, and stops at the first
// contradiction. The same input gives the same bytes.
package main

import (
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stderr)) //nolint:forbidigo // this is main
}

// run is main with its arguments, its messages and its exit code.
func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("facts", "../../../../shared/facts", "the `folder` with the gathered facts")
	out := flags.String("o", "facts.json", "the `file` to write")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := generate(os.DirFS(*dir), *out); err != nil {
		_, _ = fmt.Fprintln(stderr, "gen:", err)
		return 1
	}
	return 0
}

// generate writes the facts in fsys to a file.
func generate(fsys fs.FS, out string) error {
	data, err := build(fsys)
	if err != nil {
		return err
	}
	return os.WriteFile(out, data, 0o644) //nolint:gosec // a source file, for everyone to read
}

// build makes the content of facts.json.
func build(fsys fs.FS) ([]byte, error) {
	src, err := readSources(fsys)
	if err != nil {
		return nil, err
	}
	f, err := src.file()
	if err != nil {
		return nil, err
	}
	if err := addTags(f, src.tags.Tags); err != nil {
		return nil, err
	}
	return f.Encode()
}
