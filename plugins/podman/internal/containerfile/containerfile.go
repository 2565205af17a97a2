// Package containerfile reads what a Containerfile asks of a build's host, with the parser that Podman itself uses, so that
// the policy is applied to what will be built.
package containerfile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/openshift/imagebuilder"
	"github.com/openshift/imagebuilder/dockerfile/command"
	"github.com/openshift/imagebuilder/dockerfile/parser"
)

// Options are what a Containerfile is read under.
type Options struct {
	// Args are the values for ARG.
	Args map[string]string
	// Network is the network of the build: "none" forbids ADD to fetch.
	Network string
	// CacheMounts allows RUN --mount=type=cache.
	CacheMounts bool
	// Secrets are the ids of the secrets that the build has.
	Secrets []string
	// Heredocs tells whether the builder knows them. One that does not reads their text as instructions.
	Heredocs bool
}

// Base is an image that a build starts from or copies from.
type Base struct {
	Reference string
	Platform  string // of FROM --platform; may be empty
	Line      int
}

// File is what a Containerfile asks for.
type File struct {
	// Bases are the images from outside, in the file's order, each once.
	Bases []Base
	// Steps are the instructions of each stage, FROM included.
	Steps []int
}

// ErrDenied is in the tree of an error that is about policy, not about a mistake.
var ErrDenied = errors.New("denied by policy")

// Read parses a Containerfile and refuses what a build may not ask for. All that is wrong is told at once.
func Read(text []byte, o Options) (File, error) {
	node, err := imagebuilder.ParseDockerfile(bytes.NewReader(text))
	if err != nil {
		return File{}, fmt.Errorf("reading the Containerfile: %w", err)
	}
	// NewStages takes the instructions of the heading out of the tree.
	stages, err := imagebuilder.NewStages(node, imagebuilder.NewBuilder(o.Args))
	if err != nil {
		return File{}, fmt.Errorf("reading the Containerfile: %w", err)
	}
	if len(stages) == 0 {
		return File{}, errors.New("reading the Containerfile: there is no FROM")
	}
	r := reader{Options: o}
	for i, s := range stages {
		r.stage(s)
		r.stages = append(r.stages, strconv.Itoa(i), s.Name)
	}
	return File{Bases: r.bases, Steps: r.steps}, errors.Join(r.errs...)
}

// reader goes through the stages.
type reader struct {
	Options
	stages []string // the names and numbers of the stages above
	bases  []Base
	steps  []int
	errs   []error
}

func (r *reader) deny(n *parser.Node, rule, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%w: line %d: %s (%s)", ErrDenied, n.StartLine, fmt.Sprintf(format, args...), rule))
}

func (r *reader) wrong(n *parser.Node, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("line %d: %s", n.StartLine, fmt.Sprintf(format, args...)))
}

func (r *reader) stage(s imagebuilder.Stage) {
	name, err := s.Builder.From(s.Node)
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("line %d: %w", s.Node.StartLine, err))
		return
	}
	r.base(s.Node, name, s.Builder.Platform)
	r.steps = append(r.steps, 1+len(s.Node.Children))
	for _, n := range s.Node.Children {
		r.instruction(n)
	}
}

// base takes note of an image, unless it is a stage above, or nothing at all.
func (r *reader) base(n *parser.Node, name, platform string) {
	switch {
	case name == imagebuilder.NoBaseImageSpecifier || slices.Contains(r.stages, name):
	case name == "":
		r.errs = append(r.errs, fmt.Errorf("line %d: the base image is empty after its variables were replaced; is a build argument missing?", n.StartLine))
	case !slices.ContainsFunc(r.bases, func(b Base) bool { return b.Reference == name && b.Platform == platform }):
		r.bases = append(r.bases, Base{Reference: name, Platform: platform, Line: n.StartLine})
	}
}

func (r *reader) instruction(n *parser.Node) {
	if len(n.Heredocs) > 0 && !r.Heredocs {
		r.wrong(n, "heredocs (<<EOF) need Podman 4.8 or newer")
	}
	switch strings.ToLower(n.Value) {
	case command.Run:
		r.run(n)
	case command.Copy:
		r.from(n)
	case command.Add:
		r.from(n)
		r.add(n)
	case command.Onbuild:
		// It runs in the builds of others, under their rules.
	}
}

// from looks at --from of COPY.
func (r *reader) from(n *parser.Node) {
	for _, f := range n.Flags {
		name, ok := strings.CutPrefix(f, "--from=")
		if !ok {
			continue
		}
		if strings.Contains(name, "$") {
			r.deny(n, "registries.from", "%s: write the image or stage, not a variable", f)
			continue
		}
		r.base(n, name, "")
	}
}

// add refuses to fetch without a network: the fetching is done by Podman, on its own network.
func (r *reader) add(n *parser.Node) {
	if r.Network != "none" {
		return
	}
	for arg := n.Next; arg != nil && arg.Next != nil; arg = arg.Next {
		remote := strings.Contains(arg.Value, "://") || strings.HasPrefix(arg.Value, "git@") || strings.HasPrefix(arg.Value, "github.com/")
		local := strings.HasPrefix(arg.Value, "/") || strings.HasPrefix(arg.Value, "./")
		switch {
		case remote:
			r.deny(n, "networks", "ADD %s would fetch, and the build has no network", arg.Value)
		case strings.Contains(arg.Value, "$") && !local:
			r.deny(n, "networks", "ADD %s might fetch, and the build has no network; begin it with ./ if it is a file", arg.Value)
		}
	}
}

// run looks at the flags of RUN.
func (r *reader) run(n *parser.Node) {
	for _, f := range n.Flags {
		name, value, _ := strings.Cut(strings.TrimPrefix(f, "--"), "=")
		switch name {
		case "mount":
			r.mount(n, value)
		case "network":
			if value != "none" && value != "default" && value != r.Network {
				r.deny(n, "networks", "RUN %s, and the build's network is %s", f, r.Network)
			}
		default:
			r.deny(n, "image_build", "RUN %s is not allowed", f)
		}
	}
}

func (r *reader) mount(n *parser.Node, options string) {
	if strings.Contains(options, "$") {
		r.deny(n, "image_build", "RUN --mount=%s: write the options, not variables", options)
		return
	}
	kind, id, optional := "bind", "", false
	for o := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(o, "=")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "type":
			kind = strings.ToLower(strings.Trim(value, `" `))
		case "from":
			r.base(n, strings.Trim(value, `" `), "")
		case "id":
			id = strings.Trim(value, `" `)
		case "required":
			optional = value == "false"
		case "env":
			r.wrong(n, "RUN --mount=%s: env is not served; read the secret from its file, /run/secrets/ID", options)
		}
	}
	switch kind {
	case "bind", "tmpfs":
	case "secret":
		if !optional && !slices.Contains(r.Secrets, id) {
			r.wrong(n, "RUN --mount=%s: there is no secret %q in build_secrets", options, id)
		}
	case "cache":
		if !r.CacheMounts {
			r.deny(n, "cache_mounts", "RUN --mount=type=cache is not allowed")
		}
	default:
		r.deny(n, "image_build", "RUN --mount=type=%s is not served", kind)
	}
}
