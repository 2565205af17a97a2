package sdktest

import (
	"testing"

	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// TestAbilitiesMayBeLeftOut whole.
func TestAbilitiesMayBeLeftOut(t *testing.T) {
	full := contract.ContainerRun()
	less := full.Without(contract.AbilityCollect, contract.AbilityMount)
	got := offered(t, full, less.Step)
	if got.Input.Attr("collect") != nil || got.Input.Block("mount") != nil || got.Output.Attr("collected") != nil || got.Ability("files") == nil {
		t.Errorf("what is wanted of a provider without them: %+v", got.Abilities)
	}
	covers(t, "input", got.Input, less.Input)
	covers(t, "output", got.Output, less.Output)
	collect := full.Ability("collect_limit")
	all, some := collect.Served(schema.Step{Input: full.Input, Output: less.Output})
	if all || !some {
		t.Error("an ability without its output is taken for whole, or for none")
	}
	if all, some := collect.Served(full.Step); !all || !some {
		t.Error("a whole ability is not seen")
	}
}
