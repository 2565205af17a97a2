package junit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/cmd/cpub/internal/junit"
)

func TestWrite(t *testing.T) {
	var b strings.Builder
	err := junit.Write(&b, []junit.Suite{
		{Name: "a.cpubtest.hcl", Cases: []junit.Case{
			{Name: "good", Elapsed: 1500 * time.Microsecond},
			{Name: `"<bad>"`, Elapsed: time.Millisecond, Failure: &junit.Problem{Message: "Assertion failed", Text: "a < b\x1b[0m"}},
		}},
		{Name: "b.cpubtest.hcl", Cases: []junit.Case{{Name: "wrong", Error: &junit.Problem{Message: "Wrong mock", Text: "x"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="3" failures="1" errors="1" time="0.003">
  <testsuite name="a.cpubtest.hcl" tests="2" failures="1" errors="0" time="0.003">
    <testcase name="good" classname="a.cpubtest.hcl" time="0.002"></testcase>
    <testcase name="&#34;&lt;bad&gt;&#34;" classname="a.cpubtest.hcl" time="0.001">
      <failure message="Assertion failed">a &lt; b�[0m</failure>
    </testcase>
  </testsuite>
  <testsuite name="b.cpubtest.hcl" tests="1" failures="0" errors="1" time="0.000">
    <testcase name="wrong" classname="b.cpubtest.hcl" time="0.000">
      <error message="Wrong mock">x</error>
    </testcase>
  </testsuite>
</testsuites>
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
