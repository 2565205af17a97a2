package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// What outlives its step holds containers in shapes of its own, which are checked as container_run's are, apart from their end.
const (
	podmanPod     = "podman_pod"
	podmanService = "podman_service"
)

// detached checks the containers of a pod, and the container of a service.
func (c *check) detached() {
	switch c.stepType {
	case podmanPod:
		var blocks map[string]map[string]json.RawMessage
		c.get("container", &blocks)
		for _, name := range slices.Sorted(maps.Keys(blocks)) {
			c.container(fmt.Sprintf("container %q: ", name), blocks[name])
		}
	case podmanService:
		c.container("", c.in)
	default:
		return
	}
	c.ports()
}

// container checks one container, by the rules and the defaults of container_run.
func (c *check) container(where string, in map[string]json.RawMessage) {
	one := check{policy: c.policy, stepType: "container_run", contract: contract.ContainerRun().Input, in: in}
	one.images()
	one.isolation()
	one.mounts()
	one.confinement()
	one.sizes()
	one.numbers()
	if c.err != nil || one.err == nil {
		return
	}
	c.err = one.err
	if e, ok := one.err.(*sdk.Error); ok && where != "" { //nolint:errorlint // check makes no others
		inner := *e
		inner.Err = fmt.Errorf("%s%w", where, e.Err)
		c.err = &inner
	}
}

// ports checks what is published on the host.
func (c *check) ports() {
	var ports []struct {
		HostIP   *string `json:"host_ip"`
		HostPort *uint16 `json:"host_port"`
	}
	c.get("port", &ports)
	for _, p := range ports {
		ip, number := "127.0.0.1", uint16(0)
		if p.HostIP != nil {
			ip = *p.HostIP
		}
		if p.HostPort != nil {
			number = *p.HostPort
		}
		if !slices.ContainsFunc(c.policy.Ports, func(r PublishRule) bool { return r.allows(ip, number) }) {
			c.deny("ports", "publishing on %s port %s is not allowed", ip, orChosen(number))
		}
	}
}

func orChosen(port uint16) string {
	if port == 0 {
		return "0 (one that is free)"
	}
	return strconv.Itoa(int(port))
}

// PublishRule is a rule about ports, "ADDRESS:PORTS": the address of the host, or `*` for any; the ports one number, a range "8000-8099", or `*`
// for any, also one that is chosen: "127.0.0.1:*".
type PublishRule string

// Validate tells what is wrong with the rule.
func (r PublishRule) Validate() error {
	if _, _, _, err := r.parse(); err != nil {
		return err
	}
	return nil
}

// parse gives the address and the first and last port; 0 to 65535 for `*`.
func (r PublishRule) parse() (ip string, first, last uint16, err error) {
	i := strings.LastIndexByte(string(r), ':')
	if i < 1 {
		return "", 0, 0, fmt.Errorf("%q is no rule for ports: write ADDRESS:PORTS, such as \"127.0.0.1:8000-8099\" or \"127.0.0.1:*\"", string(r))
	}
	ip = strings.Trim(string(r)[:i], "[]")
	ports := string(r)[i+1:]
	if ports == "*" {
		return ip, 0, 65535, nil
	}
	from, to, ranged := strings.Cut(ports, "-")
	if !ranged {
		to = from
	}
	a, err1 := strconv.ParseUint(from, 10, 16)
	b, err2 := strconv.ParseUint(to, 10, 16)
	if err1 != nil || err2 != nil || a == 0 || b < a {
		return "", 0, 0, fmt.Errorf("%q is no rule for ports: %q is no port, nor a range of them", string(r), ports)
	}
	return ip, uint16(a), uint16(b), nil
}

func (r PublishRule) allows(ip string, port uint16) bool {
	address, first, last, err := r.parse()
	return err == nil && (address == "*" || address == ip) && port >= first && port <= last
}
