package sdktest

import (
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// address is where sidecars of the suite listen.
const address = "127.0.0.1:8080"

// checks is a healthcheck that runs the probe with a command.
func checks(command ...string) map[string]any {
	return map[string]any{"command": append([]string{"/probe"}, command...), "interval": "200ms", "timeout": "30s"}
}

// healthchecks tell of a container that it is well, or have it stopped.
func healthchecks(t *testing.T, c *containers) {
	c.ok(t, map[string]any{"healthcheck": checks("exit", "0")}, "sleep", "1")
	res := c.run(map[string]any{"healthcheck": checks("spawn", "1", "env", "HOME")}, "heed", "60")
	wantCode(t, res, sdk.KindPermanent, sdk.CodeUnhealthy)
	c.nothingLeft(t, res.Key)
	if log := res.Text("step"); !strings.Contains(log, "child: <nil>") || !strings.Contains(log, "3 of 3") {
		t.Errorf("the log does not tell what the healthcheck said:\n%s", log)
	}
	out := c.fails(t, sdk.CodeUnhealthy, map[string]any{"healthcheck": checks("exit", "1")}, "stubborn", "60")
	if out.Receipt.EndedBy != contract.EndedByUnhealthy || out.ExitCode != 137 {
		t.Errorf("ended by %q with %d", out.Receipt.EndedBy, out.ExitCode)
	}
	slow := checks("exit", "1")
	slow["start_period"] = "60s"
	c.ok(t, map[string]any{"healthcheck": slow}, "sleep", "1")
	hangs := checks("sleep", "60")
	hangs["timeout"], hangs["retries"] = "500ms", 1
	res = c.run(map[string]any{"healthcheck": hangs}, "heed", "60")
	wantCode(t, res, sdk.KindPermanent, sdk.CodeUnhealthy)
	if !strings.Contains(res.Err.Error(), "500ms") {
		t.Errorf("a check that hangs: %v", res.Err)
	}
	c.nothingLeft(t, res.Key)
	wantKind(t, c.run(map[string]any{"healthcheck": map[string]any{"command": []string{}}}, "exit", "0"), sdk.KindInvalid)
}

// sidecar is one of the probe's image.
func (c *containers) sidecar(more map[string]any, command ...string) map[string]any {
	s := map[string]any{"image": c.reference, "command": command}
	for k, v := range more {
		s[k] = v
	}
	return s
}

// sidecars live beside the container, and with it.
func sidecars(t *testing.T, c *containers) {
	for name, test := range map[string]func(*testing.T, *containers){"serve": sidecarsServe, "fail": sidecarsFail, "end": sidecarsEnd} {
		t.Run(name, func(t *testing.T) {
			test(t, &containers{Harness: c.For(t), Images: c.Images, reference: c.reference})
		})
	}
}

// sidecarsServe: the container starts once they are ready, and reaches them on the loopback without any network. They are gone afterwards.
func sidecarsServe(t *testing.T, c *containers) {
	beside := map[string]any{
		"web":  c.sidecar(map[string]any{"healthcheck": checks("reach", address), "memory": "32m"}, "serve", address, "500", "hello"),
		"idle": c.sidecar(nil, "heed", "600"),
	}
	res := c.run(map[string]any{"sidecar": beside}, "reach", address)
	var out ran
	res.Decode(&out)
	if !strings.Contains(out.Stdout, "says: hello") {
		t.Errorf("it printed %q", out.Stdout)
	}
	for _, line := range []string{"[web] serving " + address + "\n", "[idle] heeding SIGTERM\n", "[idle] terminated\n"} {
		if !strings.Contains(res.Text("step"), line) {
			t.Errorf("no %q in the log:\n%s", line, res.Text("step"))
		}
	}
	if strings.Contains(out.Stdout, "serving") {
		t.Errorf("a sidecar's output is the container's: %q", out.Stdout)
	}
	check(t, c.Release(res.Key))
	c.nothingLeft(t, res.Key)
	// What one listens on is not another step's, nor the host's.
	if out := c.ok(t, nil, "net", address); !strings.Contains(out.Stdout, "unreachable") {
		t.Errorf("another step reached the sidecar: %q", out.Stdout)
	}
}

// sidecarsFail: a sidecar that dies, or never gets ready, fails the step, which says which one and why.
func sidecarsFail(t *testing.T, c *containers) {
	for name, test := range map[string]struct {
		sidecar map[string]any
		want    []string
	}{
		"dies at once":    {c.sidecar(nil, "spawn", "3", "status"), []string{`sidecar "db"`, "exited with 3", "NoNewPrivs"}},
		"dies later":      {c.sidecar(nil, "later", "1500", "exit", "4"), []string{`sidecar "db"`, "exited with 4", "later"}},
		"is never ready":  {c.sidecar(map[string]any{"healthcheck": checks("exit", "1")}, "heed", "600"), []string{`sidecar "db"`, "never got ready", "heeding"}},
		"over its memory": {c.sidecar(nil, "alloc", "400"), []string{`sidecar "db"`, "exited with 137"}},
	} {
		t.Run(name, func(t *testing.T) {
			res := c.run(map[string]any{"sidecar": map[string]any{"db": test.sidecar}}, "heed", "60")
			wantCode(t, res, sdk.KindPermanent, sdk.CodeSidecar)
			for _, want := range test.want {
				if res.Err != nil && !strings.Contains(res.Err.Error(), want) {
					t.Errorf("%v does not say %q", res.Err, want)
				}
			}
			c.nothingLeft(t, res.Key)
		})
	}
	wrong := map[string]any{"db": c.sidecar(map[string]any{"pids": 0}, "heed", "60")}
	wantKind(t, c.run(map[string]any{"sidecar": wrong}, "exit", "0"), sdk.KindInvalid)
	// Only what the policy allows is pulled.
	call := c.call(map[string]any{"sidecar": map[string]any{"db": c.sidecar(map[string]any{"image": c.Images.reference("elsewhere")}, "heed", "60")}}, "exit", "0")
	call.Rules = sdk.Rules{}
	wantCode(t, c.Run(call), sdk.KindPermanent, sdk.CodeDenied)
}

// sidecarsEnd: nothing of them is left by a cancel, and a lost attempt's are adopted with its container.
func sidecarsEnd(t *testing.T, c *containers) {
	beside := map[string]any{"sidecar": map[string]any{
		"web": c.sidecar(map[string]any{"healthcheck": checks("reach", address)}, "serve", address, "0", "hello"),
	}}
	call := c.call(beside, "wait", "6000")
	i := interrupt(t, &call, "line 0", sdk.ErrCancelled)
	res := c.Run(call)
	i.ended(t, res)
	c.nothingLeft(t, res.Key)

	call = c.call(beside, "wait", "30")
	i = interrupt(t, &call, "line 0", sdk.ErrDetached)
	lost := c.Run(call)
	i.ended(t, lost)
	next := c.call(beside, "wait", "30")
	next.Key, next.Attempt, next.Checkpoint = lost.Key, 2, lost.LastCheckpoint()
	var out ran
	c.Run(next).Decode(&out)
	if strings.Count(out.Stdout, "line 0\n") != 1 || strings.Count(out.Stdout, "line ") != 30 {
		t.Errorf("the adopted container printed:\n%s", out.Stdout)
	}
	check(t, c.Release(lost.Key))
	c.nothingLeft(t, lost.Key)
}
