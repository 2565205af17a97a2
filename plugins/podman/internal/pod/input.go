// Package pod carries out podman_pod: a pod that is started and left running, and replaced or removed by its name.
package pod

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/plugins/podman/steps"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Input is podman_pod's input.
type Input struct {
	Name                  string                     `json:"name"`
	State                 string                     `json:"state"`
	Network               string                     `json:"network"`
	Share                 []string                   `json:"share"`
	Userns                string                     `json:"userns"`
	Restart               string                     `json:"restart"`
	Grace                 *schema.Duration           `json:"grace"`
	StartLimit            *schema.Duration           `json:"start_limit"`
	Labels                map[string]string          `json:"labels"`
	AllowUnenforcedLimits bool                       `json:"allow_unenforced_limits"`
	Containers            map[string]json.RawMessage `json:"container"`
	Ports                 []Port                     `json:"port"`
}

// Port is a published port.
type Port struct {
	HostIP        string `json:"host_ip"`
	HostPort      uint16 `json:"host_port"`
	ContainerPort uint16 `json:"container_port"`
	Protocol      string `json:"protocol"`
}

// plain are the names that Podman, systemd and DNS all take.
var plain = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$`)

// CheckName refuses a name that not everybody takes.
func CheckName(attr, name string) error {
	if !plain.MatchString(name) {
		return sdk.Invalidf(attr, "%q is no name: up to 42 lower-case letters, digits and -, which begins and ends with a letter or digit", name)
	}
	return nil
}

func decode(req *sdk.Request) (Input, error) {
	var in Input
	if err := req.Decode(&in); err != nil {
		return in, err
	}
	if in.State == "" {
		in.State = steps.Running
	}
	if in.Network == "" {
		in.Network = "none"
	}
	if in.Share == nil {
		in.Share = []string{"net"}
	}
	in.Grace, in.StartLimit = OrDuration(in.Grace, 10*time.Second), OrDuration(in.StartLimit, time.Minute)
	if err := CheckName("name", in.Name); err != nil {
		return in, err
	}
	if in.State == steps.Absent {
		return in, nil
	}
	var err error
	if in.Ports, err = CheckPorts(in.Ports, in.Network); err != nil {
		return in, err
	}
	return in, in.check()
}

// OrDuration is d, or what stands for it where it was left out.
func OrDuration(d *schema.Duration, def time.Duration) *schema.Duration {
	if d == nil {
		v := schema.Duration(def)
		return &v
	}
	return d
}

func (in Input) check() error {
	if len(in.Containers) == 0 {
		return sdk.Invalidf("container", "a pod needs at least one container: container \"NAME\" { image = … }")
	}
	for _, name := range slices.Sorted(maps.Keys(in.Containers)) {
		if err := CheckName("container."+name, name); err != nil {
			return err
		}
	}
	for _, ns := range in.Share {
		if !slices.Contains([]string{"net", "ipc", "uts"}, ns) {
			return sdk.Invalidf("share", "containers share net, ipc or uts, not %q", ns)
		}
	}
	if len(in.Ports) > 0 && !slices.Contains(in.Share, "net") {
		return sdk.Invalidf("share", "published ports belong to the network that the containers share: share must have net")
	}
	if *in.StartLimit <= 0 {
		return sdk.Invalidf("start_limit", "start_limit must be more than nothing")
	}
	if err := owner.CheckLabels(in.Labels); err != nil {
		return err
	}
	_, _, err := ParseRestart(in.Restart)
	return err
}

// CheckPorts refuses ports that cannot be published, and gives the others with their defaults.
func CheckPorts(ports []Port, network string) ([]Port, error) {
	ports = slices.Clone(ports)
	if len(ports) > 0 && (network == "none" || network == "host") {
		return nil, sdk.Invalidf("network", "ports are published from a network of the containers' own, such as \"bridge\", not from %q", network)
	}
	for i := range ports {
		p := &ports[i]
		if p.HostIP == "" {
			p.HostIP = "127.0.0.1"
		}
		if p.Protocol == "" {
			p.Protocol = "tcp"
		}
		if p.ContainerPort == 0 {
			return nil, sdk.Invalidf("port", "container_port is between 1 and 65535")
		}
		addr, err := netip.ParseAddr(p.HostIP)
		if err != nil || addr.Zone() != "" {
			return nil, sdk.Invalidf("port", "host_ip %q is no IP address", p.HostIP)
		}
		p.HostIP = addr.String()
	}
	return ports, nil
}

// ParseRestart reads a restart policy: Podman's word, and how often at most; nil without a number.
func ParseRestart(s string) (policy string, retries *uint, err error) {
	policy, number, counted := strings.Cut(s, ":")
	switch {
	case policy == "" && !counted:
		return "no", nil, nil
	case policy == "on-failure" && counted:
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || n == 0 {
			return "", nil, sdk.Invalidf("restart", "%q is no number of restarts", number)
		}
		times := uint(n)
		return policy, &times, nil
	case counted || !slices.Contains([]string{"no", "always", "on-failure"}, policy):
		return "", nil, sdk.Invalidf("restart", "restart is no, always, on-failure or on-failure:N, not %q", s)
	}
	return policy, nil, nil
}

// Digest names what was asked for: parts are anything with a JSON form.
func Digest(parts ...any) (string, error) {
	b, err := json.Marshal(parts)
	if err != nil {
		return "", fmt.Errorf("naming what was asked for: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
