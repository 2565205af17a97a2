//go:build integration

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/internal/testenv"
)

// compare measures ours and theirs in turn, as often as the benchmark wants, and reports the medians in milliseconds and their
// ratio. The first round of each warms caches and is not counted.
func compare(b *testing.B, ours, theirs func(round int)) {
	b.Helper()
	var a, z []time.Duration
	took := func(f func(int), round int) time.Duration {
		began := time.Now()
		f(round)
		return time.Since(began)
	}
	took(ours, -1)
	took(theirs, -1)
	for round := 0; b.Loop(); round++ {
		a = append(a, took(ours, round))
		z = append(z, took(theirs, round))
	}
	x, y := median(a), median(z)
	b.ReportMetric(0, "ns/op") // the sum of both says nothing
	b.ReportMetric(float64(x.Microseconds())/1000, "ours-ms")
	b.ReportMetric(float64(y.Microseconds())/1000, "theirs-ms")
	b.ReportMetric(float64(x)/float64(y), "ratio")
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// bash writes a script and returns how to run it.
func (s *stack) bash(text string) func(int) {
	s.t.Helper()
	path := filepath.Join(s.dir, fmt.Sprintf("script-%d.sh", len(text)))
	s.writeFile(path, "set -euo pipefail\n"+text)
	return func(round int) { s.run("bash", path, fmt.Sprint(round)) }
}

// podmanCLI is a shell function `podman` on the test's own store.
func (s *stack) podmanCLI() string {
	text := "podman() { env"
	for _, v := range s.podman.Environ {
		text += fmt.Sprintf(" %q", v)
	}
	return text + fmt.Sprintf(" %q \"$@\"; }\n", s.podman.Binary)
}

// limits are those that container_run sets by itself.
const limits = "--network none --memory 128m --memory-swap 128m --cpus 0.5 --pids-limit 256 --read-only --tmpfs /tmp:size=64m " +
	"--cap-drop all --security-opt no-new-privileges --userns auto --init --timeout 5"

// BenchmarkFlagship is the warm flagship pipeline against a script that does the same with curl, tar and podman.
func BenchmarkFlagship(b *testing.B) {
	s := newStack(b, "5.8.2")
	script := s.bash(s.podmanCLI() + fmt.Sprintf(`
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
curl -sSf --aws-sigv4 "aws:amz:%[1]s:s3" --user "%[2]s:%[3]s" -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" \
	-o "$dir/archive" "%[4]s/functions/functions/hello/1.tar.gz"
mkdir "$dir/source"
tar -xzf "$dir/archive" -C "$dir/source"
image=$(podman build --quiet --network none --memory 512m --layers --build-arg BASE_IMAGE=%[5]s/base:1 --tls-verify=false "$dir/source")
podman push --quiet --tls-verify=false --digestfile "$dir/digest" "$image" "docker://%[5]s/by-script:latest"
podman run --rm %[6]s --env 'FUNCTION_INPUT={"name":"Ada"}' "$image"
`, s.env.Region, s.env.AccessKey, s.env.SecretKey, s.env.S3, s.env.Registry, limits))
	compare(b, func(int) { s.mustCpub(s.flagship()...) }, script)
}

// mustCpub runs the command line, which must succeed.
func (s *stack) mustCpub(args ...string) {
	s.t.Helper()
	s.run(testenv.Build(s.t, "./cmd/cpub"), args...)
}

const runPipeline = `
variable "image" { type = string }
pipeline "run" {
  step "container_run" "invoke" {
    image = var.image
    env   = { FUNCTION_INPUT = jsonencode({ name = "Ada" }) }
  }
  output "result" { value = step.invoke.stdout }
}
`

// BenchmarkContainerRun is container_run through a running worker against `podman run` with the same limits.
func BenchmarkContainerRun(b *testing.B) {
	s := newStack(b, "5.8.2")
	s.mustCpub(s.flagship()...)
	image := s.env.Registry + "/dart-function-hello-v1:latest"
	file := filepath.Join(s.dir, "run.hcl")
	s.writeFile(file, runPipeline)
	script := s.bash(s.podmanCLI() + fmt.Sprintf(
		"podman run --rm --tls-verify=false %s --env 'FUNCTION_INPUT={\"name\":\"Ada\"}' %s\n", limits, image))
	compare(b, func(int) { s.mustCpub("run", file, "-var", "image="+image) }, script)
}

const (
	emptySteps     = 20
	greeterPackage = "./examples/providers/greet/cpub-provider-greet"
)

// BenchmarkEmptyStep is a chain of empty steps, each a call to a provider's process, against a bare workflow with as many empty
// activities, on the same Temporal. Both times are of the whole chain.
func BenchmarkEmptyStep(b *testing.B) {
	s := newStackWithoutWorker(b, "5.8.2")
	s.addGreeter()
	s.startWorker()
	c := s.dial()
	w := sdkworker.New(c, "bare", sdkworker.Options{})
	w.RegisterWorkflow(bare)
	w.RegisterActivity(empty)
	if err := w.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.Stop)
	b.Setenv("CPUB_PROVIDERS", filepath.Dir(testenv.Build(b, greeterPackage)))
	s.mustCpub("publish", s.chain())
	start := func(queue string, workflow any) func(int) {
		return func(int) {
			run, err := c.ExecuteWorkflow(b.Context(), client.StartWorkflowOptions{TaskQueue: queue}, workflow)
			if err != nil {
				b.Fatal(err)
			}
			if err := run.Get(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	compare(b, start("cpub", "chain"), start("bare", bare))
}

// addGreeter gives the worker the example provider.
func (s *stack) addGreeter() {
	s.t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	greeter := fmt.Sprintf("provider \"greet\" \"main\" { path = %q }\n", testenv.Build(s.t, greeterPackage))
	policy := "policy {\n  step_types = [\"greet\"]\n"
	s.writeFile(s.config, greeter+replaceOnce(s.t, string(text), "policy {\n", policy))
}

// chain writes a pipeline of greetings, each of which waits for the one before.
func (s *stack) chain() string {
	text := "pipeline \"chain\" {\n"
	for i := range emptySteps {
		depends := ""
		if i > 0 {
			depends = fmt.Sprintf("\n    depends_on = [step.s%d]", i-1)
		}
		text += fmt.Sprintf("  step \"greet\" \"s%d\" {\n    names = [\"Ada\"]%s\n  }\n", i, depends)
	}
	path := filepath.Join(s.dir, "chain.hcl")
	s.writeFile(path, text+"}\n")
	return path
}

func bare(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	for range emptySteps {
		if err := workflow.ExecuteActivity(ctx, empty).Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

func empty() error { return nil }
