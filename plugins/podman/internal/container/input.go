// Package container carries out container_run: one container, from its creation under limits that are read back, to its end
// and its receipt.
package container

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Input is what container_run is asked for: contract.ContainerRun's input.
type Input struct {
	Image        json.RawMessage   `json:"image"`
	Command      []string          `json:"command"`
	Script       *string           `json:"script"`
	Env          map[string]string `json:"env"`
	Stdin        string            `json:"stdin"`
	Workdir      string            `json:"workdir"`
	User         string            `json:"user"`
	Memory       schema.Size       `json:"memory"`
	MemorySwap   *schema.Size      `json:"memory_swap"`
	CPUs         float64           `json:"cpus"`
	Pids         int64             `json:"pids"`
	Network      string            `json:"network"`
	TimeLimit    schema.Duration   `json:"time_limit"`
	Grace        schema.Duration   `json:"grace"`
	ReadOnly     bool              `json:"read_only"`
	Tmpfs        map[string]string `json:"tmpfs"`
	CapAdd       []string          `json:"cap_add"`
	CapDrop      []string          `json:"cap_drop"`
	Userns       string            `json:"userns"`
	Seccomp      string            `json:"seccomp"`
	SELinux      []string          `json:"selinux"`
	Ulimits      map[string]string `json:"ulimits"`
	Mount        []Mount           `json:"mount"`
	Collect      map[string]string `json:"collect"`
	CollectLimit schema.Size       `json:"collect_limit"`

	Files map[string]*sdk.Artifact `json:"files"`

	Labels                map[string]string `json:"labels"`
	SuccessExitCodes      []int32           `json:"success_exit_codes"`
	OutputLimit           schema.Size       `json:"output_limit"`
	AllowUnenforcedLimits bool              `json:"allow_unenforced_limits"`

	Healthcheck *Healthcheck               `json:"healthcheck"`
	Sidecar     map[string]json.RawMessage `json:"sidecar"`

	sidecars map[string]Input // Sidecar, read
}

// defaults are the values of what was left out: safe ones.
func defaults() Input {
	return Input{
		Memory: 128 << 20, CPUs: 0.5, Pids: 256, Network: "none",
		TimeLimit: schema.Duration(5 * time.Second), Grace: schema.Duration(time.Second), ReadOnly: true,
		OutputLimit: 16 << 10, CollectLimit: 64 << 20, Seccomp: seccompDefault,
	}
}

// Decode reads a request's input, over the defaults.
func Decode(req *sdk.Request) (Input, error) {
	in, err := decodeInput(req.Input)
	if err != nil {
		return in, err
	}
	return in, in.settleSidecars()
}

// decodeInput reads the input of one container.
func decodeInput(data json.RawMessage) (Input, error) {
	in := defaults()
	// Attributes that were left out may be null, and null must not overwrite a default.
	var given map[string]json.RawMessage
	if err := json.Unmarshal(data, &given); err != nil {
		return Input{}, sdk.Invalidf("", "reading the step's input: %w", err)
	}
	for name, v := range given {
		if string(v) == "null" {
			delete(given, name)
		}
	}
	b, err := json.Marshal(given)
	if err != nil {
		return Input{}, fmt.Errorf("reading the step's input: %w", err)
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return Input{}, sdk.Invalidf("", "reading the step's input: %w", err)
	}
	if in.MemorySwap == nil {
		in.MemorySwap = &in.Memory
	}
	if in.Tmpfs == nil {
		in.Tmpfs = map[string]string{"/tmp": "64m"}
	}
	if in.SuccessExitCodes == nil {
		in.SuccessExitCodes = []int32{0}
	}
	if err := in.Healthcheck.settle("healthcheck."); err != nil {
		return in, err
	}
	return in, in.check()
}

func (in Input) check() error {
	switch {
	case in.Script != nil && len(in.Command) > 0:
		return sdk.Invalidf("script", "a script runs instead of a command: leave one of them out")
	case in.Script != nil && strings.TrimSpace(*in.Script) == "":
		return sdk.Invalidf("script", "the script is empty; leave it out to run the image's own command")
	case in.Memory <= 0:
		return sdk.Invalidf("memory", "memory must be more than nothing")
	case *in.MemorySwap < in.Memory:
		return sdk.Invalidf("memory_swap", "memory_swap is memory and swap together: it cannot be less than memory (%s)", in.Memory)
	case in.CPUs < 0.01:
		return sdk.Invalidf("cpus", "cpus must be at least 0.01")
	case in.Pids < 1:
		return sdk.Invalidf("pids", "pids must be at least 1")
	case in.TimeLimit <= 0:
		return sdk.Invalidf("time_limit", "time_limit must be more than nothing")
	case in.Network == "":
		return sdk.Invalidf("network", "network must not be empty; write \"none\" for none")
	}
	if slices.ContainsFunc(in.CapAdd, func(c string) bool { return strings.EqualFold(c, "all") }) {
		return sdk.Invalidf("cap_add", "name each capability: all of them together are those of the host")
	}
	for _, check := range []func() error{in.checkTmpfs, in.checkPlaces, in.checkConfinement} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (in Input) checkTmpfs() error {
	for _, path := range slices.Sorted(maps.Keys(in.Tmpfs)) {
		if !strings.HasPrefix(path, "/") || path == "/" {
			return sdk.Invalidf("tmpfs", "%q is not an absolute path below /", path)
		}
		if _, err := schema.ParseSize(in.Tmpfs[path]); err != nil {
			return sdk.Invalidf("tmpfs", "%s: %w", path, err)
		}
	}
	return nil
}

// added are the capabilities that the container has: there are no others.
func (in Input) added() []string {
	var caps []string
	for _, c := range in.CapAdd {
		if !slices.ContainsFunc(in.CapDrop, func(d string) bool { return capName(d) == capName(c) || strings.EqualFold(d, "all") }) {
			caps = append(caps, capName(c))
		}
	}
	return caps
}

// image is the image to run: a located one, or a reference.
func (in Input) image() (located *sdk.Located, reference string, err error) {
	if json.Unmarshal(in.Image, &reference) == nil && reference != "" {
		return nil, reference, nil
	}
	var l sdk.Located
	if err := json.Unmarshal(in.Image, &l); err != nil || l.ID == "" {
		return nil, "", sdk.Invalidf("image", "image must be an image of image_build or image_pull, or a reference")
	}
	return &l, "", nil
}
