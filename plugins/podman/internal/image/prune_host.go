package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/images"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

// ignoreGone leaves out that an image is not there any more, or is needed again.
func ignoreGone(err error) error {
	if err == nil || client.NotFound(err) || client.Conflict(err) || strings.Contains(err.Error(), "in use by") || strings.Contains(err.Error(), "image not known") {
		return nil
	}
	return err
}

// since tells since when images are in the store, by id: what an image says of itself is when it was made, wherever that was. Nothing where
// the store's disk cannot be seen.
func (s *Store) since(ctx context.Context) (map[string]time.Time, error) {
	host, err := s.Client.Host()
	if err != nil {
		return nil, nil //nolint:nilerr // then what they say of themselves has to do
	}
	info, err := s.Client.Info(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := host.ReadDir(ctx, path.Join(info.Store.GraphRoot, info.Store.GraphDriverName+"-images"))
	if err != nil {
		return nil, nil //nolint:nilerr // as above
	}
	since := map[string]time.Time{}
	for _, e := range entries {
		since[e.Name] = e.Modified
	}
	return since, nil
}

// services are the images that the unit files of services name (Quadlets), and the files of Kubernetes that these name.
func (s *Store) services(ctx context.Context) ([]string, error) {
	host, err := s.Client.Host()
	if err != nil {
		return nil, err
	}
	info, err := s.Client.Info(ctx)
	if err != nil {
		return nil, err
	}
	folders := []string{"/etc/containers/systemd", "/run/containers/systemd", "/usr/share/containers/systemd"}
	if info.Store.ConfigFile != "" {
		folders = append(folders, path.Join(path.Dir(info.Store.ConfigFile), "systemd")) // a user's own
	}
	var files []string
	for _, folder := range folders {
		if err := unitFiles(ctx, host, folder, 3, &files); err != nil {
			return nil, err
		}
	}
	if len(files) == 0 {
		return nil, nil
	}
	var names []string
	for n, c := range host.ReadFiles(ctx, files...) {
		if errors.Is(c.Err, fs.ErrNotExist) {
			continue
		}
		if c.Err != nil {
			return nil, fmt.Errorf("reading %s: %w", files[n], c.Err)
		}
		names = append(names, imagesIn(string(c.Data))...)
	}
	return names, nil
}

// unitFiles adds the files below a folder.
func unitFiles(ctx context.Context, host hostfs.Host, folder string, depth int, files *[]string) error {
	entries, err := host.ReadDir(ctx, folder)
	if errors.Is(err, fs.ErrNotExist) || depth == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", folder, err)
	}
	for _, e := range entries {
		name := path.Join(folder, e.Name)
		if !e.Dir {
			*files = append(*files, name)
		} else if err := unitFiles(ctx, host, name, depth-1, files); err != nil {
			return err
		}
	}
	return nil
}

// imagesIn are the images that a unit file, or a file of Kubernetes, names.
func imagesIn(text string) (names []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "- "))
		for _, key := range []string{"Image=", "image:"} {
			if name, ok := strings.CutPrefix(line, key); ok {
				names = append(names, strings.Trim(strings.TrimSpace(name), `"'`))
			}
		}
	}
	return names
}

// reclaimable is what each of these images frees, by id: the layers that no other image has, of those that several of them have once.
func (s *Store) reclaimable(ctx context.Context, all, chosen []stored) (map[string]int64, error) {
	free := map[string]int64{}
	if len(chosen) == 0 {
		return free, nil
	}
	removed := map[string]bool{}
	for _, i := range chosen {
		removed[i.id] = true
	}
	taken := map[string]bool{}
	for _, i := range all {
		if removed[i.id] {
			continue
		}
		layers, err := s.layers(ctx, i, false)
		if err != nil {
			return nil, err
		}
		for _, l := range layers {
			taken[l.chain] = true
		}
	}
	for _, i := range chosen {
		layers, err := s.layers(ctx, i, true)
		if err != nil {
			return nil, err
		}
		for _, l := range layers {
			if !taken[l.chain] {
				taken[l.chain] = true
				free[i.id] += l.size
			}
		}
	}
	return free, nil
}

// layer is one layer of an image: it is the same as another one only on top of the same ones.
type layer struct {
	chain string
	size  int64
}

// layers are those of an image, with their sizes where these are asked for. An image that went meanwhile has none.
func (s *Store) layers(ctx context.Context, i stored, sizes bool) ([]layer, error) {
	got, err := s.inspect(ctx, i.id)
	if err != nil || got.RootFS == nil {
		return nil, ignoreGone(err)
	}
	var layers []layer
	chain := ""
	for _, diff := range got.RootFS.Layers {
		chain += diff.String() + " "
		layers = append(layers, layer{chain: chain})
	}
	if !sizes || len(layers) == 0 {
		return layers, nil
	}
	call, cancel := s.Client.Context(ctx)
	defer cancel()
	history, err := images.History(call, i.id, nil)
	if err = ignoreGone(err); err != nil {
		return nil, fmt.Errorf("reading the layers of %s: %w", i.id, err)
	}
	at := 0
	for n := range got.History {
		// The one begins with the oldest, the other with the newest.
		if back := len(history) - 1 - n; !got.History[n].EmptyLayer && back >= 0 && at < len(layers) {
			layers[at].size = history[back].Size
			at++
		}
	}
	return layers, nil
}
