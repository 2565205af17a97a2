package sdktest

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// ran are the outputs of container_run.
type ran struct {
	ExitCode  int              `json:"exit_code"`
	Stdout    string           `json:"stdout"`
	Stderr    string           `json:"stderr"`
	Truncated bool             `json:"truncated"`
	Receipt   contract.Receipt `json:"receipt"`

	Collected map[string]*sdk.Artifact `json:"collected"`
}

// containers is the suite of container_run on one image, which the provider is given by its reference.
type containers struct {
	*Harness
	Images

	reference string
}

// ContainerRun is the suite of the contract container_run: what runs, what it sees, what holds it, and what is left of it. It wants
// a host on which the provider can enforce limits. An ability (contract.Ability) is tested where the provider's schema has it.
func ContainerRun(t *testing.T, h *Harness, i Images) {
	i = i.prepared(t)
	reference := i.reference("probe")
	i.put(t, reference, i.image(t, reference))
	for _, test := range []struct {
		name string
		run  func(*testing.T, *containers)
	}{
		{"image", runsImages},
		{"script", runsScripts},
		{"exit", exitCodes},
		{"mistakes", mistakesInRuns},
		{"settings", settingsHold},
		{"stdin", stdinIsWhole},
		{"output", outputIsCapped},
		{"secrets", secretsStaySecret},
		{"isolation", isolates},
		{"memory", limitsMemory},
		{"cpu", limitsCPU},
		{"pids", limitsProcesses},
		{"time_limit", limitsTime},
		{"receipt", receiptTells},
		{"cancel", cancelStops},
		{"adopt", lostIsAdopted},
		{"returned", returnedIsSpent},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, &containers{Harness: h.For(t), Images: i, reference: reference})
		})
	}
	step := h.info.Step("container_run")
	served := offered(t, contract.ContainerRun(), schema.Step{Input: step.Input, Output: step.Output})
	for _, ability := range served.Abilities {
		if test := containerAbilities()[ability.Name]; test != nil {
			t.Run(ability.Name, func(t *testing.T) { test(t, &containers{Harness: h.For(t), Images: i, reference: reference}) })
		}
	}
}

// containerAbilities are the tests of container_run's abilities.
func containerAbilities() map[string]func(*testing.T, *containers) {
	return map[string]func(*testing.T, *containers){
		contract.AbilityFiles:       filesArePut,
		contract.AbilityCollect:     filesAreCollected,
		contract.AbilityMount:       mountsHold,
		contract.AbilityUserns:      usernsHolds,
		contract.AbilitySeccomp:     seccompFilters,
		contract.AbilitySELinux:     selinuxIsNeverIgnored,
		contract.AbilityUlimits:     ulimitsHold,
		contract.AbilityHealthcheck: healthchecks,
		contract.AbilitySidecar:     sidecars,
	}
}

// call runs the probe with a command; further attributes can be added.
func (c *containers) call(more map[string]any, command ...string) Call {
	in := map[string]any{"image": c.reference, "command": command, "time_limit": "60s"}
	for k, v := range more {
		in[k] = v
	}
	return Call{Type: "container_run", Input: in, Rules: c.rules()}
}

func (c *containers) run(more map[string]any, command ...string) *Result {
	return c.Run(c.call(more, command...))
}

// ok runs what must succeed.
func (c *containers) ok(t *testing.T, more map[string]any, command ...string) (out ran) {
	t.Helper()
	res := c.run(more, command...)
	if res.Err != nil {
		t.Fatalf("%q failed: %v\n%s%s", command, res.Err, res.Text("step"), res.Text("stderr"))
	}
	res.Decode(&out)
	return out
}

// fails runs what must fail for good with that code, which leaves nothing, and tells all that is known.
func (c *containers) fails(t *testing.T, code string, more map[string]any, command ...string) (out ran) {
	t.Helper()
	res := c.run(more, command...)
	wantCode(t, res, sdk.KindPermanent, code)
	c.nothingLeft(t, res.Key)
	var e *sdk.Error
	if !errors.As(res.Err, &e) {
		return out
	}
	if err := json.Unmarshal(e.Outputs, &out); err != nil {
		t.Errorf("the failure tells nothing of the container: %v: %s", err, e.Outputs)
	}
	return out
}

// holds checks that a text has these lines, with single spaces for any.
func holds(t *testing.T, text string, lines ...string) {
	t.Helper()
	var have []string
	for l := range strings.Lines(text) {
		have = append(have, strings.Join(strings.Fields(l), " "))
	}
	for _, want := range lines {
		if !slices.Contains(have, want) {
			t.Errorf("no line %q in:\n%s", want, text)
		}
	}
}

func runsImages(t *testing.T, c *containers) {
	holds(t, c.ok(t, nil, "list", "/who").Stdout, "file /who "+c.reference)
	call := c.call(nil, "exit", "0")
	call.Rules = sdk.Rules{}
	res := c.Run(call)
	wantCode(t, res, sdk.KindPermanent, sdk.CodeDenied)
	wantKind(t, c.run(map[string]any{"image": c.Images.reference("none")}, "exit", "0"), sdk.KindPermanent)
	wantKind(t, c.run(map[string]any{"image": sdk.Located{ID: NewKey(), Location: "elsewhere"}}, "exit", "0"), sdk.KindPermanent)
	wantKind(t, c.run(map[string]any{"image": 7}, "exit", "0"), sdk.KindInvalid)
	// By digest, and the image's own command.
	digest := c.put(t, c.reference, c.image(t, "by digest"))
	more := map[string]any{"image": withDigest(c.reference, digest), "command": nil}
	if out := c.ok(t, more); out.Stdout != "probe\n" {
		t.Errorf("the image's own command printed %q", out.Stdout)
	}
}

func exitCodes(t *testing.T, c *containers) {
	if out := c.fails(t, sdk.CodeExit, nil, "exit", "3"); out.ExitCode != 3 || out.Receipt.EndedBy != contract.EndedByExit {
		t.Errorf("exit 3: code %d, ended by %q", out.ExitCode, out.Receipt.EndedBy)
	}
	codes := map[string]any{"success_exit_codes": []int{3, 4}}
	if out := c.ok(t, codes, "exit", "3"); out.ExitCode != 3 {
		t.Errorf("exit 3 as a success: %d", out.ExitCode)
	}
	c.fails(t, sdk.CodeExit, codes, "exit", "0")
	if out := c.fails(t, sdk.CodeExit, nil, "raise", "9"); out.Receipt.EndedBy != contract.EndedBySignal {
		t.Errorf("it killed itself, and was ended by %q", out.Receipt.EndedBy)
	}
}

// mistakesInRuns are the author's or the operator's: no further attempt is made.
func mistakesInRuns(t *testing.T, c *containers) {
	for attr, value := range map[string]any{
		"workdir": "/nowhere", "user": "nobody-has-this-name", "cap_add": []string{"everything"}, "memory": "much", "time_limit": "0s",
		"tmpfs": map[string]string{"relative": "1m"}, "cpus": -1, "pids": 0,
	} {
		res := c.run(map[string]any{attr: value}, "exit", "0")
		if res.Err == nil || kindOf(res.Err) == sdk.KindTransient {
			t.Errorf("%s = %v: %v, want a failure that is not tried again", attr, value, res.Err)
		}
		c.nothingLeft(t, res.Key)
	}
}

func settingsHold(t *testing.T, c *containers) {
	out := c.ok(t, map[string]any{
		"env": map[string]string{"A": "1 2", "B": ""}, "workdir": "/tmp", "user": "1000:1001", "labels": map[string]string{"mine": "yes"},
	}, "env", "A", "B")
	holds(t, out.Stdout, "A=1 2", "B=", "workdir /tmp uid 1000 gid 1001")
	out = c.ok(t, nil, "env", "SDKTEST_LEAK")
	holds(t, out.Stdout, "SDKTEST_LEAK=", "workdir / uid 0 gid 0")
}

// stdinIsWhole gives ten containers at once their input: none loses a byte.
func stdinIsWhole(t *testing.T, c *containers) {
	text := strings.Repeat("0123456789abcdef", 8<<10)
	var all sync.WaitGroup
	for n := range 10 {
		all.Go(func() {
			in := strconv.Itoa(n) + text
			res := c.run(map[string]any{"stdin": in}, "cat")
			if got := res.Text("stdout"); res.Err != nil || got != in {
				t.Errorf("container %d gave back %d bytes of %d: %v", n, len(got), len(in), res.Err)
			}
		})
	}
	all.Wait()
	if out := c.ok(t, nil, "cat"); out.Stdout != "" {
		t.Errorf("without an input it read %q", out.Stdout)
	}
	exact := "{\"a\":1}\nlast \x01\x02 line without an end"
	if out := c.ok(t, map[string]any{"stdin": exact}, "cat"); out.Stdout != exact {
		t.Errorf("it read %q, want %q", out.Stdout, exact)
	}
}

// outputIsCapped in the outputs, and whole in the log.
func outputIsCapped(t *testing.T, c *containers) {
	res := c.run(map[string]any{"output_limit": "1KiB"}, "spam", "300000")
	var out ran
	res.Decode(&out)
	if len(out.Stdout) != 1024 || len(out.Stderr) != 1024 || !out.Truncated {
		t.Errorf("%d and %d bytes, truncated %v; want 1024 and 1024", len(out.Stdout), len(out.Stderr), out.Truncated)
	}
	const each = 64 * ((300000 + 63) / 64)
	log, err := os.ReadFile(res.Path("log"))
	check(t, err)
	if len(log) != 2*each || len(res.Text("stdout")) != each || len(res.Text("stderr")) != each {
		t.Errorf("the log has %d bytes, the live log %d and %d, want twice %d", len(log), len(res.Text("stdout")), len(res.Text("stderr")), each)
	}
	few := c.run(nil, "spam", "64")
	few.Decode(&out)
	line := strings.Repeat("x", 63) + "\n"
	if out.Stdout != line || out.Stderr != line || out.Truncated {
		t.Errorf("a line each: %+v", out)
	}
}

// isolates tells what a container may do that was given nothing.
func isolates(t *testing.T, c *containers) {
	none := "0000000000000000"
	out := c.ok(t, nil, "status")
	holds(t, out.Stdout, "CapEff: "+none, "CapPrm: "+none, "CapBnd: "+none, "CapInh: "+none, "CapAmb: "+none, "NoNewPrivs: 1")
	if l := out.Receipt.Limits; len(l.Capabilities) != 0 || !l.NoNewPrivileges || !l.ReadOnly || l.Network != "none" {
		t.Errorf("limits that were read back: %+v", l)
	}
	out = c.ok(t, map[string]any{"cap_add": []string{"net_raw", "chown"}, "cap_drop": []string{"chown"}}, "status")
	holds(t, out.Stdout, "CapBnd: 0000000000002000")
	if got := out.Receipt.Limits.Capabilities; len(got) != 1 || got[0] != "CAP_NET_RAW" {
		t.Errorf("capabilities in the receipt: %v", got)
	}
	out = c.ok(t, nil, "net", "192.0.2.1:80")
	if !strings.HasPrefix(out.Stdout, "interface lo\nunreachable: ") {
		t.Errorf("the network of a container without one:\n%s", out.Stdout)
	}
	out = c.ok(t, nil, "write", "/etc/x", "/tmp/x")
	holds(t, out.Stdout, "write /etc/x: open /etc/x: read-only file system", "write /tmp/x: <nil>")
	out = c.ok(t, nil, "mounts")
	if !strings.Contains(out.Stdout, "/tmp tmpfs rw,nosuid,nodev") {
		t.Errorf("/tmp is no tmpfs:\n%s", out.Stdout)
	}
	out = c.ok(t, map[string]any{"read_only": false, "tmpfs": map[string]string{"/tmp/deep": "1m"}}, "write", "/etc/x", "/tmp/deep/x")
	holds(t, out.Stdout, "write /etc/x: <nil>", "write /tmp/deep/x: <nil>")
	if out.Receipt.Limits.ReadOnly {
		t.Error("the receipt says that a writable root is read-only")
	}
}

// soon is what "within seconds" means to the suite, on a machine that has other things to do.
const soon = 15 * time.Second
