package build

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/containers/podman/v5/libpod/define"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/container"
	"github.com/containerpub/cpub/plugins/podman/internal/containerfile"
	"github.com/containerpub/cpub/plugins/podman/internal/image"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// Builder builds images on one Podman service. It is safe for concurrent use.
type Builder struct {
	Client *client.Client
	Images *image.Store
}

// Output is contract.ImageBuild's output.
type Output struct {
	Image  sdk.Located   `json:"image"`
	Tags   []string      `json:"tags"`
	Size   int64         `json:"size"`
	Cached bool          `json:"cached"`
	Log    *sdk.Artifact `json:"log"`
}

// errTimeLimit is the cause of a build's context when its time is up.
var errTimeLimit = errors.New("the build ran longer than its time limit")

// Run carries out image_build. A repeated attempt builds again: the layers that are there come from the cache.
func (b *Builder) Run(ctx context.Context, req *sdk.Request) (any, error) {
	in, err := decode(req)
	if err != nil {
		return nil, err
	}
	if err := container.Enforceable(ctx, b.Client, in.AllowUnenforcedLimits); err != nil {
		return nil, err
	}
	dir, err := req.Path(in.Context)
	if err != nil {
		return nil, err
	}
	src, err := open(dir, in.Containerfile)
	if err != nil {
		return nil, err
	}
	defer func() { _ = src.root.Close() }()
	src.secrets = secretsOf(req, in.BuildSecrets)

	if err := b.takeOver(ctx, req); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, in.TimeLimit.Std(), errTimeLimit)
	defer cancel()
	if err := b.bases(limited, req, in, src); err != nil {
		return nil, b.failure(limited, in, nil, err)
	}
	out, err := b.build(limited, req, in, src)
	if err != nil {
		return nil, b.failure(limited, in, failed{Log: logOf(req)}, err)
	}
	return out, nil
}

// bases checks the Containerfile against the rules and brings its base images into the store.
func (b *Builder) bases(ctx context.Context, req *sdk.Request, in Input, src *source) error {
	file, err := containerfile.Read(src.text, containerfile.Options{
		Args: in.BuildArgs, Network: in.Network, CacheMounts: req.Rules.CacheMounts, Heredocs: b.Client.AtLeast(4, 8),
		Secrets: secretIDs(in.BuildSecrets),
	})
	if errors.Is(err, containerfile.ErrDenied) {
		return &sdk.Error{Kind: sdk.KindPermanent, Code: sdk.CodeDenied, Err: fmt.Errorf("%w; the policy is in %s", err, req.Rules.Source)}
	}
	if err != nil {
		attr := "context"
		if in.Containerfile != "" {
			attr = "containerfile"
		}
		return sdk.Invalidf(attr, "%w", err)
	}
	src.steps = file.Steps
	src.changes = file.Steps[len(file.Steps)-1] > 1
	for _, base := range file.Bases {
		platform := in.Platform
		if base.Platform != "" {
			platform = base.Platform
		}
		if _, err := b.Images.PullBase(ctx, req, base.Reference, in.Pull, platform); err != nil {
			return fmt.Errorf("line %d of the Containerfile: %w", base.Line, err)
		}
	}
	return nil
}

func (b *Builder) build(ctx context.Context, req *sdk.Request, in Input, src *source) (any, error) {
	info, err := b.Client.Info(ctx)
	if err != nil {
		return nil, err
	}
	log, err := os.Create(logPath(req))
	if err != nil {
		return nil, fmt.Errorf("making the log: %w", err)
	}
	hidden := req.Redactor.Writer(log)
	a, begin := &answer{req: req, file: hidden, stages: src.steps, labels: b.labelSteps(len(origin(req, in, src, in.Labels)))}, time.Now()
	query := params(req, in, src, b.ownGroup(info))
	if err = b.limit(ctx, req, in, info, query); err == nil {
		err = b.send(ctx, query, src, a)
	}
	end := time.Now()
	broken := err != nil && ctx.Err() == nil && !errors.Is(err, errBuild)
	err = errors.Join(err, hidden.Close(), log.Close(), b.removeGroup(ctx, info, req.Key))
	if broken {
		err = errors.Join(err, b.removeLeftovers(ctx, req.Key, begin, end))
	}
	if err != nil {
		return nil, err
	}
	got, err := b.Images.Inspect(ctx, a.imageID)
	if err != nil {
		return nil, err
	}
	if err := b.Images.Keep(ctx, req, got.ID); err != nil {
		return nil, err
	}
	tags := in.Tags
	if tags == nil {
		tags = []string{}
	}
	return Output{
		Image: b.Images.Located(got.ID), Tags: tags, Size: got.Size, Cached: a.cached == a.steps,
		Log: logOf(req),
	}, nil
}

// failed is what is known of a build that failed.
type failed struct {
	Log *sdk.Artifact `json:"log"`
}

func logPath(req *sdk.Request) string { return filepath.Join(req.Scratch, "log") }

func logOf(req *sdk.Request) *sdk.Artifact {
	return sdk.File(logPath(req), "log", "text/plain; charset=utf-8")
}

// send streams the context to Podman, as a plain tar, and reads the answer.
func (b *Builder) send(ctx context.Context, query map[string][]string, src *source, a *answer) error {
	call, cancel := b.Client.Context(ctx)
	defer cancel()
	r, w := io.Pipe()
	packed := make(chan struct{})
	go func() {
		defer close(packed)
		w.CloseWithError(pack(w, src))
	}()
	defer func() {
		_ = r.CloseWithError(context.Canceled)
		<-packed
	}()
	resp, err := b.Client.Do(call, client.Call{
		Method: http.MethodPost, Endpoint: "/build", Query: query, Body: r, Header: http.Header{"Content-Type": {"application/x-tar"}},
	})
	if err != nil {
		return fmt.Errorf("sending the build to Podman: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	return a.read(resp.Body)
}

// pack writes the context as a tar, with the inline Containerfile and the secrets in front.
func pack(w io.Writer, src *source) error {
	tw := tar.NewWriter(w)
	if src.inline {
		if err := writeFile(tw, src.name, 0o644, time.Unix(0, 0), src.text); err != nil {
			return err
		}
	}
	for _, s := range src.secrets {
		if err := writeFile(tw, s.file, 0o600, time.Now(), []byte(s.text)); err != nil {
			return err
		}
	}
	// No Close: the canonical tar of the context follows, and ends both.
	if err := tw.Flush(); err != nil {
		return err
	}
	return sdk.WriteTar(w, src.root)
}

// removeGroup removes the cgroup that the RUNs lay in. A RUN that a broken off build left is killed: 4.3.1 lets it run to its
// end, although nobody listens.
func (b *Builder) removeGroup(ctx context.Context, info *define.Info, key string) error {
	host, err := b.Client.Host()
	if err != nil || !b.ownGroup(info) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	path := groupOf(owner.Short(key))
	return errors.Join(cgroup.Kill(ctx, host, path), cgroup.Remove(ctx, host, path))
}

// ownGroup tells whether the RUNs lie in a cgroup of ours: not where nobody of us could remove it. What manages the cgroups of Podman's containers does
// not matter: its builds hand the path of a cgroup to the OCI runtime as it is, and never tell it to ask systemd.
func (b *Builder) ownGroup(info *define.Info) bool {
	_, err := b.Client.Host()
	return err == nil && !info.Host.Security.Rootless
}

// failure says what a build's error means, with the outputs that there are all the same.
func (b *Builder) failure(ctx context.Context, in Input, outputs any, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		if errors.Is(cause, errTimeLimit) {
			return sdk.Failed(sdk.CodeTimeLimit, outputs, fmt.Errorf("%w of %s", errTimeLimit, in.TimeLimit))
		}
		return cause
	}
	var known *sdk.Error
	switch {
	case errors.As(err, &known), !errors.Is(err, errBuild):
		return err
	case errors.Is(err, errKilled):
		return sdk.Failed(sdk.CodeOOM, outputs, fmt.Errorf("%w (it needed more than its memory of %s)", err, in.Memory))
	case in.Platform != "" && errors.Is(err, errForeign):
		return sdk.Failed(sdk.CodeExit, outputs, fmt.Errorf("%w (the build is for %s: copy what was made for it elsewhere, or run the step on a host of "+
			"that platform)", err, in.Platform))
	default:
		return sdk.Failed(sdk.CodeExit, outputs, err)
	}
}
