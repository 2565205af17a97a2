//go:build linux

// Package container runs containers with an OCI runtime, each under a supervisor of its own that outlives the provider.
package container

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/capability"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// input is what container_run is asked for: contract.ContainerRun's input, as far as this provider serves it.
type input struct {
	Image                 json.RawMessage   `json:"image"`
	Command               []string          `json:"command"`
	Script                *string           `json:"script"`
	Env                   map[string]string `json:"env"`
	Stdin                 string            `json:"stdin"`
	Workdir               string            `json:"workdir"`
	User                  string            `json:"user"`
	Memory                schema.Size       `json:"memory"`
	MemorySwap            *schema.Size      `json:"memory_swap"`
	CPUs                  float64           `json:"cpus"`
	Pids                  int64             `json:"pids"`
	Network               string            `json:"network"`
	TimeLimit             schema.Duration   `json:"time_limit"`
	Grace                 schema.Duration   `json:"grace"`
	ReadOnly              bool              `json:"read_only"`
	Tmpfs                 map[string]string `json:"tmpfs"`
	CapAdd                []string          `json:"cap_add"`
	CapDrop               []string          `json:"cap_drop"`
	Labels                map[string]string `json:"labels"`
	SuccessExitCodes      []int             `json:"success_exit_codes"`
	OutputLimit           schema.Size       `json:"output_limit"`
	AllowUnenforcedLimits bool              `json:"allow_unenforced_limits"`
}

// decode reads a request's input, over the contract's defaults.
func decode(req *sdk.Request) (*input, error) {
	in := &input{
		Memory: 128 << 20, CPUs: 0.5, Pids: 256, Network: "none", ReadOnly: true, OutputLimit: 16 << 10,
		TimeLimit: schema.Duration(5 * time.Second), Grace: schema.Duration(time.Second),
	}
	// Null does not overwrite a number, text or flag, but it does a list, a map and a pointer.
	if err := req.Decode(in); err != nil {
		return nil, err
	}
	if in.MemorySwap == nil {
		in.MemorySwap = &in.Memory
	}
	if in.Tmpfs == nil {
		in.Tmpfs = map[string]string{"/tmp": "64m"}
	}
	if in.SuccessExitCodes == nil {
		in.SuccessExitCodes = []int{0}
	}
	return in, in.check()
}

func (in *input) check() error {
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
	case in.Network != "none":
		return sdk.Invalidf("network", "the provider runc has no networks: `network` can be \"none\" alone")
	}
	for _, path := range slices.Sorted(maps.Keys(in.Tmpfs)) {
		if !strings.HasPrefix(path, "/") || path == "/" {
			return sdk.Invalidf("tmpfs", "%q is not an absolute path below /", path)
		}
		if _, err := schema.ParseSize(in.Tmpfs[path]); err != nil {
			return sdk.Invalidf("tmpfs", "%s: %w", path, err)
		}
	}
	for _, name := range in.CapAdd {
		if !slices.ContainsFunc(capability.ListKnown(), func(c capability.Cap) bool { return capName(c.String()) == capName(name) }) {
			return sdk.Invalidf("cap_add", "%q is not a capability", name)
		}
	}
	return nil
}

// capabilities are the ones that the container has: there are no others.
func (in *input) capabilities() []string {
	dropped := func(name string) bool {
		return slices.ContainsFunc(in.CapDrop, func(d string) bool { return capName(d) == name || strings.EqualFold(d, "all") })
	}
	caps := []string{}
	for _, c := range in.CapAdd {
		if name := capName(c); !dropped(name) && !slices.Contains(caps, name) {
			caps = append(caps, name)
		}
	}
	return caps
}

// capName is a capability's full name: users may leave out CAP_ and write it in any case.
func capName(s string) string { return "CAP_" + strings.TrimPrefix(strings.ToUpper(s), "CAP_") }

// image is the image to run: a located one, or a reference.
func (in *input) image() (located sdk.Located, reference string, err error) {
	if json.Unmarshal(in.Image, &reference) == nil && reference != "" {
		return located, reference, nil
	}
	if json.Unmarshal(in.Image, &located) == nil && located.ID != "" {
		return located, "", nil
	}
	return located, "", sdk.Invalidf("image", "image must be the output of image_pull, or a reference")
}

// limits are what the supervisor and the runtime hold the container to, in a message's words.
func (in *input) limits() string {
	return fmt.Sprintf("%s of memory, %g CPUs, %d processes, %s", in.Memory, in.CPUs, in.Pids, in.TimeLimit)
}
