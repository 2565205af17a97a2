package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// services is a policy that allows pods and services.
func services() *Policy {
	p := operator()
	p.StepTypes = []string{podmanPod, podmanService}
	p.Ports = []PublishRule{"127.0.0.1:*", "0.0.0.0:8000-8099", "[::1]:443"}
	return p
}

func TestCheckDetachedAllows(t *testing.T) {
	for name, input := range map[string]string{
		"defaults": `{"name":"a","container":{"x":{"image":{"id":"a","location":"x"}},"y":{"image":"localhost:5000/a","memory":"1g","cpus":2}}}`,
		"absent":   `{"name":"a","state":"absent"}`,
		"ports": `{"network":"egress","container":{"x":{"image":"localhost:5000/a"}},"port":[{"container_port":80},{"container_port":80,"host_ip":"127.0.0.1",
			"host_port":9},{"container_port":80,"host_ip":"0.0.0.0","host_port":8099},{"container_port":80,"host_ip":"::1","host_port":443}]}`,
		"volume": `{"container":{"x":{"image":"localhost:5000/a","mount":[{"path":"/d","volume":"cache-a"}]}}}`,
	} {
		if err := services().Check(podmanPod, []byte(input)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := services().Check(podmanService, []byte(`{"name":"a","image":"localhost:5000/a","memory":"1g"}`)); err != nil {
		t.Error(err)
	}
}

func TestCheckDetachedDenies(t *testing.T) {
	in := func(container string) string {
		return `{"name":"a","container":{"ok":{"image":"localhost:5000/a"},"x":` + container + `}}`
	}
	for _, tt := range []struct{ name, stepType, input, want string }{
		{"memory", podmanPod, in(`{"image":"localhost:5000/a","memory":"2g"}`), `container "x": denied by policy`},
		{"cpus", podmanPod, in(`{"image":"localhost:5000/a","cpus":3}`), "policy.max.cpus"},
		{"pids", podmanPod, in(`{"image":"localhost:5000/a","pids":5000}`), "policy.max.pids"},
		{"image", podmanPod, in(`{"image":"docker.io/library/alpine"}`), "policy.registries.pull"},
		{"short name", podmanPod, in(`{"image":"alpine"}`), "write HOST/NAME:TAG"},
		{"capability", podmanPod, in(`{"image":"localhost:5000/a","cap_add":["SYS_ADMIN"]}`), "CAP_SYS_ADMIN"},
		{"volume", podmanPod, in(`{"image":"localhost:5000/a","mount":[{"path":"/d","volume":"other"}]}`), "policy.volumes"},
		{"network", podmanPod, `{"network":"host","container":{}}`, "policy.networks"},
		{"userns", podmanPod, `{"userns":"host","container":{}}`, "policy.userns"},
		{"unenforced", podmanPod, `{"allow_unenforced_limits":true}`, "policy.allow_unenforced_limits"},
		{"port", podmanPod, `{"port":[{"container_port":80,"host_ip":"0.0.0.0","host_port":80}]}`, "publishing on 0.0.0.0 port 80"},
		{"chosen port", podmanPod, `{"port":[{"container_port":80,"host_ip":"0.0.0.0"}]}`, "policy.ports"},
		{"service's image", podmanService, `{"image":"docker.io/library/alpine"}`, "policy.registries.pull"},
		{"service's memory", podmanService, `{"image":"localhost:5000/a","memory":"2g"}`, "policy.max.memory"},
		{"service's port", podmanService, `{"image":"localhost:5000/a","port":[{"host_ip":"0.0.0.0","host_port":80}]}`, "policy.ports"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := services().Check(tt.stepType, []byte(tt.input))
			var e *sdk.Error
			if !errors.As(err, &e) || e.Code != sdk.CodeDenied || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check(%s, %s) = %v, want a refusal with %q", tt.stepType, tt.input, err, tt.want)
			}
		})
	}
	if err := operator().Check(podmanService, []byte(`{}`)); err == nil {
		t.Error("a service is allowed by a policy that does not name its type")
	}
}

func TestPublishRule(t *testing.T) {
	for _, bad := range []PublishRule{"", "80", ":80", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:9-8", "127.0.0.1:70000", "127.0.0.1:a"} {
		if bad.Validate() == nil {
			t.Errorf("%q is a rule", bad)
		}
	}
	if err := PublishRule("*:*").Validate(); err != nil {
		t.Error(err)
	}
}
