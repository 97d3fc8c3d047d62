package attack

import (
	"io/fs"
	"maps"
	"regexp"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

// What ends a sentence. What follows one can begin with the name of a program, in small letters.
var (
	surelyEnds  = regexp.MustCompile(`[.!?]["')]*( ["'(]?[A-Z0-9/]|$)`)
	perhapsEnds = regexp.MustCompile(`[.!?]["')]*( |$)`)
)

// TestDescriptionsHaveTwoToFourSentences holds each against the length that was asked for.
func TestDescriptionsHaveTwoToFourSentences(t *testing.T) {
	all, err := readDescriptions(embeddedDescriptions, "descriptions")
	if err != nil || len(all) < 381 { // 367 techniques and 14 tactics
		t.Fatalf("%d descriptions, %v", len(all), err)
	}
	for id, text := range all {
		if n := len(surelyEnds.FindAllString(text, -1)); n < 2 {
			t.Errorf("%s has %d sentences for sure, want at least 2: %s", id, n, text)
		}
		if n := len(perhapsEnds.FindAllString(text, -1)); n > 4 {
			t.Errorf("%s has perhaps %d sentences, want at most 4: %s", id, n, text)
		}
	}
}

// TestDescriptionsAreYAML holds the parser against a YAML library on the embedded files.
func TestDescriptionsAreYAML(t *testing.T) {
	want := make(map[string]string)
	names, err := fs.Glob(embeddedDescriptions, "descriptions/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(embeddedDescriptions, name)
		if err != nil {
			t.Fatal(err)
		}
		var texts map[string]string
		if err := yaml.Unmarshal(data, &texts); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		maps.Copy(want, texts)
	}
	got, err := readDescriptions(embeddedDescriptions, "descriptions")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 14 {
		t.Errorf("%d descriptions; by YAML -, here +:\n%s", len(got), diff)
	}
}

func TestReadDescriptionsErrors(t *testing.T) {
	const good = "# Comment.\n\nT1001: >-\n  One: #1\n  two.\nTA0001: >-\n  Three.\n"
	for name, tc := range map[string]struct{ first, second, want string }{
		"sound":           {good, "T1002: >-\n  x", ""},
		"twice in a file": {good + good, "", "T1001 is described twice"},
		"twice in two":    {good, good, "second.yaml: line 6: T1001 is described twice"},
		"no text":         {good + "T1002: >-\n\n", "", "line 9: T1002 has no text"},
		"no text at end":  {good, "T1002: >-", "T1002 has no text"},
		"two paragraphs":  {"T1001: >-\n  x\n\n  y\n", "", "line 4: want"},
		"indented more":   {"T1001: >-\n   x\n", "", "line 2: want"},
		"trailing space":  {"T1001: >-\n  x \n", "", "line 2: want"},
		"tab":             {"T1001: >-\n  x\ty\n", "", "line 2: want"},
		"not ASCII":       {"T1001: >-\n  \u2019\n", "", "line 2: want"},
		"another style":   {"T1001: x\n", "", "line 1: want"},
		"not an id":       {"impact: >-\n  x\n", "", "line 1: want"},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{
				"d/first.yaml":  &fstest.MapFile{Data: []byte(tc.first)},
				"d/second.yaml": &fstest.MapFile{Data: []byte(tc.second)},
			}
			_, err := readDescriptions(fsys, "d")
			checkError(t, err, tc.want)
		})
	}
}

// FuzzParseDescriptions wants everything that the parser takes to be the same in YAML.
func FuzzParseDescriptions(f *testing.F) {
	f.Add("# Comment.\n\nT1001: >-\n  One: #1\n  two.\nTA0001: >-\n  Three.")
	f.Add("T1001: >-\n  - a\n  ? b\n  %c\n  ---\n#\n\n\nT1059.004: >-\n  '\n")
	f.Fuzz(func(t *testing.T, file string) {
		got := make(map[string]string)
		if parseDescriptions(file, got) != nil {
			return
		}
		want := make(map[string]string)
		if err := yaml.Unmarshal([]byte(file), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("by YAML -, here +:\n%s", diff)
		}
	})
}
