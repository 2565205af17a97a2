package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// TestSidecars: a sidecar is held to the rules of a container, and all of a step's together to the ceilings.
func TestSidecars(t *testing.T) {
	const main = `{"image":"localhost:5000/a","memory":"512m","cpus":1,"pids":512,"sidecar":`
	for input, want := range map[string]string{
		main + `{"db":{"image":"localhost:5000/db","memory":"512m","cpus":1,"pids":512}}}`:                                       "",
		main + `{"db":{"image":{"id":"a","location":"b"},"cpus":0.1},"web":{"image":"localhost:5000/web","cpus":0.9,"pids":1}}}`: "",
		main + `{}}`:   "",
		main + `null}`: "",
		main + `{"db":{"image":"docker.io/library/redis"}}}`:                                                                           `sidecar "db": denied by policy: image "docker.io/library/redis"`,
		main + `{"db":{"image":"redis"}}}`:                                                                                             "names no registry",
		main + `{"db":{"image":"localhost:5000/db","memory":"513m"}}}`:                                                                 "with that of the sidecars, is more than 1GiB; the rule is policy.max.memory, worker.hcl:20",
		main + `{"a":{"image":"localhost:5000/a","cpus":0.6},"b":{"image":"localhost:5000/b","cpus":0.5}}}`:                            "policy.max.cpus",
		main + `{"db":{"image":"localhost:5000/db","pids":513}}}`:                                                                      "policy.max.pids",
		main + `{"db":{"image":"localhost:5000/db","memory":"2g"}}}`:                                                                   `sidecar "db": denied by policy: memory of 2GiB`,
		main + `{"db":{"image":"localhost:5000/db","privileged":true}}}`:                                                               `"container_run.sidecar.privileged"`,
		main + `{"db":{"image":"localhost:5000/db","healthcheck":{"command":["a"],"start_period":"1h"}}}}`:                             "policy.max.time_limit",
		main + `{"db":{"image":"localhost:5000/db","healthcheck":{"command":["a"],"retries":1000000000}}}}`:                            "policy.max.time_limit",
		main + `{"db":{"image":"localhost:5000/db","healthcheck":{"command":["a"],"start_period":"1m"}}}}`:                             "",
		`{"image":"localhost:5000/a","memory":"512m","memory_swap":"1g","sidecar":{"db":{"image":"localhost:5000/db","memory":"1m"}}}`: "policy.max.memory",
	} {
		err := operator().Check("container_run", []byte(input))
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", input, err)
			}
			continue
		}
		var e *sdk.Error
		if !errors.As(err, &e) || e.Kind != sdk.KindPermanent || e.Code != sdk.CodeDenied || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a refusal with %q", input, err, want)
		}
	}
	for input, attr := range map[string]string{
		main + `{"db":{"image":"localhost:5000/db","memory":"0"}}}`:                                                   "sidecar.db.memory",
		main + `{"db":{"image":"localhost:5000/db","pids":"many"}}}`:                                                  "sidecar.db.pids",
		main + `{"db":{"image":"localhost:5000/db","healthcheck":{"command":["a"],"interval":"0s","timeout":"0s"}}}}`: "sidecar.db.healthcheck",
		main + `[]}`: "sidecar",
	} {
		var e *sdk.Error
		if err := operator().Check("container_run", []byte(input)); !errors.As(err, &e) || e.Kind != sdk.KindInvalid || e.Attr != attr {
			t.Errorf("%s: %v, want a diagnostic on %q", input, err, attr)
		}
	}
	// By the zero policy, what a step takes by default is all that there is.
	zero := `{"image":{"id":"a","location":"b"},"memory":"64m","cpus":0.25,"pids":128,"sidecar":{"db":{"image":{"id":"a","location":"b"},` +
		`"memory":"64m","cpus":0.25,"pids":128,"healthcheck":{"command":["a"]}}}}`
	if err := (&Policy{}).Check("container_run", []byte(zero)); err != nil {
		t.Errorf("half of the defaults for each: %v", err)
	}
}
