package render

import (
	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// Options say how reports are written.
type Options struct {
	// Format is the format.
	Format Format
	// Colour lets Text mark urgency, headings and labels for a terminal that knows ANSI
	// colours. What a report says is never a part of the marks.
	Colour bool
}

// Stream writes reports one after another, as one document where the format wants that. Its
// methods must not be called concurrently.
//
// For HTML it makes one page of all reports, with an index that stands first on a screen: it
// keeps the first report until the second comes, or the end, and a few hundred bytes of each
// of the first 10,000 for the index.
type Stream struct {
	options Options
	pages   pages
}

// NewStream begins a stream. The error names the formats that there are.
func NewStream(o Options) (*Stream, error) {
	if _, err := ParseFormat(string(o.Format)); err != nil {
		return nil, err
	}
	return &Stream{options: o}, nil
}

// Append appends to dst what can be written once r belongs to the stream, which is nothing for
// the first report of an HTML page. r must not be changed before the next call.
func (s *Stream) Append(dst []byte, r *pb.Report) []byte {
	switch s.options.Format {
	case JSON:
		return appendJSON(dst, r)
	case Markdown:
		return appendMarkdown(dst, lay(r))
	case HTML:
		return s.pages.add(dst, lay(r))
	default:
		return appendText(dst, lay(r), s.options.Colour)
	}
}

// End appends what the document lacks: the end of an HTML page, nothing in other formats. It
// must be called once, after the last report.
func (s *Stream) End(dst []byte) []byte {
	if s.options.Format == HTML {
		return s.pages.end(dst)
	}
	return dst
}
