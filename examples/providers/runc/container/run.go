//go:build linux

package container

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerpub/cpub/examples/providers/runc/image"
	"github.com/containerpub/cpub/sdk"
)

// Runner runs containers. It is safe for concurrent use.
type Runner struct {
	Images *image.Store
	Dir    string // where the folders of containers are
	RunDir string // where their roots are mounted, and the runtime's state is
	Runc   string // the runtime
	Init   string // the first process of each container
}

// run is one attempt.
type run struct {
	*Runner

	req    *sdk.Request
	in     *input
	record record
}

// Run carries out one attempt of container_run. What carries the request's key is adopted unless the attempt before returned. On success
// the container's folder stays until Release, so that an attempt that must answer again can; on failure and cancel all is removed; when the
// host detaches, the container runs on.
func (r *Runner) Run(ctx context.Context, req *sdk.Request) (any, error) {
	in, err := decode(req)
	if err != nil {
		return nil, err
	}
	a := &run{Runner: r, req: req, in: in}
	out, err := a.do(ctx)
	if err != nil && !errors.Is(context.Cause(ctx), sdk.ErrDetached) {
		err = errors.Join(err, r.Remove(context.WithoutCancel(ctx), req.Key))
	}
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return out, err
}

func (a *run) do(ctx context.Context) (any, error) {
	adopted, err := a.adopt(ctx)
	if err != nil {
		return nil, err
	}
	if !adopted {
		if err := a.create(ctx); err != nil {
			return nil, err
		}
	}
	return a.follow(ctx)
}

// adopt finds what an earlier attempt left under the key, and tells whether it is gone on with. What is of no use is removed: what belongs
// to an attempt that returned, a container whose code never started, and one whose supervisor was killed, so that its end is not known.
func (a *run) adopt(ctx context.Context) (bool, error) {
	f := a.folder()
	if !f.has("") {
		return false, nil
	}
	useful := !a.req.Returned && f.has("started") && (f.supervised() || f.has("exit"))
	if !useful {
		return false, a.Remove(ctx, a.req.Key)
	}
	there, err := f.read("record", &a.record)
	if err == nil && !there {
		err = errors.New("the container of an earlier attempt has no record")
	}
	if err == nil {
		a.req.Logf("adopting the container of attempt %d", a.record.Attempt)
	}
	return true, err
}

// create makes the container, proves its limits, and starts it.
func (a *run) create(ctx context.Context) error {
	id, err := a.resolve(ctx)
	if err != nil {
		return err
	}
	a.req.Progress(sdk.Progress{Message: "creating the container"})
	begin := time.Now()
	img, done, err := a.Images.Use(sdk.Located{ID: id, Location: a.Images.Location})
	if err != nil {
		return err
	}
	a.record = record{
		Key: a.req.Key, Run: a.req.Run, Step: a.req.Step, Attempt: a.req.Attempt, Image: id, Since: begin, PullMS: a.record.PullMS,
	}
	err = a.folder().write("record", a.record)
	done()
	if err != nil {
		return err
	}
	spec, err := a.specification(img)
	if err != nil {
		return err
	}
	if err := a.bundle().create(img, a.Images.Shift, a.folder(), spec); err != nil {
		return err
	}
	s, err := a.supervise(ctx)
	if err != nil {
		return a.classify(err)
	}
	defer s.close()
	if a.record.Limits, err = a.prove(s.pid); err != nil {
		return err
	}
	a.record.MakeMS = time.Since(begin).Milliseconds()
	if err := a.folder().write("record", a.record); err != nil {
		return err
	}
	return s.start()
}

// resolve gives the id of the image to run, pulling it where needed.
func (a *run) resolve(ctx context.Context) (string, error) {
	located, reference, err := a.in.image()
	if err != nil {
		return "", err
	}
	if reference == "" {
		_, done, err := a.Images.Use(located)
		if err == nil {
			done()
		}
		return located.ID, err
	}
	begin := time.Now()
	id, _, err := a.Images.Pull(ctx, a.req, "image", reference, "missing")
	a.record.PullMS = time.Since(begin).Milliseconds()
	return id, err
}

// classify says of the runtime's failures whether they are the author's.
func (a *run) classify(err error) error {
	if text := err.Error(); strings.Contains(text, "memory limit too low") || strings.Contains(text, "OOM-killed") {
		return sdk.Invalidf("memory", "no container starts with %s: %w", a.in.limits(), err)
	}
	return err
}

func (a *run) name() string   { return name(a.req.Key) }
func (a *run) folder() folder { return a.Runner.folder(a.name()) }
func (a *run) bundle() bundle { return a.Runner.bundle(a.name()) }
func (a *run) cgroup() cgroup { return cgroupOf(a.name()) }

func (r *Runner) folder(name string) folder { return folder(filepath.Join(r.Dir, name)) }
func (r *Runner) bundle(name string) bundle { return bundle(filepath.Join(r.RunDir, name)) }
func (r *Runner) runtime() runtime {
	return runtime{Path: r.Runc, State: filepath.Join(r.RunDir, "state")}
}

func cgroupOf(name string) cgroup { return cgroup(groups + "/" + name) }

// name is what the container of a key is called by: the key, which is a hex string.
func name(key string) string {
	if strings.Trim(key, "0123456789abcdef") == "" && len(key) >= 16 && len(key) <= 64 {
		return key
	}
	return image.Hash(key)
}
