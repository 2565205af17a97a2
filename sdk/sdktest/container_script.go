package sdktest

import (
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// runsScripts runs shell scripts. The probe's shell knows commands of the probe alone, one a line, and says how it was called.
func runsScripts(t *testing.T, c *containers) {
	const script = "env A\nwrite /tmp/x\n"
	out := c.ok(t, map[string]any{"command": nil, "script": script, "env": map[string]string{"A": "1"}}, "unused")
	holds(t, out.Stdout, "shell -e", "A=1", "write /tmp/x: <nil>")
	// -e: the first command that fails is the last.
	out = c.fails(t, sdk.CodeExit, map[string]any{"command": nil, "script": "env A\nexit 7\nwrite /tmp/x\n"}, "unused")
	if out.ExitCode != 7 || out.Stdout != "shell -e\nA=\nworkdir / uid 0 gid 0\n" {
		t.Errorf("a script whose second command fails exited with %d and printed %q", out.ExitCode, out.Stdout)
	}
	wantKind(t, c.run(map[string]any{"script": script}, "exit", "0"), sdk.KindInvalid)
	wantKind(t, c.run(map[string]any{"command": nil, "script": ""}, "exit", "0"), sdk.KindInvalid)
}
