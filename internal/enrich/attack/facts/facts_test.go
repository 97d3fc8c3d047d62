package facts_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/enrich/attack/facts"
)

func TestEncodeDecode(t *testing.T) {
	want, err := os.ReadFile("../facts.json")
	if err != nil {
		t.Fatal(err)
	}
	f, err := facts.Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("facts.json changes when it is read and written")
	}
}

func TestDecodeUnknownMember(t *testing.T) {
	if _, err := facts.Decode([]byte(`{"version":"1","colour":"red"}`)); err == nil || !strings.Contains(err.Error(), "colour") {
		t.Errorf("got error %v, want one about colour", err)
	}
}
