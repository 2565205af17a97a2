// Package build carries out image_build.
package build

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/openshift/imagebuilder"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Input is contract.ImageBuild's input.
type Input struct {
	Context               *sdk.Artifact     `json:"context"`
	Containerfile         string            `json:"containerfile"`
	Tags                  []string          `json:"tags"`
	BuildArgs             map[string]string `json:"build_args"`
	BuildSecrets          map[string]string `json:"build_secrets"`
	Target                string            `json:"target"`
	Platform              string            `json:"platform"`
	Labels                map[string]string `json:"labels"`
	Annotations           map[string]string `json:"annotations"`
	Pull                  string            `json:"pull"`
	NoCache               bool              `json:"no_cache"`
	Reproducible          bool              `json:"reproducible"`
	Memory                *schema.Size      `json:"memory"`
	CPUs                  *float64          `json:"cpus"`
	Pids                  *int64            `json:"pids"`
	Network               string            `json:"network"`
	TimeLimit             *schema.Duration  `json:"time_limit"`
	AllowUnenforcedLimits bool              `json:"allow_unenforced_limits"`
}

// decode reads a request's input and fills in the defaults.
func decode(req *sdk.Request) (Input, error) {
	var in Input
	if err := req.Decode(&in); err != nil {
		return in, err
	}
	if in.Memory == nil {
		in.Memory = new(schema.Size)
		*in.Memory = 512 << 20
	}
	if in.CPUs == nil {
		in.CPUs = new(float64)
		*in.CPUs = 1
	}
	if in.Pids == nil {
		in.Pids = new(int64)
		*in.Pids = 1024
	}
	if in.TimeLimit == nil {
		in.TimeLimit = new(schema.Duration)
		*in.TimeLimit = schema.Duration(10 * time.Minute)
	}
	if in.Network == "" {
		in.Network = "none"
	}
	if in.Pull == "" {
		in.Pull = "missing"
	}
	switch {
	case *in.Memory <= 0:
		return in, sdk.Invalidf("memory", "memory must be more than nothing")
	case *in.CPUs < 0.01:
		return in, sdk.Invalidf("cpus", "cpus must be at least 0.01")
	case *in.Pids < 1:
		return in, sdk.Invalidf("pids", "pids must be at least 1")
	case *in.TimeLimit <= 0:
		return in, sdk.Invalidf("time_limit", "time_limit must be more than nothing")
	case !slices.Contains([]string{"none", "host", "bridge"}, in.Network):
		return in, sdk.Invalidf("network", "a build's network is none, bridge or host, not %q", in.Network)
	}
	return in, checkSecrets(in.BuildSecrets)
}

// inlineName is the name under which an inline Containerfile is sent along; no instruction sees it.
const inlineName = ".cpub.Containerfile"

// source is a build's context and Containerfile.
type source struct {
	root     *os.Root
	name     string // of the Containerfile in the context
	text     []byte
	inline   bool
	excludes []string
	secrets  []secret
	steps    []int // the instructions of each stage, FROM included
	changes  bool  // whether the last stage has more than its FROM
}

// open opens the context and reads the Containerfile. Nothing leaves the context, whatever links it holds.
func open(dir, containerfile string) (*source, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the build context: %w", err)
	}
	s := &source{root: root}
	if err := s.read(containerfile); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

func (s *source) read(containerfile string) error {
	if strings.Contains(containerfile, "\n") {
		s.name, s.text, s.inline = inlineName, []byte(containerfile), true
	} else if err := s.find(containerfile); err != nil {
		return err
	}
	// Podman would send it through the C preprocessor, which includes files of its host.
	if strings.HasSuffix(s.name, ".in") {
		return sdk.Invalidf("containerfile", "%s: a Containerfile whose name ends with .in is not built", s.name)
	}
	return s.ignore()
}

func (s *source) find(containerfile string) error {
	names := []string{"Containerfile", "Dockerfile"}
	if containerfile != "" {
		names = []string{path.Clean(containerfile)}
	}
	for _, name := range names {
		text, err := s.readFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return sdk.Invalidf("containerfile", "reading %s in the context: %w", name, err)
		}
		s.name, s.text = name, text
		return nil
	}
	attr := "containerfile"
	if containerfile == "" {
		attr = "context"
	}
	return sdk.Invalidf(attr, "the build context has no %s", strings.Join(names, " and no "))
}

// maxContainerfile is the most that a Containerfile may hold, in bytes.
const maxContainerfile = 1 << 20

func (s *source) readFile(name string) ([]byte, error) {
	f, err := sdk.OpenRegular(s.root, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxContainerfile+1))
	if err == nil && len(text) > maxContainerfile {
		err = fmt.Errorf("it is longer than %d bytes", maxContainerfile)
	}
	return text, err
}

// ignore reads the patterns of what COPY does not see.
func (s *source) ignore() error {
	for _, name := range []string{s.name + ".containerignore", s.name + ".dockerignore", ".containerignore", ".dockerignore"} {
		text, err := s.readFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			s.excludes, err = imagebuilder.ParseIgnoreReader(strings.NewReader(string(text)))
		}
		if err != nil {
			return sdk.Invalidf("context", "reading %s: %w", name, err)
		}
		break
	}
	if s.inline {
		s.excludes = append(s.excludes, inlineName)
	}
	return nil
}
