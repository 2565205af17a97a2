//go:build integration

package provider_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// podOutput is podman_pod's.
type podOutput struct {
	Pod   *sdk.Located
	Name  string
	Ports []struct {
		HostIP        string `json:"host_ip"`
		HostPort      int    `json:"host_port"`
		ContainerPort int    `json:"container_port"`
		Protocol      string
	}
	Containers map[string]string
	Changed    bool
}

func TestPod(t *testing.T) {
	cases := []struct {
		name string
		test func(t *testing.T, e *env)
	}{
		{"life", podLife},
		{"confined", podConfined},
		{"replace", podReplace},
		{"rolled back", podRolledBack},
		{"lost attempts", podLost},
		{"cancel", podCancel},
		{"foreign", podForeign},
		{"restart", podRestart},
		{"share", podShare},
		{"sweep", podSweep},
		{"mistakes", podMistakes},
	}
	eachVersion(t, func(t *testing.T, e *env) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				c.test(t, e)
				e.removePods(t)
			})
		}
	})
}

// removePods removes all pods. Podman 4.3.1 may fail once, while it is still cleaning up containers that have just ended.
func (e *env) removePods(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		_, err := e.podman.Try("pod", "rm", "--all", "--force", "--time=0")
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// podCall is a call about the pod `web`.
func (e *env) podCall(containers map[string]any, more map[string]any) sdktest.Call {
	in := map[string]any{"name": "web", "container": containers, "grace": "1s"}
	for k, v := range more {
		in[k] = v
	}
	return sdktest.Call{Type: "podman_pod", Input: in}
}

func (e *env) member(command ...string) map[string]any {
	return map[string]any{"image": e.image(), "command": command}
}

// server is a container that answers on a port with a text, and tells whether it does.
func (e *env) server(port int, text string) map[string]any {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	c := e.member("serve", fmt.Sprintf(":%d", port), "0", text)
	c["healthcheck"] = map[string]any{"command": []string{"/probe", "reach", address}, "interval": "100ms"}
	return c
}

func podOK(t *testing.T, r *sdktest.Result) podOutput {
	t.Helper()
	var out podOutput
	r.Decode(&out)
	return out
}

// pods lists the pods that there are, by name, with their status.
func (e *env) pods(t *testing.T) string {
	t.Helper()
	return strings.Join(strings.Fields(e.podman.Run(t, "pod", "ps", "--format", "{{.Name}}={{.Status}}")), " ")
}

// reach gives what a published port answers.
func reach(t *testing.T, port int) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// podLife: a pod gets up, answers on the port that Podman chose, is found as it is by the same input, outlives its run, and goes when it is told to.
func podLife(t *testing.T, e *env) {
	call := e.podCall(map[string]any{"app": e.server(8080, "hello"), "side": e.member("sleep", "1000")},
		map[string]any{"network": "bridge", "port": []map[string]any{{"container_port": 8080}}, "labels": map[string]string{"team": "a"}})
	r := e.Run(call)
	out := podOK(t, r)
	if out.Pod == nil || !strings.HasPrefix(out.Name, "web-") || len(out.Containers) != 2 || !out.Changed || len(out.Ports) != 1 {
		t.Fatalf("outputs %+v", out)
	}
	port := out.Ports[0]
	if port.HostIP != "127.0.0.1" || port.ContainerPort != 8080 || port.Protocol != "tcp" || port.HostPort == 0 {
		t.Errorf("published %+v", port)
	}
	if got := reach(t, port.HostPort); got != "hello" {
		t.Errorf("the published port answers %q", got)
	}
	labels := e.podman.Run(t, "inspect", "--format", "{{json .Config.Labels}}", out.Containers["app"])
	for _, want := range []string{`"io.cpub.pod":"web"`, `"io.cpub.key":"` + r.Key, `"io.cpub.run"`, `"io.cpub.step"`, `"team":"a"`} {
		if !strings.Contains(labels, want) {
			t.Errorf("labels %s lack %s", labels, want)
		}
	}
	again := podOK(t, e.Run(call)) // another step, of another key
	if again.Changed || again.Pod.ID != out.Pod.ID || again.Ports[0] != port {
		t.Errorf("the same input gave %+v, and before %+v", again, out)
	}
	if err := e.Release(r.Key); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Sweep(sdk.Sweep{}); err != nil {
		t.Fatal(err)
	}
	if got := reach(t, port.HostPort); got != "hello" {
		t.Errorf("after its run's end the pod answers %q", got)
	}
	absent := sdktest.Call{Type: "podman_pod", Input: map[string]any{"name": "web", "state": "absent"}}
	if gone := podOK(t, e.Run(absent)); !gone.Changed || gone.Pod != nil {
		t.Errorf("removing gave %+v", gone)
	}
	if gone := podOK(t, e.Run(absent)); gone.Changed {
		t.Errorf("removing nothing gave %+v", gone)
	}
	e.assertNothingLeft(t, r.Key)
	if left := e.pods(t); left != "" {
		t.Errorf("pods are left: %s", left)
	}
}

// podConfined: each container has the limits and the confinement of container_run.
func podConfined(t *testing.T, e *env) {
	a := e.member("sleep", "1000")
	a["mount"] = []map[string]any{{"path": "/data", "volume": "pod-data", "read_only": true}}
	out := podOK(t, e.Run(e.podCall(map[string]any{"a": a}, nil)))
	id := out.Containers["a"]
	got := e.podman.Run(t, "inspect", "--format", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.NetworkMode}} {{.EffectiveCaps}}", id)
	if !strings.HasPrefix(got, "134217728 256 true") || !strings.Contains(got, "[]") {
		t.Errorf("confinement %q", got)
	}
	if vol := e.podman.Run(t, "inspect", "--format", "{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}", id); vol != "volume pod-data /data false" {
		t.Errorf("mounts %q", vol)
	}
	status := e.podman.Run(t, "exec", id, "/probe", "status")
	for _, line := range []string{"CapEff: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2"} {
		has(t, status, line)
	}
	if strings.Contains(strings.Join(strings.Fields(status), " "), "uid_map 0 0 4294967295") {
		t.Errorf("the container is root of the host:\n%s", status)
	}
	if nets := e.podman.Run(t, "exec", id, "/probe", "net", "127.0.0.1:1"); strings.Contains(nets, "eth0") {
		t.Errorf("network none has interfaces:\n%s", nets)
	}
}

// podReplace: another input replaces the pod, on the same port.
func podReplace(t *testing.T, e *env) {
	port := freePort(t)
	call := func(text string) sdktest.Call {
		return e.podCall(map[string]any{"app": e.server(8080, text)}, map[string]any{
			"network": "bridge", "port": []map[string]any{{"container_port": 8080, "host_port": port}},
		})
	}
	first := podOK(t, e.Run(call("one")))
	second := podOK(t, e.Run(call("two")))
	if first.Pod.ID == second.Pod.ID || !second.Changed {
		t.Errorf("first %+v, then %+v", first, second)
	}
	if got := reach(t, port); got != "two" {
		t.Errorf("the port answers %q", got)
	}
	if got := e.pods(t); got != second.Name+"=Running" {
		t.Errorf("pods %q", got)
	}
}

// podRolledBack: a pod that does not get up is removed, and the one before runs again.
func podRolledBack(t *testing.T, e *env) {
	port := freePort(t)
	more := map[string]any{"network": "bridge", "port": []map[string]any{{"container_port": 8080, "host_port": port}}, "start_limit": "3s"}
	first := podOK(t, e.Run(e.podCall(map[string]any{"app": e.server(8080, "one")}, more)))
	ill := e.server(8080, "two")
	ill["healthcheck"] = map[string]any{"command": []string{"/probe", "exit", "1"}, "interval": "100ms"}
	for name, bad := range map[string]map[string]any{"ends": e.member("exit", "3"), "never healthy": ill, "no program": e.member("no-such-command")} {
		r := e.Run(e.podCall(map[string]any{"app": bad}, more))
		if r.Err == nil {
			t.Fatalf("%s: the pod got up", name)
		}
		if got := e.pods(t); got != first.Name+"=Running" {
			t.Errorf("%s: pods %q, want the first one: %v", name, got, r.Err)
		}
		if got := reach(t, port); got != "one" {
			t.Errorf("%s: the port answers %q", name, got)
		}
	}
	// Without one before, nothing stays.
	e.Run(sdktest.Call{Type: "podman_pod", Input: map[string]any{"name": "web", "state": "absent"}})
	failed(t, e.Run(e.podCall(map[string]any{"app": e.member("exit", "3")}, nil)), sdk.CodeExit)
	if got := e.pods(t); got != "" {
		t.Errorf("pods are left: %q", got)
	}
}

// podLost: the attempt is lost while the pod gets up; the next goes on with it.
func podLost(t *testing.T, e *env) {
	lost := e.podCall(map[string]any{"app": e.member("sleep", "1000")}, nil)
	s := whenStarted(t, sdk.ErrDetached)
	lost.Context, lost.Host = s.ctx, whenSaid{s, "waiting for the pod"}
	r := e.Run(lost)
	if r.Err == nil {
		t.Fatal("the detached attempt succeeded")
	}
	before := e.pods(t)
	if !strings.Contains(before, "web-") {
		t.Fatalf("the pod did not outlive its attempt: %q", before)
	}
	next := e.podCall(map[string]any{"app": e.member("sleep", "1000")}, nil)
	next.Key, next.Attempt = r.Key, 2
	out := podOK(t, e.connect(t).Run(next))
	if !out.Changed || e.pods(t) != before {
		t.Errorf("%+v; pods before %q, and now %q", out, before, e.pods(t))
	}
}

func podCancel(t *testing.T, e *env) {
	call := e.podCall(map[string]any{"app": e.member("sleep", "1000")}, nil)
	s := whenStarted(t, sdk.ErrCancelled)
	call.Context, call.Host = s.ctx, whenSaid{s, "waiting for the pod"}
	if r := e.Run(call); r.Err == nil {
		t.Fatal("the cancelled attempt succeeded")
	}
	if got := e.pods(t); got != "" {
		t.Errorf("pods are left: %q", got)
	}
	e.assertNothingLeft(t)
}

// whenSaid is a host that ends the attempt when its progress says so.
type whenSaid struct {
	*started
	when string
}

func (p whenSaid) Progress(q sdk.Progress) {
	if strings.Contains(q.Message, p.when) {
		p.once.Do(func() { close(p.seen); p.cancel(p.cause) })
	}
}

// podForeign: a pod that somebody else made is not touched.
func podForeign(t *testing.T, e *env) {
	e.podman.Run(t, "pod", "create", "--share-parent=false", "--name", "web")
	for _, state := range []string{"running", "absent"} {
		failed(t, e.Run(e.podCall(map[string]any{"app": e.member("sleep", "1000")}, map[string]any{"state": state})), "")
	}
	if got := e.pods(t); got != "web=Created" {
		t.Errorf("pods %q", got)
	}
}

// podRestart: Podman starts a container again that crashes, without systemd.
func podRestart(t *testing.T, e *env) {
	out := podOK(t, e.Run(e.podCall(map[string]any{"app": e.member("sleep", "1000")}, map[string]any{"restart": "on-failure:3"})))
	id := out.Containers["app"]
	// Not `podman kill`, which means what it says.
	pid, err := strconv.Atoi(e.podman.Run(t, "inspect", "--format", "{{.State.Pid}}", id))
	if err != nil || pid < 2 {
		t.Fatalf("pid %d: %v", pid, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		state := e.podman.Run(t, "inspect", "--format", "{{.State.Status}} {{.RestartCount}}", id)
		if state == "running 1" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the container was not started again: %s", state)
		}
	}
}

// podShare: the containers share what they are to share, also memory where Podman can.
func podShare(t *testing.T, e *env) {
	containers := map[string]any{"a": e.server(8080, "loop"), "b": e.member("sleep", "1000")}
	all := map[string]any{"share": []string{"net", "ipc", "uts"}}
	if e.podman.Version == "4.3.1" {
		invalid(t, e.Run(e.podCall(containers, all)), "share")
		all["share"] = []string{"net", "uts"}
	}
	out := podOK(t, e.Run(e.podCall(containers, all)))
	if got := e.podman.Run(t, "exec", out.Containers["b"], "/probe", "reach", "127.0.0.1:8080"); !strings.Contains(got, "says: loop") {
		t.Errorf("over loopback: %q", got)
	}
	ipc := []string{}
	for _, name := range []string{"a", "b"} {
		pid := e.podman.Run(t, "inspect", "--format", "{{.State.Pid}}", out.Containers[name])
		ns, err := os.Readlink("/proc/" + pid + "/ns/ipc")
		if err != nil {
			t.Fatal(err)
		}
		ipc = append(ipc, ns)
	}
	if shared := ipc[0] == ipc[1]; shared == (e.podman.Version == "4.3.1") {
		t.Errorf("ipc namespaces %q", ipc)
	}
}

// podSweep: what an attempt left half-made goes when its run is gone; a whole pod stays.
func podSweep(t *testing.T, e *env) {
	first := podOK(t, e.Run(e.podCall(map[string]any{"app": e.member("sleep", "1000")}, nil)))
	lost := e.podCall(map[string]any{"app": e.member("sleep", "2000")}, nil)
	lost.Run = "dead/1"
	s := whenStarted(t, sdk.ErrDetached)
	lost.Context, lost.Host = s.ctx, whenSaid{s, "stopping the pod"}
	if r := e.Run(lost); r.Err == nil {
		t.Fatal("the detached attempt succeeded")
	}
	if n, err := e.Sweep(sdk.Sweep{LiveRuns: []string{"dead/1"}}); err != nil || n != 0 {
		t.Errorf("swept %d (%v) of a live run", n, err)
	}
	if n, err := e.Sweep(sdk.Sweep{Grace: schema.Duration(time.Hour)}); err != nil || n != 0 {
		t.Errorf("swept %d (%v) within the grace", n, err)
	}
	if n, err := e.Sweep(sdk.Sweep{}); err != nil || n != 1 {
		t.Errorf("swept %d (%v), want the half-made pod", n, err)
	}
	if got := e.pods(t); got != first.Name+"=Running" {
		t.Errorf("pods %q, want the first one", got)
	}
}

func podMistakes(t *testing.T, e *env) {
	app := map[string]any{"app": e.member("sleep", "1000")}
	small := e.member("sleep", "1000")
	small["memory"] = "0"
	for _, c := range []struct {
		containers, more map[string]any
		attr             string
	}{
		{app, map[string]any{"name": "Web!"}, "name"},
		{nil, nil, "container"},
		{app, map[string]any{"restart": "sometimes"}, "restart"},
		{app, map[string]any{"port": []map[string]any{{"container_port": 80}}}, "network"},
		{app, map[string]any{"share": []string{"pid"}}, "share"},
		{app, map[string]any{"labels": map[string]string{"io.cpub.key": "x"}}, "labels"},
		{map[string]any{"app": small}, nil, "container.app.memory"},
	} {
		invalid(t, e.Run(e.podCall(c.containers, c.more)), c.attr)
	}
	if got := e.pods(t); got != "" {
		t.Errorf("pods are left: %q", got)
	}
}

// invalid checks that the step was refused for an attribute.
func invalid(t *testing.T, r *sdktest.Result, attr string) {
	t.Helper()
	e, isOurs := r.Err.(*sdk.Error) //nolint:errorlint // the harness gives the very one
	if !isOurs || e.Kind != sdk.KindInvalid || e.Attr != attr {
		t.Errorf("the step ended with %v (%#v), want a mistake in %q", r.Err, r.Err, attr)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
