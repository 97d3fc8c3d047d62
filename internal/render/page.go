package render

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
)

// style is the style sheet of every page.
//
//go:embed page.css
var style string

// styleHash lets the style sheet pass the page's own policy, and nothing else. A test says
// what it must be.
const styleHash = "sha256-ZLUsvSlM9PlxDU8a336BsPg6YPjM+QJo0C4V1ubqa9Q="

// appendPage appends a whole page of one report.
func appendPage(dst []byte, d *document) []byte {
	title := plain(d.screen.title)
	if d.screen.urgency != "" {
		title = d.screen.urgency + ": " + title
	}
	if where := plain(d.screen.where); where != "" {
		title += ", " + where
	}
	dst = append(appendHead(dst, title), "<body>\n<main>\n"...)
	return append(appendArticle(dst, d, 1, 1), "</main>\n</body>\n</html>\n"...)
}

// appendHead appends a page up to its body. The policy keeps a browser from fetching or
// running anything, whatever else might go wrong; telephones are told not to make links of
// what looks like a number or an address.
func appendHead(dst []byte, title string) []byte {
	dst = append(dst, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '`+styleHash+`'; base-uri 'none'; form-action 'none'" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<meta name="referrer" content="no-referrer" />
<meta name="robots" content="noindex, nofollow" />
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no" />
<title>`...)
	dst = appendHTML(dst, visible(title))
	return append(append(append(dst, "</title>\n<style>"...), style...), "</style>\n</head>\n"...)
}

// maxIndex bounds how many reports the index of a page names: about 3 MB of them.
const maxIndex = 10000

// pages makes one page of several reports.
type pages struct {
	// first waits for a second report: alone, it makes a page of its own.
	first *document
	count int
	index []indexEntry
}

// indexEntry is a report in the index.
type indexEntry struct {
	number        int
	urgency, when string
	title, where  line
}

// add appends what can be written with one more report.
func (p *pages) add(dst []byte, d *document) []byte {
	p.count++
	switch p.count {
	case 1:
		p.first = d
		return dst
	case 2:
		dst = append(appendHead(dst, "Falco incident reports"),
			"<body class=\"many\">\n<header class=\"top\">\n<h1>Incident reports</h1>\n<p><a href=\"#index\">To the index of all reports</a></p>\n</header>\n<main>\n"...)
		dst = p.article(dst, p.first, 1)
		p.first = nil
	}
	return p.article(dst, d, p.count)
}

func (p *pages) article(dst []byte, d *document, number int) []byte {
	if len(p.index) < maxIndex {
		s := &d.screen
		p.index = append(p.index, indexEntry{number, s.urgency, s.when, s.title.clone(), s.where.clone()})
	}
	return appendArticle(dst, d, number, 2)
}

// end appends what is left of the page.
func (p *pages) end(dst []byte) []byte {
	switch p.count {
	case 0:
		dst = append(appendHead(dst, "No incident report"), "<body>\n<main>\n<h1>No incident report</h1>\n<p>There was no alert to report on.</p>\n"...)
		return append(dst, "</main>\n</body>\n</html>\n"...)
	case 1:
		return appendPage(dst, p.first)
	}
	dst = append(dst, "</main>\n<nav id=\"index\" aria-labelledby=\"index-title\">\n<h2 id=\"index-title\">"...)
	dst = append(strconv.AppendInt(dst, int64(p.count), 10), " reports, the most urgent first</h2>\n<ol>\n"...)
	slices.SortStableFunc(p.index, func(a, b indexEntry) int { return urgencyOrder(a.urgency) - urgencyOrder(b.urgency) })
	for _, e := range p.index {
		dst = e.append(dst)
	}
	dst = append(dst, "</ol>\n"...)
	if more := p.count - len(p.index); more > 0 {
		dst = append(strconv.AppendInt(append(dst, "<p>And "...), int64(more), 10), " more.</p>\n"...)
	}
	return append(dst, "</nav>\n</body>\n</html>\n"...)
}

func (e indexEntry) append(dst []byte) []byte {
	h := &htmlWriter{dst: dst}
	h.string(`<li class="` + urgencyClass(e.urgency) + `">`)
	if e.urgency != "" {
		h.string(`<strong class="urgency">` + e.urgency + "</strong> ")
	}
	h.string(`<a href="#r` + strconv.Itoa(e.number) + `">`)
	h.inline(e.title)
	h.string("</a> ")
	rest := line{}.join(e.where)
	if e.when != "" {
		rest = rest.comma().words(e.when)
	}
	h.element("span", rest)
	h.string("</li>\n")
	return h.dst
}

// clone is the line without anything of the report that it was made from.
func (l line) clone() line {
	out := slices.Clone(l)
	for i := range out {
		out[i].text = strings.Clone(out[i].text)
	}
	return out
}

// urgencyOrder sorts urgencies, the most urgent first.
func urgencyOrder(urgency string) int {
	order := []string{"PAGE", "TODAY", "RECORD"}
	word, _, _ := strings.Cut(urgency, ",")
	if i := slices.Index(order, word); i >= 0 {
		return i
	}
	return len(order)
}
