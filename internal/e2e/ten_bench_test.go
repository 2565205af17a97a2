//go:build integration

package e2e

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
)

// calls are how often the function is called in one round, ten at a time.
const calls = 50

const tenPipeline = `
variable "image" { type = string }
variable "calls" { type = number }
pipeline "ten" {
  step "container_run" "invoke" {
    for_each     = toset([for n in range(var.calls) : tostring(n)])
    max_parallel = 10
    image        = var.image
    env          = { FUNCTION_INPUT = jsonencode({ name = each.key }) }
  }
}
`

// BenchmarkTenAtATime calls a function many times, ten at a time: one run's for_each through a running worker, against xargs and
// `podman run` with the same limits. Both start each container anew.
func BenchmarkTenAtATime(b *testing.B) {
	for _, version := range testenv.PodmanVersions {
		b.Run(version, func(b *testing.B) {
			s := newStack(b, version)
			s.mustCpub(s.flagship()...)
			image := s.env.Registry + "/dart-function-hello-v1:latest"
			file := filepath.Join(s.dir, "ten.hcl")
			s.writeFile(file, tenPipeline)
			theirs := limits
			if version == "4.3.1" { // ten at a time, its --userns auto locks up for good
				theirs = strings.Replace(limits, "--userns auto ", "", 1)
			}
			podman := filepath.Join(s.dir, "podman-of-the-test")
			s.writeFile(podman, s.podmanCLI()+"podman \"$@\"\n")
			script := s.bash(fmt.Sprintf(
				"seq %d | xargs -P10 -I{} bash %s run --rm --tls-verify=false %s --env 'FUNCTION_INPUT={\"name\":\"{}\"}' %s\n",
				calls, podman, theirs, image))
			compare(b, func(int) { s.mustCpub("run", file, "-var", "image="+image, "-var", "calls="+strconv.Itoa(calls)) }, script)
		})
	}
}
