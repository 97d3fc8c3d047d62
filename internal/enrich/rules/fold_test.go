package rules_test

import (
	"strconv"
	"testing"
)

func TestConditionIsFolded(t *testing.T) {
	for in, want := range map[string]string{
		"  a\n\t and\r\n  b  ":       "a and b",
		`a =   "x  'y" and  'p  "q'`: `a = "x  'y" and 'p  "q'`,
		`a = "x \"  y"   b`:          `a = "x \"  y" b`,
		`a = "x  y   z`:              `a = "x y z`,
		`a  = '\'\'\'`:               `a = '\'\'\'`,
		`a="x"  "y"z`:                `a="x" "y"z`,
		`a  ="`:                      `a ="`,
		`"`:                          `"`,
	} {
		// Go's quotes are YAML's for these.
		set, _, err := load(t, "- rule: r\n  desc: d\n  output: o\n  priority: INFO\n  condition: "+strconv.Quote(in)+"\n")
		r, _ := set.Rule("r")
		if err != nil || r.Condition != want {
			t.Errorf("condition %q of %q; want %q (error %v)", r.Condition, in, want, err)
		}
	}
}
