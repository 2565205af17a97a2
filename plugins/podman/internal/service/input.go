// Package service carries out podman_service: a container that systemd keeps running, through a Quadlet file.
package service

import (
	"encoding/json"
	"regexp"
	"slices"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/plugins/podman/internal/pod"
	"github.com/containerpub/cpub/plugins/podman/steps"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Input is what of podman_service's input is not container_run's too.
type Input struct {
	Name       string            `json:"name"`
	State      string            `json:"state"`
	Image      json.RawMessage   `json:"image"`
	Network    string            `json:"network"`
	Restart    string            `json:"restart"`
	AutoUpdate string            `json:"auto_update"`
	WantedBy   []string          `json:"wanted_by"`
	Grace      *schema.Duration  `json:"grace"`
	StartLimit *schema.Duration  `json:"start_limit"`
	Labels     map[string]string `json:"labels"`
	Ports      []pod.Port        `json:"port"`
	Pids       int64             `json:"-"`
}

// targetName is a target's name.
var targetName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*\.target$`)

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
	if in.Restart == "" {
		in.Restart = "on-failure"
	}
	in.Grace, in.StartLimit = pod.OrDuration(in.Grace, 10*time.Second), pod.OrDuration(in.StartLimit, time.Minute)
	if err := pod.CheckName("name", in.Name); err != nil {
		return in, err
	}
	if in.State == steps.Absent {
		return in, nil
	}
	return in, in.check()
}

func (in *Input) check() (err error) {
	if in.Ports, err = pod.CheckPorts(in.Ports, in.Network); err != nil {
		return err
	}
	for _, p := range in.Ports {
		if p.HostPort == 0 {
			return sdk.Invalidf("port", "a service needs a host_port: one that is chosen would be another one after each start")
		}
	}
	for _, t := range in.WantedBy {
		if !targetName.MatchString(t) {
			return sdk.Invalidf("wanted_by", "%q is no name of a target, such as multi-user.target", t)
		}
	}
	var reference string
	if in.AutoUpdate != "" && json.Unmarshal(in.Image, &reference) != nil {
		return sdk.Invalidf("auto_update", "what is to be updated needs a reference by tag, which an image of the store has not")
	}
	if !slices.Contains([]string{"no", "on-failure", "always"}, in.Restart) {
		return sdk.Invalidf("restart", "restart is no, on-failure or always, not %q", in.Restart)
	}
	if *in.StartLimit <= 0 || *in.Grace < 0 {
		return sdk.Invalidf("start_limit", "start_limit and grace must be more than nothing")
	}
	return owner.CheckLabels(in.Labels)
}
