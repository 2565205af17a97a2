package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

func operator() *Policy {
	return &Policy{
		StepTypes: []string{"podman_pod", "container_run.gpu"},
		Buckets:   []string{"functions", "team-*"},
		Networks:  []string{"egress"},
		CapAdd:    []string{"NET_BIND_SERVICE"},
		Registries: Registries{
			Pull: []string{"localhost:5000/*"}, Push: []string{"localhost:5000/team/*"}, From: []string{"localhost:5000/base:*"},
		},
		Max: Max{
			Memory: 1 << 30, CPUs: 2, Pids: 1024, TimeLimit: schema.Duration(600e9), Collect: 1 << 30,
		},
		Volumes: []string{"cache-*"}, HostPaths: []string{"/srv/data", "/srv/cache:rw"},
		Seccomp: []string{"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}, SELinux: []string{"type:container_t"},
		Source: "worker.hcl:10",
		Rules:  map[string]string{"max.memory": "worker.hcl:20"},
	}
}

func TestCheckAllows(t *testing.T) {
	tests := []struct{ name, stepType, input string }{
		{"located image, defaults", "container_run", `{"image":{"id":"abc","location":"x"}}`},
		{"reference", "container_run", `{"image":"localhost:5000/team/fn@sha256:0","memory":"1g","cpus":2,"pids":1024,"time_limit":"10m"}`},
		{"network", "container_run", `{"image":"localhost:5000/a","network":"egress"}`},
		{"capability in any spelling", "container_run", `{"image":"localhost:5000/a","cap_add":["cap_net_bind_service"]}`},
		{"nulls are left out", "container_run", `{"image":"localhost:5000/a","network":null,"memory":null,"devices":null}`},
		{"named extension", "container_run", `{"image":"localhost:5000/a","gpu":1}`},
		{"bucket", "object_fetch", `{"bucket":"functions","key":"k"}`},
		{"bucket by pattern", "object_put", `{"bucket":"team-a","key":"k"}`},
		{"push", "image_push", `{"image":{"id":"a","location":"x"},"destination":"localhost:5000/team/fn:1"}`},
		{"build with short tag", "image_build", `{"context":{"digest":"sha256:0"},"tags":["fn:latest","localhost/fn"]}`},
		{"copy", "image_copy", `{"source":"localhost:5000/a:1","destination":"localhost:5000/team/a:1"}`},
		{"copy to an archive", "image_copy", `{"source":"localhost:5000/a@sha256:0","destination":null}`},
		{"copy from an archive", "image_copy", `{"archive":{"digest":"sha256:0"},"destination":"localhost:5000/team/a:1"}`},
		{"prune", "image_prune", `{"filters":{"reference":"localhost/*"},"keep_last":3,"all":false}`},
		{"named type", "podman_pod", `{"anything":1}`},
		{"volume", "container_run", `{"image":"localhost:5000/a","mount":[{"path":"/c","volume":"cache-pip"}]}`},
		{"host path", "container_run", `{"image":"localhost:5000/a","mount":[{"path":"/c","host_path":"/srv/data/x"}]}`},
		{"host path to write to", "container_run", `{"image":"localhost:5000/a","mount":[{"path":"/c","host_path":"/srv/cache","read_only":false}]}`},
		{"default seccomp, and a profile by digest", "container_run", `{"image":"localhost:5000/a","seccomp":"{}"}`},
		{"SELinux type", "container_run", `{"image":"localhost:5000/a","selinux":["type:container_t"]}`},
		{"collect", "container_run", `{"image":"localhost:5000/a","collect":{"a":"/a"},"collect_limit":"1g"}`},
		{"archive", "archive_extract", `{"archive":{"digest":"sha256:0"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := operator().Check(tt.stepType, []byte(tt.input)); err != nil {
				t.Errorf("Check(%s, %s): %v", tt.stepType, tt.input, err)
			}
		})
	}
}

func TestCheckDenies(t *testing.T) {
	tests := []struct{ name, stepType, input, want string }{
		{"unknown type", "shell", `{}`, "policy.step_types, worker.hcl:10"},
		{"unknown attribute of a standard type", "container_run", `{"image":"localhost:5000/a","privileged":true}`, `"container_run.privileged"`},
		{"bucket", "object_fetch", `{"bucket":"secrets","key":"k"}`, `bucket "secrets"`},
		{"network", "container_run", `{"image":"localhost:5000/a","network":"host"}`, "policy.networks"},
		{"network of a build", "image_build", `{"context":{},"network":"host"}`, "policy.networks"},
		{"capability", "container_run", `{"image":"localhost:5000/a","cap_add":["SYS_ADMIN"]}`, "CAP_SYS_ADMIN"},
		{"userns", "container_run", `{"image":"localhost:5000/a","userns":"host"}`, "policy.userns"},
		{"memory", "container_run", `{"image":"localhost:5000/a","memory":"2g"}`, "policy.max.memory, worker.hcl:20"},
		{"swap", "container_run", `{"image":"localhost:5000/a","memory":"1g","memory_swap":"2g"}`, "policy.max.memory"},
		{"cpus", "container_run", `{"image":"localhost:5000/a","cpus":2.5}`, "policy.max.cpus"},
		{"pids", "container_run", `{"image":"localhost:5000/a","pids":5000}`, "policy.max.pids"},
		{"time", "container_run", `{"image":"localhost:5000/a","time_limit":"11m"}`, "policy.max.time_limit"},
		{"memory of a build", "image_build", `{"context":{},"memory":"8g"}`, "policy.max.memory"},
		{"unenforced", "container_run", `{"image":"localhost:5000/a","allow_unenforced_limits":true}`, "policy.allow_unenforced_limits"},
		{"volume", "container_run", `{"image":"localhost:5000/a","mount":[{"path":"/c","volume":"other"}]}`, "policy.volumes"},
		{"host path", "container_run", `{"image":"localhost:5000/a","mount":[{"path":"/c","host_path":"/srv/database"}]}`, "policy.host_paths"},
		{"host path with dots", "container_run", `{"image":"localhost:5000/a","mount":[{"path":"/c","host_path":"/srv/data/../../etc"}]}`, `without ".."`},
		{
			"writing to a host path", "container_run", `{"image":"localhost:5000/a","mount":[{"path":"/c","host_path":"/srv/data","read_only":false}]}`,
			"for reading alone",
		},
		{
			"relabelling a host path", "container_run", `{"image":"localhost:5000/a","mount":[{"path":"/c","host_path":"/srv/data","relabel":"shared"}]}`,
			"`:relabel`",
		},
		{"no seccomp", "container_run", `{"image":"localhost:5000/a","seccomp":"unconfined"}`, "policy.seccomp"},
		{"own seccomp", "container_run", `{"image":"localhost:5000/a","seccomp":"{ }"}`, "policy.seccomp"},
		{"SELinux option", "container_run", `{"image":"localhost:5000/a","selinux":["disable"]}`, "policy.selinux"},
		{"collect", "container_run", `{"image":"localhost:5000/a","collect_limit":"2g"}`, "policy.max.collect"},
		{"pull from elsewhere", "image_pull", `{"reference":"docker.io/library/alpine"}`, "policy.registries.pull"},
		{"short name", "container_run", `{"image":"alpine"}`, "write HOST/NAME:TAG"},
		{"push elsewhere", "image_push", `{"image":{},"destination":"localhost:5000/other/fn"}`, "policy.registries.push"},
		{"copy from elsewhere", "image_copy", `{"source":"docker.io/library/alpine","destination":"localhost:5000/team/a:1"}`, "policy.registries.pull"},
		{"copy elsewhere", "image_copy", `{"source":"localhost:5000/a:1","destination":"localhost:5000/other/a:1"}`, "policy.registries.push"},
		{"copy of a short name", "image_copy", `{"source":"alpine"}`, "write HOST/NAME:TAG"},
		{"prune of everything", "image_prune", `{"filters":{"reference":"*"},"all":true}`, "policy.prune_all"},
		{"processes of a build", "image_build", `{"context":{},"pids":5000}`, "policy.max.pids"},
		{"name of somebody else's image", "image_build", `{"context":{},"tags":["localhost:5000/other/fn"]}`, "policy.registries.push"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := operator().Check(tt.stepType, []byte(tt.input))
			var e *sdk.Error
			if !errors.As(err, &e) || e.Kind != sdk.KindPermanent || e.Code != sdk.CodeDenied {
				t.Fatalf("Check(%s, %s) = %v, want a permanent refusal", tt.stepType, tt.input, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("refusal %q does not contain %q", err, tt.want)
			}
		})
	}
}

func TestCheckInvalid(t *testing.T) {
	for _, tt := range []struct{ stepType, input, attr string }{
		{"container_run", `{"image":"localhost:5000/a","memory":"0"}`, "memory"},
		{"container_run", `{"image":"localhost:5000/a","memory":"lots"}`, "memory"},
		{"container_run", `{"image":"localhost:5000/a","memory":-1}`, "memory"},
		{"container_run", `{"image":"localhost:5000/a","memory_swap":"1m"}`, "memory_swap"},
		{"container_run", `{"image":"localhost:5000/a","cpus":0}`, "cpus"},
		{"container_run", `{"image":"localhost:5000/a","pids":-1}`, "pids"},
		{"container_run", `{"image":"localhost:5000/a","time_limit":"0s"}`, "time_limit"},
		{"container_run", `{"image":"localhost:5000/a","network":["none"]}`, "network"},
		{"container_run", `[]`, ""},
	} {
		err := operator().Check(tt.stepType, []byte(tt.input))
		var e *sdk.Error
		if !errors.As(err, &e) || e.Kind != sdk.KindInvalid || e.Attr != tt.attr {
			t.Errorf("Check(%s, %s) = %v, want a diagnostic on %q", tt.stepType, tt.input, err, tt.attr)
		}
	}
}

func TestZeroPolicyAllowsDefaultsAlone(t *testing.T) {
	p := &Policy{}
	if err := p.Check("container_run", []byte(`{"image":{"id":"a","location":"b"}}`)); err != nil {
		t.Errorf("safe defaults: %v", err)
	}
	for _, input := range []string{
		`{"image":{"id":"a","location":"b"},"memory":"129m"}`,
		`{"image":{"id":"a","location":"b"},"time_limit":"6s"}`,
		`{"image":"localhost:5000/a"}`,
	} {
		if err := p.Check("container_run", []byte(input)); err == nil {
			t.Errorf("the zero policy allows %s", input)
		}
	}
}
