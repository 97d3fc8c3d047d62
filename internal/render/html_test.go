package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	nethtml "golang.org/x/net/html"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// allowed are the elements of a page with their attributes.
var allowed = map[string][]string{
	"html": {"lang"}, "head": nil, "meta": {"charset", "http-equiv", "content", "name"}, "title": nil, "style": nil, "body": {"class"}, "main": nil,
	"article": {"id", "class"}, "header": {"class"}, "footer": nil, "nav": {"id", "aria-label", "aria-labelledby"}, "section": {"id"}, "details": nil, "summary": nil,
	"h1": nil, "h2": {"id"}, "h3": nil, "h4": nil, "h5": nil, "p": {"class"}, "span": {"class"}, "strong": {"class"}, "b": nil, "code": nil, "pre": nil,
	"a": {"rel", "href"}, "ul": nil, "ol": {"class"}, "li": {"class"}, "dl": {"class"}, "div": {"class", "id"}, "dt": nil, "dd": nil,
	"table": {"role"}, "thead": {"role"}, "tbody": {"role"}, "tr": {"role"}, "th": {"role", "scope"}, "td": {"role", "data-label"},
}

// shape is the structure of a page as a browser reads it: every element with its attributes,
// but for code, which stands wherever a sentence has a value, and its parents. It allows only
// what we write.
func shape(t *testing.T, page string) []string {
	t.Helper()
	root, err := nethtml.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for n := range root.Descendants() {
		switch n.Type {
		case nethtml.CommentNode:
			t.Errorf("a comment: %q", n.Data)
		case nethtml.ElementNode:
			attributes, ok := allowed[n.Data]
			if !ok {
				t.Errorf("element %q", n.Data)
			}
			entry := n.Parent.Data + " > " + n.Data
			for _, a := range n.Attr {
				if !slices.Contains(attributes, a.Key) {
					t.Errorf("attribute %q of %q", a.Key, n.Data)
				}
				entry += fmt.Sprintf(" %s=%q", a.Key, a.Val)
			}
			if n.Data != "code" {
				out = append(out, entry)
			} else if n.FirstChild == nil || n.FirstChild.Type != nethtml.TextNode || n.FirstChild.NextSibling != nil {
				t.Errorf("code holds more than text, or nothing: %q", entry)
			}
		default: // text
		}
	}
	return out
}

// checkWellFormed reads a page as strict XML and checks that headings go down by one.
func checkWellFormed(t *testing.T, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	level, ids := 0, map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, page)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if name := e.Name.Local; len(name) == 2 && name[0] == 'h' {
			if n := int(name[1] - '0'); n > level+1 {
				t.Errorf("<%s> below a heading of level %d", name, level)
			} else {
				level = n
			}
		}
		for _, a := range e.Attr {
			if a.Name.Local != "id" {
				continue
			}
			if ids[a.Value] {
				t.Errorf("id %q twice", a.Value)
			}
			ids[a.Value] = true
		}
	}
}

func FuzzHTML(f *testing.F) {
	fuzz(f, func(t *testing.T, base *pb.Report, s string) {
		hostile, harmless := poisoned(base, s)
		got, want := render(t, HTML, hostile), render(t, HTML, harmless)
		checkVisible(t, got)
		checkWellFormed(t, got)
		if d := cmp.Diff(shape(t, want), shape(t, got)); d != "" {
			t.Errorf("the text changes the structure:\n%s\n%s", d, got)
		}
		h := &htmlWriter{}
		h.element("p", sentence(s))
		root, err := nethtml.Parse(bytes.NewReader(h.dst))
		if err != nil {
			t.Fatal(err)
		}
		read := ""
		for n := range root.Descendants() {
			if n.Type == nethtml.TextNode {
				read += n.Data
			}
		}
		if want := visible(plain(sentence(s))); read != want {
			t.Errorf("%q reads as %q", want, read)
		}
	})
}

func TestPagesAreWellFormed(t *testing.T) {
	all := reports(t)
	all["everything"], all["empty"] = everything(), nil
	s, err := NewStream(Options{Format: HTML})
	if err != nil {
		t.Fatal(err)
	}
	var page []byte
	for _, name := range []string{"minimal", "hostile", "incident", "fileless", "empty", "everything"} {
		one := render(t, HTML, all[name])
		shape(t, one)
		checkWellFormed(t, one)
		page = s.Append(page, all[name])
	}
	page = s.End(page)
	shape(t, string(page))
	checkWellFormed(t, string(page))
	if n := bytes.Count(page, []byte("<article ")); n != 6 {
		t.Errorf("%d articles", n)
	}
	_, index, _ := bytes.Cut(page, []byte(`id="index"`))
	var order []string
	for entry := range strings.SplitSeq(string(index), "<li ") {
		if _, word, ok := strings.Cut(entry, `<strong class="urgency">`); ok {
			order = append(order, word[:4])
		}
	}
	if want := []string{"PAGE", "PAGE", "TODA", "RECO"}; !slices.Equal(order, want) {
		t.Errorf("index in the order %q, want %q", order, want)
	}
}

// TestFewPages checks the pages of no report and of one.
func TestFewPages(t *testing.T) {
	r := reports(t)["incident"]
	for want, list := range map[string][]*pb.Report{"No incident report": nil, "TODAY: Terminal shell in container": {r}} {
		s, err := NewStream(Options{Format: HTML})
		if err != nil {
			t.Fatal(err)
		}
		var page []byte
		for _, r := range list {
			page = s.Append(page, r)
		}
		page = s.End(page)
		checkWellFormed(t, string(page))
		if !bytes.Contains(page, []byte("<title>"+want)) || bytes.Contains(page, []byte("id=\"index\"")) {
			t.Errorf("want a page with title %q, without an index: %.2000s", want, page)
		}
		if len(list) == 1 && string(page) != render(t, HTML, r) {
			t.Error("alone, a report makes another page than Append does")
		}
	}
}

func TestStyleHash(t *testing.T) {
	sum := sha256.Sum256([]byte(style))
	if want := "sha256-" + base64.StdEncoding.EncodeToString(sum[:]); styleHash != want {
		t.Errorf("styleHash must be %q", want)
	}
	if strings.Contains(style, "url(") || strings.Contains(style, "@import") || strings.ContainsAny(style, "<&") {
		t.Error("the style sheet fetches something, or needs escaping")
	}
}

func TestHTMLLinks(t *testing.T) {
	for url, want := range map[string]bool{
		"https://docs.kernel.org/a_b/c.html?x=1&y='2'#z": true, "javascript:alert(1)": false, "data:text/html,x": false,
		"https://good.example@evil.example/": false, "https://a.example/\" onclick=\"x": false, "//evil.example": false,
	} {
		page := render(t, HTML, &pb.Report{Actions: []*pb.Action{{Title: "t", Reference: url}}})
		got := slices.ContainsFunc(shape(t, page), func(s string) bool { return strings.Contains(s, fmt.Sprintf("href=%q", url)) })
		if got != want {
			t.Errorf("%s: linked is %t", url, got)
		}
	}
}
