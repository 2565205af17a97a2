package container

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// maxCollected is how many files, folders and links a step may collect.
const maxCollected = 100_000

// codeCollect is the code of a step whose container succeeded and did not leave what was to be collected.
const codeCollect = "collect"

func (in Input) checkCollect() error {
	if len(in.Collect) > 0 && in.CollectLimit <= 0 {
		return sdk.Invalidf("collect_limit", "collect_limit must be more than nothing")
	}
	l := in.layout()
	for _, name := range slices.Sorted(maps.Keys(in.Collect)) {
		p := strings.TrimSuffix(in.Collect[name], "/")
		if err := clean("collect."+name, p); err != nil {
			return err
		}
		folder := path.Dir(in.Collect[name])
		switch at := l.under(folder); {
		case at.on == onKernel || l.under(p).on == onKernel:
			return sdk.Invalidf("collect."+name, "%s is made by the runtime itself: there is nothing to collect", p)
		case at.on == onMemory && at.path == folder:
			return sdk.Invalidf("collect."+name, "%s lies in %s, which is memory: what is in it is gone when the container has ended; "+
				"write to a folder of its own, such as %s", p, folder, example(in.Collect[name], folder))
		case in.ReadOnly && folder == "/":
			return sdk.Invalidf("collect."+name, "%s lies in /, which is read-only: write to a folder of its own, such as %s", p, example(in.Collect[name], "/"))
		}
	}
	return nil
}

// example is a path that could be collected instead of one.
func example(p, folder string) string {
	if strings.HasSuffix(p, "/") {
		return path.Join(folder, "out") + "/"
	}
	return path.Join(folder, "out", path.Base(p))
}

// errCollect tells that what was to be collected is not there, or not as it must be: the container's doing, not Podman's.
type errCollect struct{ err error }

func (e errCollect) Error() string { return e.err.Error() }
func (e errCollect) Unwrap() error { return e.err }

// collect takes what the step collects out of the container that has ended. Of what is not there, or cannot be taken, the error tells, as an
// errCollect; the rest is given too.
func (a *run) collect(ctx context.Context) (map[string]*sdk.Artifact, error) {
	if len(a.in.Collect) == 0 {
		return nil, nil //nolint:nilnil // there is nothing to collect
	}
	a.req.Progress(sdk.Progress{Message: "collecting"})
	found, left := map[string]*sdk.Artifact{}, &allowance{bytes: int64(a.in.CollectLimit), most: a.in.CollectLimit.String(), entries: maxCollected}
	var errs []error
	for i, name := range slices.Sorted(maps.Keys(a.in.Collect)) {
		dir := filepath.Join(a.req.Scratch, "collected-"+strconv.Itoa(i))
		artifact, err := a.collectOne(ctx, dir, a.in.Collect[name], left)
		var theirs errCollect
		switch {
		case errors.As(err, &theirs):
			errs = append(errs, fmt.Errorf("collecting %s: %w", name, err))
		case err != nil:
			return nil, fmt.Errorf("collecting %s: %w", name, err)
		default:
			found[name] = artifact
		}
	}
	return found, errors.Join(errs...)
}

// collectOne takes the file or folder at a path of the container into dir, an empty folder to be.
func (a *run) collectOne(ctx context.Context, dir, p string, left *allowance) (*sdk.Artifact, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	wantFolder, clean := strings.HasSuffix(p, "/"), strings.TrimSuffix(p, "/")
	resp, err := a.Client.Do(ctx, client.Call{
		Method: http.MethodGet, Endpoint: "/containers/%s/archive", Path: []string{owner.Name(a.req.Key)}, Query: url.Values{"path": {clean}},
	})
	if client.NotFound(err) {
		return nil, errCollect{fmt.Errorf("the container left nothing at %s", clean)}
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := unpack(resp.Body, root, wantFolder, left); err != nil {
		return nil, err
	}
	if wantFolder {
		if err := a.leftOut(ctx, clean); err != nil {
			return nil, err
		}
		return sdk.Directory(filepath.Join(dir, content), path.Base(clean)), nil
	}
	return sdk.File(filepath.Join(dir, content), path.Base(clean), sdk.MediaTypeBytes), nil
}

// leftOut fails where Podman has left out something of a folder without a word: of a mount point, it takes dev, proc and sys for those of a root.
func (a *run) leftOut(ctx context.Context, folder string) error {
	l := a.in.layout()
	for _, v := range a.in.ownVolumes(a.req.Key) {
		l = append(l, place{v.dest, onVolume, false})
	}
	if l.under(folder).path != folder {
		return nil
	}
	for _, name := range []string{"dev", "proc", "sys"} {
		resp, err := a.Client.Do(ctx, client.Call{
			Method: http.MethodGet, Endpoint: "/containers/%s/archive", Path: []string{owner.Name(a.req.Key)}, Query: url.Values{"path": {path.Join(folder, name)}},
		})
		switch {
		case client.NotFound(err):
		case err != nil:
			return err
		default:
			return errors.Join(errCollect{fmt.Errorf("of a folder, Podman gives no %q at its top: have the container put it one folder deeper", name)}, resp.Body.Close())
		}
	}
	return nil
}
