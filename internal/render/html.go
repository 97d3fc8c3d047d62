package render

import (
	"slices"
	"strconv"
	"strings"
)

// htmlWriter writes documents as HTML that is well-formed XML, too, so that it can be checked
// strictly. Attributes hold only what is ours and the addresses that isWebURL and isAttackURL
// let pass; whatever else a report says is escaped text.
type htmlWriter struct {
	dst []byte
	// level is that of the title's heading.
	level int
	// id begins the ids of this report.
	id string
	// actions are the numbers of actions by title, for links from the first screen.
	actions map[string]int
	// inPart says that a part of a section is open.
	inPart bool
}

// appendArticle appends a document as the number-th of a page.
func appendArticle(dst []byte, d *document, number, level int) []byte {
	h := &htmlWriter{dst: dst, level: level, id: "r" + strconv.Itoa(number), actions: map[string]int{}}
	h.collectActions(d)
	h.string(`<article id="` + h.id + `" class="` + urgencyClass(d.screen.urgency) + "\">\n")
	h.screen(&d.screen)
	h.contents(d.sections)
	for i := range d.sections {
		h.section(i, &d.sections[i])
	}
	h.string("<footer>")
	h.element("p", d.footer)
	h.string("</footer>\n</article>\n")
	return h.dst
}

// collectActions notes the actions that the first screen may link to.
func (h *htmlWriter) collectActions(d *document) {
	for _, s := range d.sections {
		for _, b := range s.blocks {
			if a, ok := b.(action); ok {
				if title := plain(a.title); h.actions[title] == 0 {
					h.actions[title] = a.number
				}
			}
		}
	}
}

// urgencyClass is the class of an urgency, in words of ours.
func urgencyClass(urgency string) string {
	word, _, _ := strings.Cut(urgency, ",")
	switch word {
	case "PAGE", "TODAY", "RECORD":
		return "report u-" + strings.ToLower(word)
	default:
		return "report"
	}
}

func (h *htmlWriter) string(s string) { h.dst = append(h.dst, s...) }

// text writes text, made visible and escaped.
func (h *htmlWriter) text(s string) { h.dst = appendHTML(h.dst, visible(s)) }

// appendHTML appends visible text so that it is nothing but text, in elements and attributes.
func appendHTML(dst []byte, s string) []byte {
	from := 0
	for i := range len(s) {
		escaped := ""
		switch s[i] {
		case '&':
			escaped = "&amp;"
		case '<':
			escaped = "&lt;"
		case '>':
			escaped = "&gt;"
		case '"':
			escaped = "&#34;"
		case '\'':
			escaped = "&#39;"
		default:
			continue
		}
		dst = append(append(dst, s[from:i]...), escaped...)
		from = i + 1
	}
	return append(dst, s[from:]...)
}

// heading writes a heading so many levels below the title.
func (h *htmlWriter) heading(below int, l line) {
	level := strconv.Itoa(h.level + below)
	h.string("<h" + level + ">")
	h.inline(l)
	h.string("</h" + level + ">\n")
}

// element writes a line as an element without attributes.
func (h *htmlWriter) element(name string, l line) {
	h.string("<" + name + ">")
	h.inline(l)
	h.string("</" + name + ">")
}

func (h *htmlWriter) inline(l line) {
	for _, s := range l {
		switch s.kind {
		case spanValue, spanQuoted:
			h.string("<code>")
			h.text(s.text)
			h.string("</code>")
		case spanLink, spanQuietLink:
			h.link(s.url, s.text)
		case spanWords:
			h.text(s.text)
		}
	}
}

// link writes a link to an address that was found safe.
func (h *htmlWriter) link(url, text string) {
	h.string(`<a rel="noreferrer noopener" href="`)
	h.text(url)
	h.string(`">`)
	h.text(text)
	h.string("</a>")
}

func (h *htmlWriter) screen(s *screen) {
	h.string("<header>\n<p class=\"lead\">")
	if s.urgency != "" {
		h.string(`<strong class="urgency">` + s.urgency + "</strong> ")
	}
	if len(s.why) > 0 {
		h.string(`<span class="why">`)
		h.inline(s.why)
		h.string("</span> ")
	}
	if len(s.where) > 0 {
		h.string("<span>")
		h.inline(s.where)
		h.string("</span> ")
	}
	if s.when != "" {
		h.string("<span>" + s.when + "</span>")
	}
	h.string("</p>\n")
	h.heading(0, s.title)
	facts := s.facts()
	if len(facts)+len(s.doFirst) == 0 {
		h.string("</header>\n")
		return
	}
	h.string("<dl class=\"screen\">\n")
	for _, f := range facts {
		h.row(f)
	}
	if len(s.doFirst) > 0 {
		h.string("<div><dt>" + labelDoFirst + "</dt><dd><ol>")
		for i, a := range s.doFirst {
			h.doFirst(a, s.doFirstTitles[i])
		}
		h.string("</ol></dd></div>\n")
	}
	h.string("</dl>\n</header>\n")
}

// doFirst writes the title of an action with a link to where it is described.
func (h *htmlWriter) doFirst(title line, full string) {
	h.string("<li>")
	if n := h.actions[full]; n > 0 {
		h.string(`<a href="#` + h.action(n) + `">`)
		h.inline(title)
		h.string("</a></li>")
		return
	}
	h.inline(title)
	h.string("</li>")
}

// plain is a line as mere text.
func plain(l line) string {
	var text strings.Builder
	for _, s := range l {
		text.WriteString(s.text)
	}
	return text.String()
}

// action is the id of an action.
func (h *htmlWriter) action(number int) string { return h.id + "-a" + strconv.Itoa(number) }

// sectionID is the id of a section.
func (h *htmlWriter) sectionID(i int) string { return h.id + "-s" + strconv.Itoa(i+1) }

// contents links to the sections.
func (h *htmlWriter) contents(sections []section) {
	if len(sections) < 2 {
		return
	}
	h.string("<nav aria-label=\"Sections of the report\"><ul>")
	for i, s := range sections {
		h.string(`<li><a href="#` + h.sectionID(i) + `">`)
		h.text(s.heading)
		h.string("</a></li>")
	}
	h.string("</ul></nav>\n")
}

func (h *htmlWriter) section(i int, s *section) {
	h.string(`<section id="` + h.sectionID(i) + "\">\n")
	if s.folded {
		h.string("<details>\n<summary>")
	}
	h.heading(1, line{}.words(s.heading))
	if s.folded {
		h.string("</summary>\n")
	}
	for _, b := range s.blocks {
		h.block(b)
	}
	h.endPart()
	if s.folded {
		h.string("</details>\n")
	}
	h.string("</section>\n")
}

// part begins a part of a section.
func (h *htmlWriter) part(l line) {
	h.endPart()
	h.string("<section>\n")
	h.heading(2, l)
	h.inPart = true
}

func (h *htmlWriter) endPart() {
	if h.inPart {
		h.string("</section>\n")
	}
	h.inPart = false
}

func (h *htmlWriter) block(b block) {
	switch b := b.(type) {
	case paragraph:
		h.element("p", line(b))
		h.string("\n")
	case subheading:
		h.part(line(b))
	case bullets:
		h.string("<ul>\n")
		for _, l := range b {
			h.element("li", l)
			h.string("\n")
		}
		h.string("</ul>\n")
	case table:
		h.string("<dl class=\"rows\">\n")
		for _, r := range b {
			h.row(r)
		}
		h.string("</dl>\n")
	case grid:
		h.grid(b)
	case timeline:
		h.timeline(b)
	case tree:
		h.tree(b)
	case code:
		h.code(b.text)
	case action:
		h.writeAction(b)
	}
}

// row writes a label of ours and its value.
func (h *htmlWriter) row(r row) {
	h.string("<div><dt>" + r.label + "</dt>")
	h.element("dd", r.cell)
	h.string("</div>\n")
}

// grid writes a table. On a narrow screen each cell stands below its column's name; the roles
// keep it a table there for those who hear it.
func (h *htmlWriter) grid(g grid) {
	h.string("<table role=\"table\">\n<thead role=\"rowgroup\"><tr role=\"row\">")
	for _, name := range g.head {
		h.string(`<th role="columnheader" scope="col">` + name + "</th>")
	}
	h.string("</tr></thead>\n<tbody role=\"rowgroup\">\n")
	for _, cells := range g.rows {
		h.string(`<tr role="row">`)
		for i, l := range cells {
			h.string(`<td role="cell" data-label="` + g.head[i] + `">`)
			h.inline(l)
			h.string("</td>")
		}
		h.string("</tr>\n")
	}
	h.string("</tbody>\n</table>\n")
}

func (h *htmlWriter) timeline(list timeline) {
	h.string("<ol class=\"timeline\">\n")
	for _, t := range list {
		h.string(`<li><span class="clock">` + t.clock + `</span> <span class="offset">` + t.offset + "</span> ")
		h.element("span", t.what)
		h.string("</li>\n")
	}
	h.string("</ol>\n")
}

func (h *htmlWriter) tree(t tree) {
	h.string("<div class=\"tree\">\n")
	t.nest(func(first bool) {
		if !first {
			h.string("\n")
		}
		h.string("<ul>\n")
	}, func() { h.string("</ul>\n") }, h.node, func() { h.string("</li>\n") })
	h.string("</div>\n")
}

// node writes an entry of a tree, its list item left open.
func (h *htmlWriter) node(n node) {
	switch {
	case n.text != nil:
		h.string(`<li><p class="` + choose(n.border, "border", "gap") + `">`)
		h.inline(n.text)
		h.string("</p>")
		return
	case n.event:
		h.string(`<li class="event">`)
	default:
		h.string("<li>")
	}
	h.string("<p>" + n.depthWord())
	if n.name == "" {
		h.string("?")
	} else {
		h.element("b", line{}.value(n.name))
	}
	h.string(n.pidWord())
	if n.command != "" && n.command != n.name {
		h.string(" ")
		h.inline(line{}.value(n.command))
	}
	if n.source != "" {
		h.string(` <span class="source">` + n.source + "</span>")
	}
	h.string("</p>")
	for i, f := range slices.Concat(n.facts, n.roomy) {
		h.string(choose(i == 0, `<p class="facts">`, "; "))
		h.inline(f)
	}
	if len(n.facts)+len(n.roomy) > 0 {
		h.string("</p>")
	}
}

// code writes text whose line ends count.
func (h *htmlWriter) code(s string) {
	h.string("<pre><code>")
	s = strings.TrimSuffix(s, "\n")
	for l := range strings.Lines(s) {
		l, ended := strings.CutSuffix(l, "\n")
		h.text(l)
		if ended {
			h.string("\n")
		}
	}
	h.string("</code></pre>\n")
}

func (h *htmlWriter) writeAction(a action) {
	h.string(`<div class="action" id="` + h.action(a.number) + "\">\n")
	h.heading(3, line{}.words(strconv.Itoa(a.number)+". ").join(a.title))
	if len(a.why) > 0 {
		h.element("p", a.why)
		h.string("\n")
	}
	if a.tool != "" {
		h.string(`<p class="tool">For `)
		h.inline(a.toolLine())
		h.string("</p>\n")
	}
	if a.snippet != "" {
		h.code(a.snippet)
	}
	switch {
	case a.reference == "":
	case a.referenceOK:
		h.string(`<p class="see">See `)
		h.link(a.reference, a.reference)
		h.string("</p>\n")
	default:
		h.string(`<p class="see">See `)
		h.inline(line{}.value(a.reference))
		h.string("</p>\n")
	}
	h.string("</div>\n")
}
