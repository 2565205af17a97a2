package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// TestProviderWithoutAnAbility: what a step's own provider does not serve is told before anything runs; to steps that name no provider all is
// open, since the worker chooses.
func TestProviderWithoutAnAbility(t *testing.T) {
	offer := func(name string, c contract.Type) sdk.Info {
		return sdk.Info{Name: name, Version: "1.0.0", Steps: []sdk.StepType{{Name: c.Name, Doc: c.Doc, Input: c.Input, Output: c.Output}}}
	}
	full := contract.ContainerRun()
	schemas, err := config.FromProviders(offer("plain", full.Without(contract.AbilityFiles, contract.AbilityMount)), offer("podman", full))
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`files = {}`:                                                        "",
		"provider = podman.local\nfiles = {}":                               "",
		"provider = plain.local\nuserns = \"auto\"":                         "",
		"provider = plain.local\nfiles = {}":                                `The provider "plain" serves container_run without "files".`,
		"provider = plain.local\nmount {\npath = \"/a\"\nvolume = \"v\"\n}": `The provider "plain" serves container_run without "mount".`,
		"provider = plain.local\nfile = {}":                                 `Step type "container_run" has no attribute "file".`,
	} {
		dir := t.TempDir()
		source := "pipeline \"p\" {\nstep \"container_run\" \"a\" {\nimage = \"x\"\n" + body + "\n}\n}\n"
		if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		m, diags := config.Load(t.Context(), dir, schemas, config.Options{Version: "0.1.0"})
		if got := render(t, diags, m.Files); want == "" && got != "" || !strings.Contains(got, want) || len(diags) > 1 {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}
