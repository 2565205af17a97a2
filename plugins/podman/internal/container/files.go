package container

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/specgen"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

func (in Input) checkFiles() error {
	l := in.layout()
	for _, p := range slices.Sorted(maps.Keys(in.Files)) {
		if err := clean("files", p); err != nil {
			return err
		}
		switch at := l.under(p); {
		case in.Files[p] == nil:
			return sdk.Invalidf("files", "%s: there is no file or directory to put there", p)
		case at.on == onMemory:
			return sdk.Invalidf("files", "%s lies in %s, which is memory that is empty when the container starts: choose another path, or leave %s out of `tmpfs`", p, at.path, at.path)
		case at.on == onHost:
			return sdk.Invalidf("files", "%s lies in %s, which is a mount of the host's own files: choose another path", p, at.path)
		case at.on == onKernel:
			return sdk.Invalidf("files", "%s lies in %s, which the runtime makes itself: choose another path", p, at.path)
		}
	}
	return nil
}

// fileSystem is what the container's file system is made of, beside its image.
func (a *run) fileSystem(ctx context.Context, info *define.Info) (mounted, error) {
	out := mounted{own: a.in.ownVolumes(a.req.Key)}
	for i := range a.in.Mount {
		if err := a.mount(ctx, &out, i, info); err != nil {
			return out, err
		}
	}
	l := a.in.layout()
	for _, v := range out.own {
		l = append(l, place{v.dest, onVolume, v.readOnly})
		out.volumes = append(out.volumes, &specgen.NamedVolume{Name: v.name, Dest: v.dest, Options: []string{"nosuid", "nodev", access(v.readOnly)}})
	}
	for _, p := range slices.Sorted(maps.Keys(a.in.Files)) {
		source, err := a.req.Path(a.in.Files[p])
		if err != nil {
			return out, err
		}
		out.puts = append(out.puts, put{attr: "files", source: source, base: l.under(p).path, path: p})
	}
	return out, nil
}

// putFiles copies artifacts into the container that is created and not started, one stream for each mount point. They belong to the container's user.
func (a *run) putFiles(ctx context.Context, all []put) error {
	for len(all) > 0 {
		base := all[0].base
		var same, others []put
		for _, p := range all {
			if p.base == base {
				same = append(same, p)
			} else {
				others = append(others, p)
			}
		}
		if err := a.putBelow(ctx, base, same); err != nil {
			return err
		}
		all = others
	}
	return nil
}

func (a *run) putBelow(ctx context.Context, base string, all []put) error {
	r, w := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := pack(w, base, all)
		w.CloseWithError(err)
		packed <- err
	}()
	resp, err := a.Client.Do(ctx, client.Call{
		Method: http.MethodPut, Endpoint: "/containers/%s/archive", Path: []string{owner.Name(a.req.Key)},
		Query: url.Values{"path": {base}, "copyUIDGID": {"true"}}, Body: r,
	})
	r.CloseWithError(errors.New("the service reads no further"))
	perr := <-packed
	if err != nil {
		return a.classifyPut(all, errors.Join(fmt.Errorf("copying files into the container: %w", err), perr))
	}
	return errors.Join(perr, resp.Body.Close())
}

// classifyPut says of an error whether it is the author's.
func (a *run) classifyPut(all []put, err error) error {
	for _, sign := range []string{"not a directory", "is a directory", "file exists", "unable to find user", "no matching entries in passwd"} {
		if strings.Contains(err.Error(), sign) {
			return sdk.Invalidf(all[0].attr, "%w", err)
		}
	}
	return err
}

// pack writes a tar of artifacts at their paths below a mount point.
func pack(w io.Writer, base string, all []put) error {
	tw := tar.NewWriter(w)
	for _, p := range all {
		name := strings.TrimPrefix(strings.TrimPrefix(p.path, base), "/")
		if err := packOne(tw, name, p.source); err != nil {
			return fmt.Errorf("packing what goes to %s: %w", p.path, err)
		}
	}
	return tw.Close()
}

// packOne writes a file or folder under a name; of a folder with the name "", what is in it.
func packOne(tw *tar.Writer, name, source string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	dir, base := source, "."
	if !info.IsDir() {
		dir, base = filepath.Split(source)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), base, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		as := path.Join(name, p)
		if !info.IsDir() {
			as = name
		}
		if as == "." || as == "" {
			return nil
		}
		return sdk.WriteTarEntry(tw, root, p, as, d)
	})
}
