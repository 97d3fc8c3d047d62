// Package render writes incident reports for people and programs: as JSON, one report a
// line, as Markdown, as text for a terminal of 80 columns, and as HTML, one page that needs
// nothing else.
//
// The first screen decides: urgency, where and when, what happened, what the evidence shows
// and what it does not, when it is harmless, and the first two things to do, in fewer than 80
// words. Everything that is known follows in sections; a section without content is left out.
//
// A report is first laid out as a document (document.go), which says what is shown and in
// which order, and is then written by the format's writer, which says how. Another format
// is another writer.
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
	// HTML is a page of its own: no script, nothing fetched, for screens and paper.
	HTML Format = "html"
)

// Formats are the names of all formats, in the order in which help should show them.
func Formats() []string { return []string{string(Markdown), string(Text), string(HTML), string(JSON)} }

// ParseFormat reads the name of a format. The error names those that there are.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case JSON, Markdown, Text, HTML:
		return f, nil
	default:
		return "", fmt.Errorf("unknown output format %q: choose one of %s", s, strings.Join(Formats(), ", "))
	}
}

// IsPage reports whether reports of this format make one document that has an end. Such a
// format is of no use where reports come without end; a Stream makes the document.
func (f Format) IsPage() bool { return f == HTML }

// Append appends the report in the given format to dst and returns the longer slice. What it
// appends is complete: it ends with a newline, and reports may be written one after another,
// but for HTML, where several reports take a Stream.
//
//   - A JSON report is one line.
//   - A Markdown report begins with its only line that starts with "# " and ends with a
//     thematic break, so that N reports have N such lines.
//   - A text report begins with a line of 80 "=", which no other line equals, and ends with a
//     blank line.
//   - An HTML report is a whole page.
//
// The same report gives the same bytes every time. Timestamps that protobuf calls invalid are
// left out. The only error is an unknown format; dst is then returned as it was.
func Append(dst []byte, f Format, r *pb.Report) ([]byte, error) {
	s, err := NewStream(Options{Format: f})
	if err != nil {
		return dst, err
	}
	return s.End(s.Append(dst, r)), nil
}
