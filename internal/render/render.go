// Package render writes incident reports for people and programs: as JSON, one report a
// line, as Markdown, and as text for a terminal of 80 columns.
//
// The first screen decides: urgency, where and when, what happened, what the evidence shows
// and what it does not, when it is harmless, and the first two things to do, in fewer than 80
// words. Everything that is known follows in sections; a section without content is left out.
//
// A report is first laid out as a document (document.go), which says what is shown and in
// which order, and is then written by the format's writer, which says how. Another format
// is another writer; colour for terminals has its place in the few methods of the text
// writer that write headings and labels.
//
// Every string of a report is hostile here, those of enrichment included. Writers take
// strings apart in two ways only: as words, which may wrap and are escaped for the format,
// and as values, which stand in code spans or quotes that they cannot leave. What must not
// reach a screen (control and format characters, invisible ones, line ends) is spelt out, as
// \n, \x1b or \u202e; see appendVisible.
//
// The package starts no goroutine and keeps no state: all functions may be called
// concurrently, and nothing here can become full. A rendered report is a bounded multiple of
// the report's own size.
package render

import (
	"fmt"
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// Format is the name of an output format.
type Format string

// The formats.
const (
	// JSON is one line: the protobuf JSON form with the schema's own snake_case names.
	JSON Format = "json"
	// Markdown is CommonMark with GitHub's tables.
	Markdown Format = "markdown"
	// Text is plain text, at most 80 columns wide but for the lines of snippets.
	Text Format = "text"
)

// Formats are the names of all formats, in the order in which help should show them.
func Formats() []string { return []string{string(Markdown), string(Text), string(JSON)} }

// ParseFormat reads the name of a format. The error names those that there are.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case JSON, Markdown, Text:
		return f, nil
	default:
		return "", fmt.Errorf("unknown output format %q: choose one of %s", s, strings.Join(Formats(), ", "))
	}
}

// Append appends the report in the given format to dst and returns the longer slice. What it
// appends is complete: it ends with a newline, and reports may be written one after another.
//
//   - A JSON report is one line.
//   - A Markdown report begins with its only line that starts with "# " and ends with a
//     thematic break, so that N reports have N such lines.
//   - A text report begins with a line of 80 "=", which no other line equals, and ends with a
//     blank line.
//
// The same report gives the same bytes every time. Timestamps that protobuf calls invalid are
// left out. The only error is an unknown format; dst is then returned as it was.
func Append(dst []byte, f Format, r *pb.Report) ([]byte, error) {
	switch f {
	case JSON:
		return appendJSON(dst, r), nil
	case Markdown:
		return appendMarkdown(dst, lay(r)), nil
	case Text:
		return appendText(dst, lay(r)), nil
	default:
		_, err := ParseFormat(string(f))
		return dst, err
	}
}
