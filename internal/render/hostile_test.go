package render

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	mdtext "github.com/yuin/goldmark/text"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// markdownReader reads what GitHub reads, and a little more.
var markdownReader = goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote, extension.DefinitionList))

// tag is a tag of HTML.
var tag = regexp.MustCompile(`<[^>]*>`)

// nasty are texts that break renderers that are not careful.
var nasty = []string{
	"# forged\n## heading\n===\n---\n", "\x1b[2J\x1b]0;t\x07\r\x00\x7f", "\u202eevil\u202c\u2066\u2069\u200e\ufeff", "\u009b31m\u0085\u2028\u2029",
	"<script>alert(1)</script><!-- <?x ]]> <a href=x>", "![i](http://e.example/i.png)[l](javascript:x)[r]: http://e.example",
	"http://e.example https://e.example/?a=b&c=d ftp://e.example www.e.example WWW.e.example a@e.example mailto:a@e.example xmpp:a@e.example",
	"<http://e.example> <a@e.example>", "a|b|c\n|---|---|\n|x|", `\|`, `\\|`, `\`, "`", "``", "`` a", "a ``` b ```` c", "```\nx\n```\n~~~", " ` ", "$x$ $$y$$",
	"&lt;&#35;&#x1b;&nbsp;", "* a\n- b\n+ c\n1. d\n2) e\n> f\n    code", "**b** __c__ _d_ *e* ~~f~~ ~g~ a_b_c", "1. x", "12) x", "- x", "+", "=", "[ ] [x] [^1] [^1]: n",
	"“quoted” ”odd“ “", "““ ””", "a\u0301\u0301\u0301\u0301\u0301\u0301", "\u0301first \u0301", "漢字かな 한글 👩‍💻 🇩🇪 ｆｕｌｌ", "\U000e0041\ufe0f\U000e0100\ufdd0\U0010ffff\ue000\u3164\u2800\u00ad",
	"  both ends  ", "long " + strings.Repeat("word ", 30), strings.Repeat("x", 250), strings.Repeat("漢", 80), ": d\n:shipit: #1 @all GH-1", "...(level 3: not known)", "DETAILS", rule, "PAGE: x",
}

// everything is a report in which every field is set, each string to one of its own.
func everything() *pb.Report {
	r := &pb.Report{}
	n := int64(0)
	fill(r.ProtoReflect(), &n)
	r.Processes[0].Parent, r.Processes[1].Parent = 0, 1 // a tree, as in the others of its kind
	return r
}

// fill sets every field of m. It counts n up.
func fill(m protoreflect.Message, n *int64) {
	for i := range m.Descriptor().Fields().Len() {
		switch fd := m.Descriptor().Fields().Get(i); {
		case fd.IsMap():
			m.Mutable(fd).Map().Set(sample(fd.MapKey(), n).MapKey(), sample(fd.MapValue(), n))
		case fd.IsList() && fd.Message() != nil:
			for range 2 {
				fill(m.Mutable(fd).List().AppendMutable().Message(), n)
			}
		case fd.IsList():
			m.Mutable(fd).List().Append(sample(fd, n))
		case fd.Message() != nil:
			fill(m.Mutable(fd).Message(), n)
		default:
			m.Set(fd, sample(fd, n))
		}
	}
}

// sample is a value for a field of a simple kind.
func sample(fd protoreflect.FieldDescriptor, n *int64) protoreflect.Value {
	*n++
	switch {
	case fd.Kind() == protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(1)
	case fd.Kind() == protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case fd.Kind() == protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(*n))
	case fd.Kind() == protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(*n))
	case fd.Kind() == protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(1795313278 + *n)
	case fd.Kind() == protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(*n))
	case fd.Name() == "url" || fd.Name() == "reference":
		return protoreflect.ValueOfString(fmt.Sprintf("https://attack.mitre.org/s%03d", *n))
	default:
		return protoreflect.ValueOfString(fmt.Sprintf("s%03d", *n))
	}
}

// TestNothingIsLeftOut checks that all that a report says stands in Markdown and in text.
func TestNothingIsLeftOut(t *testing.T) {
	r := everything()
	left := map[protoreflect.FullName]bool{
		"AlertSample.id": true, "TimelineEntry.alert_id": true, "Finding.alert_ids": true, "ProcessNode.alert_ids": true, // numbered instead
		"Alert.id": true, "Rule.name": true, // the report's id and title are the same
		"User.login_name": true, "User.group": true, // a line has no room for those of ancestors
		"Tactic.description": true, "Attack.version": true,
	}
	for _, f := range []Format{Markdown, Text} {
		out := render(t, f, r)
		var check func(m protoreflect.Message)
		check = func(m protoreflect.Message) {
			m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
				name := fd.Parent().Name() + "." + fd.Name()
				switch {
				case left[protoreflect.FullName(name)] || f == Text && (fd.Name() == "url" || fd.Name() == "language"):
				case fd.IsMap():
					v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
						if !strings.Contains(out, k.String()) || !strings.Contains(out, v.String()) {
							t.Errorf("%s: no %s", f, name)
						}
						return true
					})
				case fd.IsList() && fd.Message() != nil:
					for i := range v.List().Len() {
						check(v.List().Get(i).Message())
					}
				case fd.IsList():
					if !strings.Contains(out, v.List().Get(0).String()) {
						t.Errorf("%s: no %s", f, name)
					}
				case fd.Message() != nil:
					check(v.Message())
				case fd.Kind() == protoreflect.StringKind && !strings.Contains(out, v.String()):
					t.Errorf("%s: no %s", f, name)
				}
				return true
			})
		}
		check(r.ProtoReflect())
	}
}

// poison replaces every string within m, but for links and the version of ATT&CK, which have
// tests of their own.
func poison(m protoreflect.Message, with string) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		isString := fd.Kind() == protoreflect.StringKind
		switch {
		case fd.Name() == "url" || fd.Name() == "reference" || fd.Name() == "version":
		case fd.IsMap():
			m.Clear(fd)
			m.Mutable(fd).Map().Set(protoreflect.ValueOfString(with).MapKey(), protoreflect.ValueOfString(with))
		case fd.IsList():
			for i := range v.List().Len() {
				if isString {
					v.List().Set(i, protoreflect.ValueOfString(with))
				} else if fd.Kind() == protoreflect.MessageKind {
					poison(v.List().Get(i).Message(), with)
				}
			}
		case isString:
			m.Set(fd, protoreflect.ValueOfString(with))
		case fd.Kind() == protoreflect.MessageKind:
			poison(v.Message(), with)
		}
		return true
	})
}

// poisoned are two reports of the same shape: one with s everywhere, one with letters for
// every character of s, of the same length and with the same spaces and slashes.
func poisoned(base *pb.Report, s string) (hostile, harmless *pb.Report) {
	letters := strings.Map(func(r rune) rune {
		switch {
		case r == ' ', r == '/':
			return r
		case r < 0x80:
			return 'x'
		case r < 0x800:
			return 'é'
		case r < 0x10000:
			return '漢'
		default:
			return '𠀀'
		}
	}, s)
	hostile, harmless = proto.CloneOf(base), proto.CloneOf(base)
	poison(hostile.ProtoReflect(), s)
	poison(harmless.ProtoReflect(), letters)
	return hostile, harmless
}

// fuzz calls check with every nasty text and then with those of the fuzzer: plain, and as a
// value in a sentence.
func fuzz(f *testing.F, check func(t *testing.T, base *pb.Report, s string)) {
	base := everything()
	for _, s := range nasty {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "\ufffd")
		// Without anything but space, sections are left out; beyond maxValue, values are
		// cut. Both change the shape rightly.
		if strings.TrimSpace(s) == "" || len(s) > maxValue/2 {
			return
		}
		check(t, base, s)
		check(t, base, "“"+s+"”.")
	})
}

func FuzzMarkdown(f *testing.F) {
	fuzz(f, func(t *testing.T, base *pb.Report, s string) {
		hostile, harmless := poisoned(base, s)
		got, want := render(t, Markdown, hostile), render(t, Markdown, harmless)
		checkVisible(t, got)
		if n := strings.Count("\n"+got, "\n# "); n != 1 {
			t.Errorf("%d lines begin with \"# \"", n)
		}
		if d := cmp.Diff(skeleton(t, want), skeleton(t, got)); d != "" {
			t.Errorf("the text changes the structure:\n%s\n%s", d, got)
		}
		checkReadsAs(t, sentence(s))
		checkReadsAs(t, line{}.value(s).words("!").value(s))
	})
}

// checkReadsAs checks that a line of Markdown, in a paragraph and in a table, reads as its
// text, but for spaces.
func checkReadsAs(t *testing.T, l line) {
	t.Helper()
	want := ""
	for _, s := range l {
		want += visible(s.text)
	}
	paragraph, cell := &markdown{}, &markdown{}
	paragraph.block(bullets{l})
	cell.block(table{{"", l}})
	for got, want := range map[string]string{
		string(paragraph.dst): want,
		string(cell.dst):      "DetailValue" + want,
	} {
		var page bytes.Buffer
		if err := markdownReader.Convert([]byte(got), &page); err != nil {
			t.Fatal(err)
		}
		plain := func(s string) string { return strings.Join(strings.Fields(strings.ReplaceAll(s, `\x5c|`, `\|`)), "") }
		if read := plain(html.UnescapeString(tag.ReplaceAllString(page.String(), ""))); read != plain(want) {
			t.Errorf("%q reads as %q", got, read)
		}
	}
}

func FuzzText(f *testing.F) {
	fuzz(f, func(t *testing.T, base *pb.Report, s string) {
		hostile, harmless := poisoned(base, s)
		got, want := render(t, Text, hostile), render(t, Text, harmless)
		checkVisible(t, got)
		if d := cmp.Diff(margin(want), margin(got)); d != "" {
			t.Errorf("the text changes the structure:\n%s\n%s", d, got)
		}
		var snippet []string // may be as wide as they are
		for l := range strings.Lines(s) {
			snippet = append(snippet, strings.TrimLeft(visible(strings.TrimSuffix(l, "\n")), " "))
		}
		for l := range strings.Lines(got) {
			l = strings.TrimSuffix(l, "\n")
			if columnsOf([]byte(l)) > textWidth && !slices.Contains(snippet, strings.TrimLeft(l, " ")) {
				t.Errorf("wider than %d columns: %q", textWidth, l)
			}
		}
	})
}

func FuzzJSON(f *testing.F) {
	fuzz(f, func(t *testing.T, base *pb.Report, s string) {
		want := proto.CloneOf(base)
		poison(want.ProtoReflect(), s)
		line := render(t, JSON, want)
		checkVisible(t, line)
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
			t.Errorf("not one line: %q", line)
		}
		got := &pb.Report{}
		if err := protojson.Unmarshal([]byte(line), got); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(want, got) {
			t.Errorf("read back differently: %s", line)
		}
	})
}

// checkVisible checks that nothing in s can steer a terminal, hide, or smear.
func checkVisible(t *testing.T, s string) {
	t.Helper()
	marks := 0
	for i, r := range s {
		if r != '\n' && (unicode.IsControl(r) || !unicode.IsPrint(r) || unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)) {
			t.Errorf("%U at byte %d", r, i)
		}
		if !unicode.Is(unicode.M, r) {
			marks = 0
		} else if marks++; marks > 4 {
			t.Errorf("more than 4 marks at byte %d", i)
		}
	}
}

// skeleton is the structure of a Markdown text: every node but text and code, with the targets
// of links. It allows no HTML and no image.
func skeleton(t *testing.T, s string) []string {
	t.Helper()
	source := []byte(s)
	var out []string
	doc := markdownReader.Parser().Parse(mdtext.NewReader(source))
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		entry := n.Kind().String()
		switch n := n.(type) {
		case *ast.CodeSpan:
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			if !n.SoftLineBreak() && !n.HardLineBreak() {
				return ast.WalkContinue, nil
			}
			entry = fmt.Sprint("break, hard: ", n.HardLineBreak())
		case *ast.Heading:
			entry = fmt.Sprint("heading ", n.Level)
		case *ast.List:
			entry = fmt.Sprint("list ", string(n.Marker), n.Start)
		case *ast.Emphasis:
			entry = fmt.Sprint("emphasis ", n.Level)
		case *ast.Link:
			entry = fmt.Sprintf("link %s %s", n.Destination, n.Title)
		case *ast.AutoLink:
			entry = fmt.Sprintf("autolink %s", n.URL(source))
		case *extast.Table:
			entry = fmt.Sprint("table ", n.Alignments)
		case *ast.RawHTML, *ast.HTMLBlock, *ast.Image:
			t.Errorf("%s in:\n%s", entry, s)
		}
		if entering {
			out = append(out, entry)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// margin are the lines that begin at the left margin, without the title.
func margin(s string) []string {
	var out []string
	for l := range strings.Lines(s) {
		if strings.HasPrefix(l, "RECORD, LATE: ") {
			l = "title"
		}
		if l != "\n" && l[0] != ' ' {
			out = append(out, l)
		}
	}
	return out
}

func TestFirstScreenWords(t *testing.T) {
	all := reports(t)
	all["everything"] = everything()
	for i, s := range nasty {
		hostile := everything()
		poison(hostile.ProtoReflect(), s)
		hostile.Summary = "It happened."
		all[fmt.Sprint("nasty ", i)] = hostile
	}
	long := everything()
	long.Summary = strings.Repeat("word ", 55) + "end."
	all["long summary"] = long
	for name, r := range all {
		md := render(t, Markdown, r)
		screen, _, _ := strings.Cut(md, "\n## ")
		source := []byte(screen)
		var words bytes.Buffer
		doc := markdownReader.Parser().Parse(mdtext.NewReader(source))
		err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
			if n, ok := n.(*ast.Text); ok && entering {
				words.Write(n.Segment.Value(source))
			}
			if n.Type() == ast.TypeBlock {
				words.WriteByte(' ')
			}
			return ast.WalkContinue, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(strings.Fields(words.String())); n >= 80 || n < 5 {
			t.Errorf("%s: %d words on the first screen:\n%s", name, n, screen)
		}
		_, header, _ := strings.Cut(render(t, HTML, r), "<header>")
		header, _, _ = strings.Cut(header, "</header>")
		if n := len(strings.Fields(html.UnescapeString(tag.ReplaceAllString(strings.NewReplacer("<code>", "", "</code>", "").Replace(header), " ")))); n >= 80 || n < 5 {
			t.Errorf("%s: %d words on the first screen of HTML:\n%s", name, n, header)
		}
	}
}

// TestFirstScreenKeepsEveryPart: however long its texts and values are, the reason of the urgency
// stands right after the level, and nothing of what a reader needs is missing.
func TestFirstScreenKeepsEveryPart(t *testing.T) {
	prose := func(n int, mark string) string { return mark + strings.Repeat(" w", n-1) + "." }
	value := func(n int, mark string) string { return mark + " “" + strings.Repeat("v ", n) + "v” end." }
	for name, text := range map[string]func(n int, mark string) string{"prose": prose, "values": value} {
		for _, n := range []int{2, 5, 9, 14, 30, 55, 200} {
			r := everything()
			r.Title, r.Summary, r.Urgency.Why = text(4, "title"), text(n, "what"), text(n, "why")
			r.Shown = []*pb.Finding{{Statement: text(n, "shown")}, {Statement: "brief"}}
			r.NotShown, r.HarmlessIf = []string{text(n, "notshown")}, []string{text(n, "harmless")}
			r.Actions = []*pb.Action{{Title: text(n, "first")}, {Title: text(n, "second")}, {Title: "never"}}
			for format, f := range map[string]Format{"markdown": Markdown, "text": Text, "html": HTML} {
				screen := render(t, f, r)
				for _, end := range []string{"\n## ", "\nDETAILS", "</header>"} {
					screen, _, _ = strings.Cut(screen, end)
				}
				for mark := range strings.FieldsSeq("title what why expired shown notshown harmless first second") {
					if !strings.Contains(screen, mark) {
						t.Errorf("%s of %d words, %s: no %q in\n%s", name, n, format, mark, screen)
					}
				}
				level, why := strings.Index(screen, "RECORD, LATE"), strings.Index(screen, "why")
				if title := strings.Index(screen, "what"); level < 0 || why < level || title < why || strings.Contains(screen, "never") {
					t.Errorf("%s of %d words, %s: the order of\n%s", name, n, format, screen)
				}
				if n > 2 && f == Markdown && len(strings.Fields(screen)) > 95 { // marks of ours among them
					t.Errorf("%s of %d words: %d on\n%s", name, n, len(strings.Fields(screen)), screen)
				}
			}
			if _, details, _ := strings.Cut(render(t, Markdown, r), "## Details"); !strings.Contains(details, "why") {
				t.Errorf("%s of %d words: no reason among the details", name, n)
			}
		}
	}
}

// TestFirstScreenStandIns: where the first of each kind are too long together, shorter ones
// stand in, so that every kind is there.
func TestFirstScreenStandIns(t *testing.T) {
	r := everything()
	w := func(n int, mark string) string { return mark + strings.Repeat(" w", n-1) }
	r.Title, r.Summary = "title", w(15, "what")
	r.Shown = []*pb.Finding{{Statement: w(8, "shown")}, {Statement: "short"}}
	r.NotShown = []string{w(6, "notshown")}
	r.HarmlessIf = []string{w(30, "wordy"), w(6, "brief")}
	r.Actions = []*pb.Action{{Title: w(4, "first")}, {Title: w(4, "second")}}
	screen, _, _ := strings.Cut(render(t, Markdown, r), "\n## ")
	for mark, want := range map[string]bool{"shown": true, "notshown": true, "brief": true, "first": true, "second": true, "wordy": false} {
		if strings.Contains(screen, mark+" w") != want {
			t.Errorf("%q shown is %t:\n%s", mark, !want, screen)
		}
	}
}

// TestFirstScreenKeepsTheResult: where a summary is cut, what came of it stays, and the object of the
// call with it; what only fills is left out.
func TestFirstScreenKeepsTheResult(t *testing.T) {
	for _, result := range []string{" and was refused (EACCES).", ", which failed (HTTP 500).", ", which was granted (HTTP 101).", ", result unknown."} {
		r := everything()
		r.Host = "node"
		r.Summary = "Kubernetes user “" + strings.Repeat("a ", 9) + "” asked to “create” “" + strings.Repeat("b ", 9) + "” about “x” with a great many more words that say little" + result
		r.Urgency.Why = strings.Repeat("why ", 20) + "."
		r.Shown = []*pb.Finding{{Statement: "No login user.", Evidence: []string{"user.loginuid"}}, {Statement: strings.Repeat("shown ", 20) + "."}}
		screen, _, _ := strings.Cut(render(t, Text, r), "\nDETAILS")
		screen = strings.Join(strings.Fields(screen), " ")
		if !strings.Contains(screen, strings.TrimSuffix(strings.TrimLeft(result, ", "), ".")) || strings.Contains(screen, "No login user") {
			t.Errorf("%s:\n%s", result, screen)
		}
	}
	r := everything()
	r.Host, r.Summary = "node", "“chmod u+s /tmp/x” as “bob” called fchmodat on “/tmp/x” on “node”, result unknown."
	r.Urgency.Why = strings.Repeat("why ", 34) + "."
	screen, _, _ := strings.Cut(render(t, Text, r), "\nDETAILS")
	if screen = strings.Join(strings.Fields(screen), " "); !strings.Contains(screen, "called fchmodat on “/tmp/x”, result unknown.") {
		t.Error(screen)
	}
}
