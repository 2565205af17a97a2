package provider

import (
	"testing"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

func TestInfo(t *testing.T) {
	info := New().Info()
	if err := info.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"image_build", "image_push", "image_pull", "container_run"} {
		step := info.Step(name)
		if step == nil || step.Run == nil {
			t.Errorf("%s is not served", name)
			continue
		}
		want, _ := contract.Lookup(name)
		if len(step.Input.Attrs) < len(want.Input.Attrs) || len(step.Output.Attrs) < len(want.Output.Attrs) {
			t.Errorf("%s does not keep to its contract", name)
		}
	}
}

func TestNotConfigured(t *testing.T) {
	p := New()
	if _, err := p.Info().Step("image_push").Run(t.Context(), &sdk.Request{}); err == nil {
		t.Error("a step ran without a configuration")
	}
	if err := p.Release(t.Context(), []string{"k"}); err == nil {
		t.Error("released without a configuration")
	}
	if err := p.Close(); err != nil {
		t.Errorf("closing what was never opened: %v", err)
	}
}
