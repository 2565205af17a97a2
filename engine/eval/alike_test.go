package eval

import (
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// TestManyAlike makes a set of 10,000 texts, as a for_each takes.
func TestManyAlike(t *testing.T) {
	v, diags := evalText(t, `length(toset(flatten([for i in range(10) : [for j in range(1000) : format("%d-%04d", i, j)]])))`, Inputs{})
	if diags.HasErrors() || !v.RawEquals(cty.NumberIntVal(10_000)) {
		t.Fatalf("%#v, %v", v, diags)
	}
}
