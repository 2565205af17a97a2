package catalog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

func TestLoadWithoutProviders(t *testing.T) {
	c, err := Load(t.Context(), Options{Folders: []string{filepath.Join(t.TempDir(), "missing")}})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Steps) != len(contract.All()) || len(c.Providers) != 0 {
		t.Errorf("got %d steps of %d providers", len(c.Steps), len(c.Providers))
	}
	if s := c.Step("container_run"); s == nil || s.Input.Attr("memory") == nil || s.Providers != nil {
		t.Errorf("container_run is not the contract's: %+v", s)
	}
	if c.Step("nonsense") != nil {
		t.Error("there is a step type nonsense")
	}
	if got := c.Describe(); !strings.Contains(got, "standard contracts") {
		t.Errorf("got %q", got)
	}
}

// describer answers for a binary by its name, and counts.
type describer struct{ calls atomic.Int32 }

func (d *describer) describe(_ context.Context, path string) (sdk.Info, error) {
	d.calls.Add(1)
	name := strings.TrimPrefix(filepath.Base(path), host.Prefix)
	if name == "broken" {
		return sdk.Info{}, errors.New("it does not start")
	}
	own := schema.Object{Attrs: []schema.Attr{{Name: "only_" + name, Type: cty.List(cty.String), Doc: "Of " + name}}}
	return sdk.Info{Name: name, Version: "1.2.3", Config: own, Steps: []sdk.StepType{
		{Name: "image_build", Doc: "Builds", Input: contract.ImageBuild().Input.With(own.Attrs...), Output: contract.ImageBuild().Output},
		{Name: name + "_only", Input: own},
	}}, nil
}

func TestLoadDescribesOnce(t *testing.T) {
	first, second, cache := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "cache")
	binary(t, first, "cpub-provider-a", "A", 0o755)
	binary(t, second, "cpub-provider-a", "another A, hidden by the first", 0o755)
	binary(t, second, "cpub-provider-b", "B", 0o755)
	binary(t, second, "cpub-provider-c.sha256", "no program", 0o755)
	binary(t, second, "cpub-provider-d", "no program", 0o644)
	binary(t, second, "cpub-worker", "no provider", 0o755)

	d := &describer{}
	o := Options{Folders: []string{first, second}, Cache: cache, Describe: d.describe}
	fresh, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if d.calls.Load() != 2 || len(fresh.Providers) != 2 {
		t.Fatalf("%d binaries were asked, %d providers found", d.calls.Load(), len(fresh.Providers))
	}
	if s := fresh.Step("image_build"); s.Input.Attr("only_a") == nil || !reflect.DeepEqual(s.Providers, []string{"a", "b"}) {
		t.Errorf("image_build is not the first provider's: %+v", s.Providers)
	}
	if fresh.Step("container_run") == nil || fresh.Step("b_only") == nil {
		t.Error("a contract, or a provider's own type, is missing")
	}
	if got := fresh.Describe(); got != "the providers a 1.2.3, b 1.2.3" {
		t.Errorf("got %q", got)
	}

	cached, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if d.calls.Load() != 2 {
		t.Error("a binary was asked again")
	}
	for _, s := range fresh.Steps {
		want, err := s.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := cached.Step(s.Name).Digest(); err != nil || got != want {
			t.Errorf("%s differs in the cache: %v", s.Name, err)
		}
	}

	binary(t, second, "cpub-provider-b", "B, rebuilt", 0o755)
	if err := os.WriteFile(filepath.Join(cache, cacheFormat, fresh.Providers[0].SHA256+".json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(t.Context(), o); err != nil || d.calls.Load() != 4 {
		t.Errorf("a changed binary and a broken cache: %d calls, %v", d.calls.Load(), err)
	}
}

func TestLoadSaysWhichProviderIsBroken(t *testing.T) {
	dir := t.TempDir()
	binary(t, dir, "cpub-provider-broken", "X", 0o755)
	d := &describer{}
	_, err := Load(t.Context(), Options{Folders: []string{dir}, Describe: d.describe})
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "cpub-provider-broken")) || !strings.Contains(err.Error(), "does not start") {
		t.Errorf("got %v", err)
	}
}

func binary(t *testing.T, dir, name, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}
