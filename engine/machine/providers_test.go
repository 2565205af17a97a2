package machine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/sdk"
)

func TestProvidersIn(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, "cpub-provider-"+name) }
	for _, name := range []string{"s3", "archive", "podman", "greet"} {
		if err := os.WriteFile(path(name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, variable := range podmanEnv() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value) // to have it back
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CONTAINER_HOST", "unix:///mine.sock")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "nobody's business")
	var described []string
	describe := func(_ context.Context, path, scratch string) (sdk.Info, error) {
		described = append(described, filepath.Base(path)+" in "+scratch)
		return sdk.Info{Steps: []sdk.StepType{{Name: "greet"}, {Name: "container_run"}, {Name: "bow"}}}, nil
	}
	got, err := providersIn(t.Context(), []string{dir}, "/scratch", describe)
	want := []config.MachineProvider{
		{Name: "archive", Path: path("archive")},
		{Name: "greet", Path: path("greet"), StepTypes: []string{"bow", "greet"}},
		{Name: "podman", Path: path("podman"), Env: []string{"CONTAINER_HOST=unix:///mine.sock"}},
		{Name: "s3", Path: path("s3")},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if !reflect.DeepEqual(described, []string{"cpub-provider-greet in /scratch"}) {
		t.Errorf("described %v, and ours need not be", described)
	}

	broken := errors.New("broken")
	_, err = providersIn(t.Context(), []string{dir}, "/scratch", func(context.Context, string, string) (sdk.Info, error) { return sdk.Info{}, broken })
	if !errors.Is(err, broken) {
		t.Errorf("a provider that cannot be described: %v", err)
	}
	if _, err = providersIn(t.Context(), []string{t.TempDir()}, "/scratch", describe); err == nil || !strings.Contains(err.Error(), "put cpub-provider-NAME into") {
		t.Errorf("a folder without providers: %v", err)
	}
}
