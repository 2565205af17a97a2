package host

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// self is this test's binary, which is a provider too, as a copy that a test may spoil.
func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cpub-provider-probe")
	if err := os.Link(exe, path); err == nil {
		return path
	}
	b, err := os.ReadFile(exe)
	if err == nil {
		err = os.WriteFile(path, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func diagnose(t *testing.T, o DiagnoseOptions) []Diagnosis {
	t.Helper()
	o.StateDir = t.TempDir()
	all, err := Diagnose(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(o.StateDir + "/bin/*/*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return all
}

// finding is the one of that name.
func finding(t *testing.T, all []sdk.Finding, name string) sdk.Finding {
	t.Helper()
	for _, f := range all {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no %s in %+v", name, all)
	return sdk.Finding{}
}

// Everything that keeps a provider from working is found, its remedy is right, and another instance is looked at all the same.
func TestDiagnose(t *testing.T) {
	good := Instance{Provider: "probe", Name: "good", Path: self(t)}
	missing, notExecutable, notProvider := good, good, good
	missing.Path = filepath.Join(t.TempDir(), "gone")
	notExecutable.Path, notProvider.Path = filepath.Join(t.TempDir(), "file"), filepath.Join(t.TempDir(), "script")
	for path, mode := range map[string]os.FileMode{notExecutable.Path: 0o600, notProvider.Path: 0o755} {
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho I am none\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	oldProtocol := good
	oldProtocol.Path = filepath.Join(t.TempDir(), "old")
	if err := os.WriteFile(oldProtocol.Path, []byte("#!/bin/sh\necho '1|99|unix|/nowhere|grpc|'\nsleep 5\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	otherSum, otherName, wrongConfig, refused, blind := good, good, good, good, good
	blind.Env = map[string]string{roleBlind: "1"}
	otherSum.SHA256 = strings.Repeat("0", 64)
	otherName.Provider = "other"
	wrongConfig.Config = []byte(`{"sice":1}`)
	refused.Config = []byte(`{"fail":"the service is away"}`)
	for _, c := range []struct {
		finding string
		in      Instance
		detail  string
		remedy  string
	}{
		{FindingBinary, missing, "no such file", "install the provider"},
		{FindingBinary, notExecutable, "is no program", "`chmod 755 " + notExecutable.Path + "`"},
		{FindingChecksum, otherSum, "worker.hcl says 0000", "sha256sum"},
		{FindingProtocol, oldProtocol, "another version of the protocol", "made for this one"},
		{FindingStart, notProvider, "starting the provider", "run it by hand"},
		{FindingStart, otherName, `is provider "probe", and not "other"`, "name the right program"},
		{FindingConfig, wrongConfig, "sice", "correct the config block of probe.good"},
		{FindingConfigure, refused, "the service is away", "see what else is wrong"},
		{FindingCheck, blind, "it cannot look", "report it"},
	} {
		t.Run(c.finding+" "+filepath.Base(c.in.Path), func(t *testing.T) {
			second := good
			second.Name = "second"
			all := diagnose(t, DiagnoseOptions{Instances: []Instance{c.in, second}})
			f := finding(t, all[0].Findings, c.finding)
			if f.OK || f.Warning || !strings.Contains(f.Detail, c.detail) || !strings.Contains(f.Remedy, c.remedy) {
				t.Errorf("%+v", f)
			}
			for _, f := range all[1].Findings {
				if !f.OK {
					t.Errorf("the other instance: %+v", f)
				}
			}
			if c.in.Config != nil && !finding(t, all[0].Findings, "all").OK {
				t.Error("the provider was not asked, because it is not configured")
			}
			// What the remedies say: the right program, its sum, its name, and a config block that fits.
			for _, f := range diagnose(t, DiagnoseOptions{Instances: []Instance{good}})[0].Findings {
				if !f.OK {
					t.Errorf("after the remedy: %+v", f)
				}
			}
		})
	}
	program, err := os.ReadFile(good.Path)
	if err != nil {
		t.Fatal(err)
	}
	otherSum.SHA256 = fmt.Sprintf("%x", sha256.Sum256(program))
	if f := finding(t, diagnose(t, DiagnoseOptions{Instances: []Instance{otherSum}})[0].Findings, FindingChecksum); !f.OK {
		t.Errorf("with its sum: %+v", f)
	}
	if err := os.Chmod(notExecutable.Path, 0o755); err != nil {
		t.Fatal(err)
	}
	if f := finding(t, diagnose(t, DiagnoseOptions{Instances: []Instance{notExecutable}})[0].Findings, FindingBinary); !f.OK {
		t.Errorf("after chmod: %+v", f)
	}
}

func TestDiagnoseConfiguration(t *testing.T) {
	good := Instance{Provider: "probe", Name: "good", Path: self(t)}
	wrong := errors.New("worker.hcl:3: no such attribute")
	d := diagnose(t, DiagnoseOptions{Instances: []Instance{good}, Config: func(Instance, sdk.Info) (json.RawMessage, error) { return nil, wrong }})[0]
	if f := finding(t, d.Findings, FindingConfig); f.OK || f.Detail != wrong.Error() {
		t.Errorf("%+v", f)
	}
	d = diagnose(t, DiagnoseOptions{Instances: []Instance{good}, Config: func(i Instance, info sdk.Info) (json.RawMessage, error) {
		if i.ID() != "probe.good" || info.Name != "probe" {
			t.Errorf("asked for %s of %s", i.ID(), info.Name)
		}
		return json.RawMessage(`{}`), nil
	}})[0]
	if !finding(t, d.Findings, FindingConfigure).OK || d.Location != "here" || d.Info.Version != "1.2.3" {
		t.Errorf("%+v", d)
	}
}

func TestVersionFinding(t *testing.T) {
	if f := versionFinding("v0.2.0", ours, "v0.1.0"); f.OK || !f.Warning || !strings.Contains(f.Remedy, "one release") {
		t.Errorf("%+v", f)
	}
	for _, f := range []sdk.Finding{versionFinding("v0.2.0", ours, "v0.2.0"), versionFinding("v0.2.0", "example.com/theirs", "v1.0.0")} {
		if !f.OK || f.Remedy != "" {
			t.Errorf("%+v", f)
		}
	}
}
