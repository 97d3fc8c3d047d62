package attack

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/falco-reporter/falco-reporter/internal/enrich/attack/facts"
)

// The bundles made by hand: one as of v19, one as of v7.
const (
	bundle21 = "testdata/stix-2.1.json"
	bundle20 = "testdata/stix-2.0.json"
)

// mitreBundle is MITRE's own of v18.1, beside the repository.
const mitreBundle = "../../../../shared/facts/enterprise-attack-18.1.stix.json.gz"

// readTestFile reads a file, and skips the test where MITRE's bundle is missing.
func readTestFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && path == mitreBundle {
		t.Skip("MITRE's bundle of ATT&CK v18.1 is not beside this repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// loadFile loads a bundle.
func loadFile(t testing.TB, path string) *Data {
	t.Helper()
	readTestFile(t, path)
	d, err := LoadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// compress compresses with gzip.
func compress(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestLoad21(t *testing.T) {
	d := loadFile(t, bundle21)
	shell, _ := d.Technique("T1059.004")
	execution, _ := d.Tactic("TA0002")
	want := Technique{
		ID: "T1059.004", Name: "Unix Shell", ParentID: "T1059", ParentName: "Command and Scripting Interpreter",
		Description: "Adversaries may abuse Unix shells.", URL: "https://attack.mitre.org/techniques/T1059/004",
		Tactics: []*Tactic{&execution},
		Mitigations: []Mitigation{
			{"M1038", "Execution Prevention", "https://attack.mitre.org/mitigations/M1038"},
			{"M1042", "Disable or Remove Feature", "https://attack.mitre.org/mitigations/M1042"},
		},
		DetectionStrategies: []DetectionStrategy{{"DET0516", "Behavior of `sh`"}},
		Linux:               true, Version: "19.1",
	}
	if diff := cmp.Diff(want, shell); diff != "" {
		t.Errorf("T1059.004: %s", diff)
	}
	wantTactic := Tactic{
		ID: "TA0112", Shortname: "defense-impairment", Name: "Defense Impairment", Order: 3,
		Description: "The adversary wants defense impairment. Defense Impairment consists of techniques.",
		URL:         "https://attack.mitre.org/tactics/TA0112",
	}
	if x, _ := d.Tactic("TA0112"); x != wantTactic {
		t.Errorf("TA0112 is %+v", x)
	}
	if x, _ := d.Technique("T1059"); x.Name != "Command and Scripting Interpreter" || !x.Containers || len(x.Mitigations) != 0 ||
		x.Description != "Adversaries may abuse Unix Shells such as sh -c <COMMAND>." {
		t.Errorf("T1059 is %+v", x) // not its older version, nor relations that are given up or lead nowhere
	}
	if x, _ := d.Technique("T1999"); !x.Deprecated || x.Revoked {
		t.Errorf("T1999, whose replacement is missing, is %+v", x)
	}
	if _, ok := d.Technique("T1401"); ok || d.Version() != "19.1" || !strings.HasPrefix(d.Notice(), "Copyright 2015-2026, The MITRE Corporation. ") ||
		!strings.HasSuffix(d.Notice(), "with the permission of The MITRE Corporation.") {
		t.Errorf("version %q, notice %q, a technique of Mobile is there: %t", d.Version(), d.Notice(), ok)
	}
	if got := d.Message([]string{"T1064"}).GetTechniques()[0].GetDescription(); got != "This technique has been deprecated. Please use Command and Scripting Interpreter." {
		t.Errorf("the description of T1064 is %q", got)
	}
}

func TestResolveLoaded(t *testing.T) {
	later, earlier := loadFile(t, bundle21), loadFile(t, bundle20)
	for _, tc := range []struct {
		d          *Data
		tags, want string
	}{
		// Of v19: what was revoked, renamed or split since v18.1.
		{later, "T1562.001", "T1685<T1562.001"},
		{later, "T1089", "T1685<T1089"},
		{later, "mitre_exploitation_for_defense_evasion", "T1211"},
		{later, "mitre_stealth TA0112", "TA0005 TA0112"},
		{later, "TA0005-defense-evasion", "TA0005"},
		{later, "mitre_defense_evasion", "?mitre_defense_evasion"},
		{later, "mitre_defense_evasion T1059", "T1059 ?mitre_defense_evasion"},
		{later, "mitre_defense_evasion T1070", "TA0005 T1070"},
		{later, "mitre_defense_evation T1562.001", "TA0112 T1685<T1562.001"},
		{later, "mitre_defense_evasion T1036 T1685", "TA0005 TA0112 T1036 T1685"},
		{later, "T1562.012 T1999", "T1999 ?T1562.012"},
		// Of before v19: what only v19.1 has.
		{earlier, "T1089", "T1562.001<T1089"},
		{earlier, "T1686", "T1562.004<T1686"},
		{earlier, "T1685", "T1685"},
		{earlier, "T1685.001", "T1685.001"}, // what it replaced is not in the bundle
		{earlier, "mitre_stealth TA0112 mitre_defense_evasion", "TA0005"},
		{earlier, "mitre_exploitation_for_stealth", "T1211"},
		{earlier, "mitre_exfiltration TA0010 mitre_remote_service", "?TA0010 ?mitre_exfiltration ?mitre_remote_service"},
	} {
		if got := spell(tc.d.Resolve(strings.Split(tc.tags, " "))); got != tc.want {
			t.Errorf("in v%s, %s resolve to %q, want %q", tc.d.Version(), tc.tags, got, tc.want)
		}
	}
}

func TestLoad20(t *testing.T) {
	d := loadFile(t, bundle20)
	if d.Version() != "unknown" || !strings.HasPrefix(d.Notice(), "Copyright 2015-2020") {
		t.Errorf("version %q, notice %q", d.Version(), d.Notice())
	}
	want := "New in ATT&CK v19.1, in place of what the loaded bundle calls T1562 Impair Defenses, " +
		"T1562.001 Disable or Modify Tools, T1562.006 Indicator Blocking. The text and the mitigations " +
		"are those that the loaded bundle has for T1562.001, which has the same name. Adversaries may disable tools."
	if m := d.Message([]string{"T1685"}); m.GetVersion() != "unknown" || m.GetTechniques()[0].GetDescription() != want {
		t.Errorf("T1685 gives %v", m)
	}
	if x, _ := d.Technique("T1059"); x.Version != "unknown" || len(x.Mitigations) != 1 {
		t.Errorf("T1059 is %+v", x)
	}
}

// TestLoadMITRE wants of MITRE's bundle of v18.1 exactly the embedded facts, which were made of
// it in another way, and MITRE's texts.
func TestLoadMITRE(t *testing.T) {
	b, err := readBundle(bytes.NewReader(readTestFile(t, mitreBundle)), maxBundleBytes, maxZippedBytes)
	if err != nil {
		t.Fatal(err)
	}
	known, err := facts.Decode(embeddedFacts)
	if err != nil {
		t.Fatal(err)
	}
	src, err := b.source(known)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newData(src)
	if err != nil {
		t.Fatal(err)
	}
	about := []string{"Released", "Source", "Notice", "NextSource", "NextRevokedSource", "TagSources", "FalcoTechniques"}
	if diff := cmp.Diff(known, src.file, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(facts.File{}, about...)); diff != "" {
		t.Errorf("embedded -, bundle +:\n%s", diff)
	}
	for id, x := range d.techniques {
		if x.Version == "18.1" && !x.Revoked && (len(x.Description) < 60 || len(x.Description) > maxTextBytes) {
			t.Errorf("the description of %s has %d bytes", id, len(x.Description))
		}
	}
	for id, text := range src.descriptions {
		for _, rest := range []string{"(Citation", "](", "<code>", "`", "&lt;", "\n"} {
			if strings.Contains(text, rest) {
				t.Errorf("the description of %s has %q in it: %s", id, rest, text)
			}
		}
	}
	sameTags(t, embedded(t), d)
}

// sameTags wants all tags of the facts to resolve to the same.
func sameTags(t *testing.T, want, got *Data) {
	t.Helper()
	var file struct{ Tags []struct{ Tag string } }
	if err := json.Unmarshal(readTestFile(t, "../../../../shared/facts/falco-tags.json"), &file); err != nil {
		t.Fatal(err)
	}
	tags := []string{"T1685", "T1685.004", "mitre_stealth", "mitre_modify_or_spoof_tool_ui", "T1687", "T9999", "T1002"}
	for _, x := range file.Tags {
		tags = append(tags, x.Tag)
	}
	for _, tag := range tags {
		if w, g := spell(want.Resolve([]string{tag})), spell(got.Resolve([]string{tag})); w != g {
			t.Errorf("%s resolves to %q by the bundle, want %q", tag, g, w)
		}
	}
}

func TestLoadFile(t *testing.T) {
	dir := t.TempDir()
	zipped := filepath.Join(dir, "any.name")
	if err := os.WriteFile(zipped, compress(t, readTestFile(t, bundle21)), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := LoadFile(zipped); err != nil || d.Version() != "19.1" {
		t.Errorf("a bundle compressed with gzip gives error %v", err)
	}
	for path, want := range map[string]string{filepath.Join(dir, "none"): "no such file", dir: "is a directory"} {
		_, err := LoadFile(path)
		checkError(t, err, want)
		checkError(t, err, path)
	}
}

func TestLoadRefuses(t *testing.T) {
	bundle := string(readTestFile(t, bundle21))
	replace := func(old, by string) string {
		if !strings.Contains(bundle, old) {
			t.Fatalf("the bundle lacks %q", old)
		}
		return strings.ReplaceAll(bundle, old, by)
	}
	zipped := compress(t, []byte(bundle))
	checksum, middle := bytes.Clone(zipped), bytes.Clone(zipped)
	checksum[len(checksum)-6] ^= 1
	for i := range 64 {
		middle[len(middle)/2+i] = 0xff
	}
	for name, tc := range map[string]struct{ in, want string }{
		"empty":                 {"", "it is empty: download it again"},
		"text":                  {"T1059", "neither a JSON object"},
		"array":                 {"[1]", "neither a JSON object"},
		"web page":              {"\n<!DOCTYPE html>", "web page"},
		"Git LFS":               {"version https://git-lfs.github.com/spec/v1\n", "Git LFS"},
		"random JSON":           {`{"type":"x","objects":[{"type":7}]}`, "object 1 is damaged"},
		"other JSON":            {`{"type":"x","objects":[]}`, "no STIX bundle"},
		"JSON without objects":  {`{"type":"bundle"}`, "no STIX bundle"},
		"objects of odd type":   {`{"type":"bundle","objects":{}}`, "no STIX bundle"},
		"objects of odd kind":   {`{"type":"bundle","objects":[1]}`, "object 1 is damaged"},
		"empty bundle":          {`{"type":"bundle","objects":[]}`, "no ATT&CK matrix"},
		"two bundles":           {bundle + bundle, "something follows"},
		"rubbish after":         {bundle + "\x00", "something follows"},
		"double member":         {replace(`"type": "bundle"`, `"type": "bundle", "type": "bundle"`), "not valid JSON at byte"},
		"invalid UTF-8":         {replace("Unix Shell", "Unix \xff"), "not valid JSON at byte"},
		"checksum":              {string(checksum), "gzip"},
		"gzip in the middle":    {string(middle), "download it again"},
		"gzip in gzip":          {string(compress(t, zipped)), "neither a JSON object"},
		"after gzip":            {string(zipped) + "x", "download it again"},
		"Mobile":                {replace(`"external_id": "enterprise-attack"`, `"external_id": "mobile-attack"`), `it is the bundle of "mobile-attack"`},
		"no matrix":             {replace("x-mitre-matrix", "x-matrix"), "no ATT&CK matrix"},
		"no tactics":            {replace(`"x-mitre-tactic"`, `"tactic"`), "0 tactics and "},
		"unknown tactic":        {replace(`"phase_name": "execution"`, `"phase_name": "exec"`), `unknown tactic "exec"`},
		"no parent":             {replace(`"external_id": "T1059"`, `"external_id": "T1060"`), `unknown parent "T1059"`},
		"two of one id":         {replace(`"external_id": "T1070"`, `"external_id": "T1211"`), "are both T1211"},
		"odd id":                {replace(`"external_id": "T1070"`, `"external_id": "T1070x"`), "T1070x"},
		"odd id of a tactic":    {replace(`"external_id": "TA0112"`, `"external_id": "T0112"`), "T0112"},
		"no id":                 {replace(`"external_id": "T1070"`, `"external_id": ""`), "no ATT&CK id"},
		"link to nowhere":       {replace(`"https://attack.mitre.org/techniques/T1070"`, `"javascript:alert(1)"`), "not https"},
		"no name":               {replace(`"Indicator Removal"`, `" \u202e "`), "its name is empty"},
		"short name":            {replace(`"x_mitre_shortname": "stealth"`, `"x_mitre_shortname": "Stealth!"`), "its short name"},
		"odd type of a member":  {replace(`"x_mitre_platforms": ["Linux"]`, `"x_mitre_platforms": "Linux"`), "is damaged"},
		"odd time":              {replace(`"2019-01-01T00:00:00.000Z"`, `"yesterday"`), "is damaged"},
		"no STIX id":            {replace(`"id": "attack-pattern--t1070"`, `"id": ""`), "no id"},
		"a huge object":         {`{"x":"` + strings.Repeat("x", maxObjectBytes) + `"}`, "more than 16 MiB"},
		"a huge object inside":  {`{"type":"bundle","objects":[{"x":"` + strings.Repeat("x", maxObjectBytes) + `"}]}`, "more than 16 MiB"},
		"brackets without end":  {`{"objects":` + strings.Repeat("[", 1<<20), "not valid JSON"},
		"replacements in rings": {replace(`"target_ref": "attack-pattern--t1685"`, `"target_ref": "attack-pattern--t1089"`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := LoadSTIX(strings.NewReader(tc.in))
			checkError(t, err, tc.want)
			if err != nil && (d != nil || len(err.Error()) > 500) {
				t.Errorf("refused, but with Data or at length: %v", err)
			}
		})
	}
}

// TestLoadTruncated cuts a bundle off everywhere, compressed and not.
func TestLoadTruncated(t *testing.T) {
	plain := bytes.TrimSpace(readTestFile(t, bundle20))
	for _, whole := range [][]byte{plain, compress(t, plain)} {
		for n := 1; n < len(whole); n += 1 + len(whole)/300 {
			if _, err := LoadSTIX(bytes.NewReader(whole[:n])); err == nil || !strings.Contains(err.Error(), "download it again") && n > 1 {
				t.Fatalf("the first %d of %d bytes give error %v", n, len(whole), err)
			}
		}
	}
}

// TestBounds reads what never ends, under bounds lower than the real ones to save time.
func TestBounds(t *testing.T) {
	const most = 1 << 20
	begin, object, empty := []byte(`{"type":"bundle","objects":[`), []byte(`{"x":"`+strings.Repeat("x", 1000)+`"},`), compress(t, nil)
	objects := compress(t, bytes.Repeat(object, 1000)) // a hundred times smaller
	for name, tc := range map[string]struct {
		in   io.Reader
		want string
	}{
		"objects":             {io.MultiReader(bytes.NewReader(begin), &repeated{data: object}), "more than 256 MiB uncompressed"},
		"objects, compressed": {io.MultiReader(bytes.NewReader(compress(t, begin)), &repeated{data: objects}), "more than 256 MiB uncompressed"},
		"nothing, compressed": {&repeated{data: empty}, "more than 64 MiB compressed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readBundle(tc.in, most, most)
			checkError(t, err, tc.want)
		})
	}
	var many strings.Builder
	for i := range maxKept + 1 {
		fmt.Fprintf(&many, `,{"type":"relationship","relationship_type":"mitigates","id":"%d"}`, i)
	}
	_, err := LoadSTIX(strings.NewReader(`{"type":"bundle","objects":[` + many.String()[1:] + `]}`))
	checkError(t, err, "ten times those of ATT&CK")
}

// repeated gives the same bytes again and again.
type repeated struct {
	data []byte
	at   int
}

// Read implements [io.Reader].
func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.data[r.at:])
	r.at = (r.at + n) % len(r.data)
	return n, nil
}

func TestReadErrorIsKept(t *testing.T) {
	broken := errors.New("the disk is on fire")
	for _, n := range []int64{0, 1, 40, 4000} {
		in := io.LimitReader(bytes.NewReader(readTestFile(t, bundle21)), n)
		if _, err := LoadSTIX(io.MultiReader(in, failing{broken})); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: got error %v, want the reader's", n, err)
		}
	}
}

// failing fails.
type failing struct{ err error }

// Read implements [io.Reader].
func (f failing) Read([]byte) (int, error) { return 0, f.err }

func FuzzLoadSTIX(f *testing.F) {
	for _, path := range []string{bundle20, bundle21} {
		data := readTestFile(f, path)
		f.Add(data)
		f.Add(compress(f, data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := LoadSTIX(bytes.NewReader(data))
		if err != nil {
			if d != nil {
				t.Error("refused, but with Data")
			}
			return
		}
		for id, x := range d.techniques {
			if got := d.Resolve([]string{id}).Techniques; len(got) != 1 || got[0].Revoked {
				t.Errorf("%s resolves to %v", id, got)
			}
			if _, err := json.Marshal(x); err != nil || strings.ContainsAny(x.Name+x.Description, "\n\x1b\u202e") {
				t.Errorf("%s is %q: %q", id, x.Name, x.Description)
			}
		}
	})
}

// watched looks at the heap as it is read.
type watched struct {
	r    io.Reader
	n    int
	peak uint64
}

// Read implements [io.Reader].
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if w.n += n; w.n > 256<<10 {
		w.n, w.peak = 0, max(w.peak, heap())
	}
	return n, err
}

// heap is the bytes of the heap in use, rubbish that was not collected yet included.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkLoadMITRE shows the time and what the heap grows by, at its highest and in the end.
func BenchmarkLoadMITRE(b *testing.B) {
	data := readTestFile(b, mitreBundle)
	b.ReportAllocs()
	var peak, kept uint64
	for b.Loop() {
		runtime.GC()
		before := heap()
		w := &watched{r: bytes.NewReader(data)}
		d, err := LoadSTIX(w)
		if err != nil {
			b.Fatal(err)
		}
		w.peak = max(w.peak, heap())
		runtime.GC()
		peak, kept = max(peak, w.peak-before), heap()-before
		runtime.KeepAlive(d)
	}
	b.ReportMetric(float64(peak)/1e6, "peak-MB")
	b.ReportMetric(float64(kept)/1e6, "kept-MB")
}
