package attack

import (
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	falcoreporterv1 "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

func TestMessage(t *testing.T) {
	d := embedded(t)
	m := d.Message([]string{"T1685.004", "T1059.004", "mitre_execution", "mitre_nonsense", "host"})
	execution, _ := d.Tactic("TA0002")
	shell, _ := d.Technique("T1059.004")
	audit, _ := d.Technique("T1562.012")
	short := func(x *Tactic) *falcoreporterv1.Tactic {
		return &falcoreporterv1.Tactic{Id: x.ID, Name: x.Name, Url: x.URL}
	}
	technique := func(x Technique, tagged string) *falcoreporterv1.Technique {
		out := &falcoreporterv1.Technique{
			Id: x.ID, Name: x.Name, ParentName: x.ParentName, Description: x.Description, Url: x.URL, TaggedId: tagged,
			Tactics: []*falcoreporterv1.Tactic{short(x.Tactics[0])},
		}
		for _, m := range x.Mitigations {
			out.Mitigations = append(out.Mitigations, &falcoreporterv1.Mitigation{Id: m.ID, Name: m.Name, Url: m.URL})
		}
		return out
	}
	described := short(&execution)
	described.Description = execution.Description
	want := &falcoreporterv1.Attack{
		Version:        "18.1",
		Tactics:        []*falcoreporterv1.Tactic{described},
		Techniques:     []*falcoreporterv1.Technique{technique(shell, ""), technique(audit, "T1685.004")},
		UnresolvedTags: []string{"mitre_nonsense"},
	}
	if !proto.Equal(m, want) {
		t.Errorf("got %v\nwant %v", m, want)
	}
}

func TestMessageOfNothing(t *testing.T) {
	d := embedded(t)
	for _, tags := range [][]string{nil, {}, {"container", "host", "impact"}} {
		if m := d.Message(tags); m != nil {
			t.Errorf("%q give %v, want nil", tags, m)
		}
	}
	if m := d.Message([]string{"T9999"}); len(m.GetUnresolvedTags()) != 1 {
		t.Errorf("an unresolved tag alone gives %v", m)
	}
}

func TestMessageRemarks(t *testing.T) {
	d := embedded(t)
	for tag, want := range map[string]string{
		"T1064": "MITRE has deprecated this technique.",
		"T1687": "New in ATT&CK v19.1; v18.1 does not have it.",
		"T1685": "New in ATT&CK v19.1, in place of what v18.1 calls T1562 Impair Defenses, " +
			"T1562.001 Disable or Modify Tools, T1562.006 Indicator Blocking. The text and the mitigations " +
			"are those that v18.1 has for T1562.001, which has the same name. ",
	} {
		if got := d.Message([]string{tag}).GetTechniques()[0].GetDescription(); !strings.HasPrefix(got, want) {
			t.Errorf("the description of %s is %q, want %q first", tag, got, want)
		}
	}
}

// TestMessageOfTheLaterVersion: a technique of v19.1 comes with v19.1's tactics.
func TestMessageOfTheLaterVersion(t *testing.T) {
	m := embedded(t).Message([]string{"T1685"}).GetTechniques()[0]
	if len(m.GetTactics()) != 1 || m.GetTactics()[0].GetName() != "Defense Impairment" || len(m.GetMitigations()) == 0 {
		t.Errorf("got %v", m)
	}
}

func TestMessageIsShared(t *testing.T) {
	d := embedded(t)
	messages := make([]*falcoreporterv1.Attack, 8)
	var wg sync.WaitGroup
	for i := range messages {
		wg.Go(func() {
			messages[i] = d.Message([]string{"T1059", "mitre_execution"})
			if _, err := proto.Marshal(messages[i]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, m := range messages {
		if m == nil || m != messages[0] {
			t.Error("the same tags gave different messages")
		}
	}
}

func BenchmarkMessage(b *testing.B) {
	d := embedded(b)
	b.ReportAllocs()
	for b.Loop() {
		d.Message(falcoTags)
	}
}
