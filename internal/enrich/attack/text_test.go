package attack

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	long := strings.Repeat("A sentence of thirty bytes is. ", 60)
	for name, tc := range map[string]struct{ in, want string }{
		"empty":                 {" \n\n ", ""},
		"citations":             {"One.(Citation: A) Two (Citation: B (b) C)(Citation: D). Three(Citation: E)four.", "One. Two. Three four."},
		"citation without end":  {"One (Citation: A", "One (Citation: A"},
		"links":                 {"See [Cron](https://x/a_(b)) and [[x]](y), ![img](z), [not](open and [a].", "See Cron and [x], img, [not](open and [a]."},
		"code in a link":        {"[<code>a</code> b](u).", "a b."},
		"code":                  {"Run <code>**\\*.exe `x`</code> or `ls` **now**, not <username> < 3.", "Run **\\*.exe `x` or ls now, not <username> < 3."},
		"code without end":      {"Run <code>x **now**.", "Run x now."},
		"HTML":                  {"a<br />b <A href='x'>c</A> <b>d</b>", "a b c d"},
		"entities":              {"&lt;b&gt; &#92; &amp;lt; a&b; & &#27;[31m.", "<b> \\ &lt; a&b; & [31m."},
		"hidden":                {"a\x00\u202eb\u200b\u00a0c\td\x1b", "ab c d"},
		"paragraphs":            {"One\ntwo.\n\nThree.\r\n", "One two. Three."},
		"list after":            {"One. Such as:\n\n* a\n* b", "One."},
		"list after, no colon":  {"One. They open ports such as\n\n* a", "One."},
		"list after paragraph":  {"One.\n\nThe ways:\n1. a\n2. b", "One."},
		"list after, alone":     {"Such as:\n- a", "Such as."},
		"heading":               {"# Title\nOne.\n### Windows\nTwo.", "Title One."},
		"no list":               {"One *two* 3. 10.11 is.", "One *two* 3. 10.11 is."},
		"long":                  {long, strings.TrimSpace(long[:38*31])},
		"second does not fit":   {"One.\n\n" + long, "One."},
		"no sentences":          {strings.Repeat("word ", 400), strings.TrimSpace(strings.Repeat("word ", 239)) + "…"},
		"no words":              {strings.Repeat("ü", 800), strings.Repeat("ü", 598) + "…"},
		"abbreviation":          {"One. " + strings.Repeat("x ", 590) + "e.g. " + strings.Repeat("y", 50), "One."},
		"just fits":             {strings.Repeat("x", 1199) + ".", strings.Repeat("x", 1199) + "."},
		"sentence just fits":    {strings.Repeat("x", 1199) + ". Two.", strings.Repeat("x", 1199) + "."},
		"quotation at the end":  {"One \"two.\" " + strings.Repeat("x", 1200), "One \"two.\""},
		"brackets without end":  {strings.Repeat("[", 20), strings.Repeat("[", 20)},
		"much more than needed": {strings.Repeat("x. ", maxRawTextBytes), strings.TrimSpace(strings.Repeat("x. ", 400))},
	} {
		t.Run(name, func(t *testing.T) {
			if got := text(tc.in); got != tc.want {
				t.Errorf("got %q\nwant %q", got, tc.want)
			}
		})
	}
}

func FuzzText(f *testing.F) {
	f.Add("One.(Citation: A) [b](c(d)) <code>e</code> `f` **g** &lt; &#x202e;\n\n* h:\n")
	f.Add("![a](b) \u202e\xff <br> 1. [")
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "") // what the JSON decoder lets through
		got := text(s)
		if len(got) > maxTextBytes || !utf8.ValidString(got) || got != line(got) {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	})
}
