package container

import (
	"slices"
	"strings"
	"testing"

	"github.com/containers/podman/v5/pkg/specgen"
)

const safeStatus = "Name:\tprobe\nState:\tS (sleeping)\nCapInh:\t0000000000000000\nCapPrm:\t0000000000002000\nCapEff:\t0000000000002000\n" +
	"CapBnd:\t0000000000002000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n"

// safe is a process that is isolated as a step with the capability NET_RAW asks.
func safe(t *testing.T) process {
	t.Helper()
	p, err := parseStatus(safeStatus)
	if err != nil {
		t.Fatal(err)
	}
	p.readOnly, p.userns, p.net, p.interfaces = true, "private", "net:[1]", []string{"lo"}
	return p
}

// TestViolations: each thing that isolates less than was asked for is found, and nothing else is.
func TestViolations(t *testing.T) {
	in, err := decode(t, `{"cap_add":["net_raw"]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := expected{userns: true, seccomp: true, net: "net:[1]"}
	if bad := safe(t).violations(in, want); len(bad) != 0 {
		t.Errorf("violations of a process without any: %q", bad)
	}
	for finding, change := range map[string]func(*process){
		"no_new_privileges (asked true, is false)":                             func(p *process) { p.noNewPrivs = false },
		"read_only (asked true, is false)":                                     func(p *process) { p.readOnly = false },
		"userns (asked one of its own, is the host's)":                         func(p *process) { p.userns = "host" },
		"userns (asked ids of its own, is one with the host's root in it)":     func(p *process) { p.rootIsHost = true },
		"seccomp (asked a filter, is none that filters)":                       func(p *process) { p.seccomp = seccompNone },
		"pid namespace (asked one of its own, is the host's)":                  func(p *process) { p.shared = []string{"pid"} },
		"bounding capabilities (asked CAP_NET_RAW, is CAP_CHOWN, CAP_NET_RAW)": func(p *process) { p.caps["bounding"] = []string{"CAP_CHOWN", "CAP_NET_RAW"} },
		"effective capabilities (asked CAP_NET_RAW, is CAP_CHOWN)":             func(p *process) { p.caps["effective"] = []string{"CAP_CHOWN"} },
		"permitted capabilities (asked CAP_NET_RAW, is CAP_CHOWN)":             func(p *process) { p.caps["permitted"] = []string{"CAP_CHOWN"} },
		"inheritable capabilities (asked CAP_NET_RAW, is CAP_CHOWN)":           func(p *process) { p.caps["inheritable"] = []string{"CAP_CHOWN"} },
		"ambient capabilities (asked CAP_NET_RAW, is CAP_CHOWN)":               func(p *process) { p.caps["ambient"] = []string{"CAP_CHOWN"} },
		"network (asked none, is the host's)":                                  func(p *process) { p.shared = []string{"net"} },
		"network (asked none, has the interfaces eth0)":                        func(p *process) { p.interfaces = []string{"lo", "eth0"} },
		"network (asked the sidecars' net:[1], is net:[2])":                    func(p *process) { p.net = "net:[2]" },
	} {
		p := safe(t)
		change(&p)
		if bad := p.violations(in, want); !slices.Equal(bad, []string{finding}) {
			t.Errorf("found %q, want %q", bad, finding)
		}
	}
}

func TestParseStatus(t *testing.T) {
	p := safe(t)
	if !p.noNewPrivs || p.seccomp != seccompFilter || !slices.Equal(p.capabilities(), []string{"CAP_NET_RAW"}) || len(p.caps["ambient"]) != 0 {
		t.Errorf("%+v", p)
	}
	for _, field := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Seccomp"} {
		if _, err := parseStatus(strings.Replace(safeStatus, field+":", "Other:", 1)); err == nil {
			t.Errorf("a status without %s was taken", field)
		}
	}
}

func TestParseSeccomp(t *testing.T) {
	for config, want := range map[string]int{
		`{"linux":{}}`: seccompNone,
		`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO"}}}`:                                          seccompFilter,
		`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}}`:                                          seccompNone,
		`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"action":"SCMP_ACT_ALLOW"}]}}}`:   seccompNone,
		`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_KILL"}]}}}`:  seccompFilter,
		`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"action":"SCMP_ACT_ALLOW"}]}}}`: seccompFilter,
	} {
		if got, err := parseSeccomp([]byte(config)); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", config, got, err, want)
		}
	}
	if _, err := parseSeccomp([]byte("{")); err == nil {
		t.Error("half a configuration was taken")
	}
}

func TestFilesOfProof(t *testing.T) {
	root := "1 0 0:1 / / rw,relatime - overlay overlay rw\n"
	if rootReadOnly(root) || !rootReadOnly(root+"2 1 0:1 / / ro,relatime - overlay overlay rw\n") || rootReadOnly("2 1 0:1 / /proc ro - proc proc rw\n") {
		t.Error("the root's mount is misread")
	}
	if !rootIsHost("  0  0  4294967295\n") || rootIsHost("  0  1000000  65536\n") || !rootIsHost("0 1000 1\n1 0 1\n") {
		t.Error("the map of ids is misread")
	}
	if got := interfaces("Inter-|   Receive\n face |bytes\n    lo: 0 0\n  eth0: 1 2\n"); !slices.Equal(got, []string{"lo", "eth0"}) {
		t.Errorf("interfaces %q", got)
	}
	if p := (plan{userns: specgen.Namespace{NSMode: specgen.Host}}); p.expects().userns || !p.expects().seccomp {
		t.Errorf("%+v", p.expects())
	}
}
