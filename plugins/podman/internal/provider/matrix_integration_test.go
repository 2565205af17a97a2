//go:build integration

package provider_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

var updateMatrix = flag.Bool("update", false, "write the table of docs/podman.md anew")

// matrixPage is the page that shows the table, between matrixBegin and matrixEnd.
const (
	matrixPage  = "../../../../docs/podman.md"
	matrixBegin = "<!-- the table is written by TestMatrix -->\n"
	matrixEnd   = "<!-- its end -->\n"
)

// cell is one kind of Podman.
type cell struct {
	version  string
	rootless bool
	remote   bool

	*env

	registry sdk.Registry
}

func (c *cell) name() string {
	who, where := "rootful", "local"
	if c.rootless {
		who = "rootless"
	}
	if c.remote {
		where = "ssh"
	}
	return c.version + " " + who + ", " + where
}

// TestMatrix tries every feature on every kind of Podman, and holds the table that users see to what came out.
func TestMatrix(t *testing.T) {
	registry := sdk.Registry{Host: testenv.Services(t).Registry, Insecure: true}
	d := testenv.StartSSHD(t, testenv.SSHDOptions{})
	var cells []*cell
	for _, version := range testenv.PodmanVersions {
		for _, rootless := range []bool{false, true} {
			podman := testenv.StartPodman
			if rootless {
				podman = testenv.StartRootlessPodman
			}
			p := podman(t, version)
			for _, remote := range []bool{false, true} {
				cells = append(cells, openCell(t, p, d, cell{version: version, rootless: rootless, remote: remote, registry: registry}))
			}
		}
	}
	var table strings.Builder
	head, line := "| feature |", "|---|"
	for _, c := range cells {
		head += " " + c.name() + " |"
		line += "---|"
	}
	fmt.Fprintf(&table, "%s\n%s\n", head, line)
	for _, f := range features() {
		fmt.Fprintf(&table, "| %s |", f.name)
		for _, c := range cells {
			t.Run(f.name+"/"+c.name(), func(t *testing.T) { fmt.Fprintf(&table, " %s |", outcome(t, f, c)) })
		}
		table.WriteString("\n")
	}
	holdMatrix(t, table.String())
}

func openCell(t *testing.T, p *testenv.Podman, d *testenv.SSHD, c cell) *cell {
	t.Helper()
	config := map[string]string{"connection": p.URI}
	if c.remote {
		user := "root"
		if c.rootless {
			user = testenv.RootlessUser
			d.AllowUser(t, user)
		}
		config = overSSH(d, user, p)
	}
	c.env = newEnvWith(t, p, config)
	c.Harness = c.connect(t, c.registry)
	return &c
}

// holdMatrix compares the table with the page's.
func holdMatrix(t *testing.T, table string) {
	t.Helper()
	page, err := os.ReadFile(matrixPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), matrixBegin)
	old, after, ok2 := strings.Cut(rest, matrixEnd)
	switch {
	case !ok || !ok2:
		t.Fatalf("%s has no place for the table", matrixPage)
	case *updateMatrix && !t.Failed():
		if err := os.WriteFile(matrixPage, []byte(before+matrixBegin+table+matrixEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case old != table:
		t.Errorf("what works is not what %s says (write it anew with -update):\n%s", matrixPage, table)
	}
}

// reasons are why a feature is refused somewhere: what the refusal says, by the number that the page explains it under.
var reasons = []string{
	"rootless Podman ignores limits",
	"this Podman runs as root",
	"podman_pod with",
	"reading what the OCI runtime was told",
	"needs a Podman on the worker's machine",
}

// outcome is what becomes of a feature: "yes", or the number of the reason for which it is refused. Anything else is a failure of the test.
func outcome(t *testing.T, f feature, c *cell) string {
	err := f.try(t, c)
	if err == nil {
		return "yes"
	}
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind == sdk.KindTransient {
		t.Errorf("%v", err)
		return "?"
	}
	for n, reason := range reasons {
		if strings.Contains(err.Error(), reason) {
			return fmt.Sprintf("no [%d](#%d)", n+1, n+1)
		}
	}
	t.Errorf("refused for a reason that the page does not explain: %v", err)
	return "?"
}

// feature is one row.
type feature struct {
	name string
	try  func(t *testing.T, c *cell) error
}

func features() []feature {
	run := func(more map[string]any, command ...string) func(*testing.T, *cell) error {
		return func(t *testing.T, c *cell) error { return c.runs(t, more, command...) }
	}
	return []feature{
		{"limits of `container_run`, proven before its code starts", func(_ *testing.T, c *cell) error { return c.run(nil, "exit", "0").Err }},
		{"limits of `image_build`", func(t *testing.T, c *cell) error {
			return c.builds(t, "RUN [\"/probe\", \"exit\", \"0\"]\n", map[string]any{})
		}},
		{"isolation alone (`allow_unenforced_limits`)", run(nil, "exit", "0")},
		{"`stdin` longer than a pipe", run(map[string]any{"stdin": strings.Repeat("x", 200<<10)}, "sum")},
		{"`files`, `collect`", filesAndCollect},
		{"`mount` of an artifact", func(t *testing.T, c *cell) error {
			mount := map[string]any{"path": "/in", "artifact": c.Bytes("in", []byte("in"))}
			return c.runs(t, map[string]any{"mount": []any{mount}}, "list", "/in")
		}},
		{"`mount` of a volume", run(map[string]any{"mount": []any{map[string]any{"path": "/v", "volume": "matrix"}}}, "write", "/v/x")},
		{"`userns = \"keep-id\"`", run(map[string]any{"userns": "keep-id"}, "exit", "0")},
		{"`seccomp`: a profile of one's own", run(map[string]any{"seccomp": profile}, "exit", "0")},
		{"`ulimits`", run(map[string]any{"ulimits": map[string]string{"nofile": "100"}}, "exit", "0")},
		{"`healthcheck`", run(map[string]any{"healthcheck": map[string]any{"command": []string{"/probe", "exit", "0"}}}, "exit", "0")},
		{"`sidecar`", func(t *testing.T, c *cell) error {
			beside := map[string]any{"image": c.image(), "command": []string{"sleep", "30"}}
			return c.runs(t, map[string]any{"sidecar": map[string]any{"beside": beside}}, "exit", "0")
		}},
		{"`image_build`, without proven limits", func(t *testing.T, c *cell) error { return c.builds(t, "RUN [\"/probe\", \"exit\", \"0\"]\n", nil) }},
		{"`build_secrets`", func(t *testing.T, c *cell) error {
			text := "RUN --mount=type=secret,id=token [\"/probe\", \"list\", \"/run/secrets/token\"]\n"
			return c.builds(t, text, map[string]any{"build_secrets": map[string]string{"token": "hunter22"}, "allow_unenforced_limits": true})
		}},
		{"`reproducible`", reproducible},
		{"`image_push`, `image_pull`", pushes},
		{"`image_copy` to an archive", func(_ *testing.T, c *cell) error {
			return c.Run(sdktest.Call{Type: "image_copy", Input: map[string]any{"image": c.image()}}).Err
		}},
		{"`podman_pod`", startsPod},
		{"`podman_service`, without systemd on this machine", func(_ *testing.T, c *cell) error {
			return c.Run(sdktest.Call{Type: "podman_service", Input: map[string]any{"name": "matrix", "image": c.image(), "command": []string{"sleep", "30"}}}).Err
		}},
		{"`image_prune`", func(_ *testing.T, c *cell) error {
			return c.Run(sdktest.Call{Type: "image_prune", Input: map[string]any{"dry_run": true}}).Err
		}},
	}
}

// profile forbids one system call that nothing here needs.
const profile = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["swapon"],"action":"SCMP_ACT_ERRNO"}]}`

// runs runs the probe, without limits where the cell has none.
func (c *cell) runs(t *testing.T, more map[string]any, command ...string) error {
	t.Helper()
	in := map[string]any{"time_limit": "60s", "allow_unenforced_limits": c.rootless}
	for k, v := range more {
		in[k] = v
	}
	r := c.run(in, command...)
	if err := c.Release(r.Key); err != nil {
		t.Error(err)
	}
	return r.Err
}

// builds builds from the probe. more is what is asked for beside; nil for a build without limits where the cell has none.
func (c *cell) builds(t *testing.T, instructions string, more map[string]any) error {
	t.Helper()
	if more == nil {
		more = map[string]any{"allow_unenforced_limits": c.rootless}
	}
	r := c.Run(buildCall(t, c.Harness, map[string]string{"Containerfile": "FROM " + probe + "\n" + instructions}, more))
	if r.Err != nil {
		t.Logf("the step's log:\n%s", r.Text("step"))
	}
	if err := c.Release(r.Key); err != nil {
		t.Error(err)
	}
	return r.Err
}

func filesAndCollect(t *testing.T, c *cell) error {
	in := map[string]any{
		"files": map[string]any{"/in/a": c.Bytes("a", []byte("a"))}, "collect": map[string]string{"b": "/out/b"},
		"time_limit": "60s", "allow_unenforced_limits": c.rootless,
	}
	r := c.run(in, "write", "/out/b")
	if r.Err != nil {
		return r.Err
	}
	var out struct {
		Collected map[string]*sdk.Artifact `json:"collected"`
	}
	r.Decode(&out)
	if out.Collected["b"] == nil {
		t.Error("nothing was collected")
	}
	return c.Release(r.Key)
}

// reproducible builds twice.
func reproducible(t *testing.T, c *cell) error {
	var ids []string
	for range 2 {
		more := map[string]any{"reproducible": true, "allow_unenforced_limits": c.rootless}
		r := c.Run(buildCall(t, c.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nCOPY f /f\n", "f": "f"}, more))
		if r.Err != nil {
			return r.Err
		}
		var out built
		r.Decode(&out)
		ids = append(ids, out.Image.ID)
		if err := c.Release(r.Key); err != nil {
			t.Error(err)
		}
	}
	if ids[0] != ids[1] {
		t.Errorf("two images: %v", ids)
	}
	return nil
}

func pushes(_ *testing.T, c *cell) error {
	name := strings.NewReplacer(" ", "-", ",", "", ".", "-").Replace(c.name())
	r := c.Run(sdktest.Call{Type: "image_push", Input: map[string]any{"image": c.image(), "destination": c.registry.Host + "/matrix-" + name + ":1"}})
	if r.Err != nil {
		return r.Err
	}
	var out pushed
	r.Decode(&out)
	rules := sdk.Rules{PullFrom: []string{c.registry.Host + "/*"}}
	return c.Run(sdktest.Call{Type: "image_pull", Input: map[string]any{"reference": out.Reference, "policy": "always"}, Rules: rules}).Err
}

// startsPod starts a pod, and removes it.
func startsPod(_ *testing.T, c *cell) error {
	pod := func(state string) error {
		call := c.podCall(map[string]any{"a": c.member("sleep", "30")}, map[string]any{"state": state, "allow_unenforced_limits": c.rootless})
		return c.Run(call).Err
	}
	if err := pod("running"); err != nil {
		return err
	}
	return pod("absent")
}
