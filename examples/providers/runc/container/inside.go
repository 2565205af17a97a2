//go:build linux

package container

import (
	"cmp"
	"os"
	"path"

	securejoin "github.com/cyphar/filepath-securejoin"
	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/containerpub/cpub/examples/providers/runc/image"
	"github.com/containerpub/cpub/sdk"
)

// userOf looks for the user in the image's own files: root if nobody is named. home is where it lives.
func (in *input) userOf(img image.Image) (u specs.User, home string, err error) {
	var files []string
	for _, name := range []string{"etc/passwd", "etc/group"} {
		file, err := securejoin.SecureJoin(img.Root, name)
		if err != nil {
			return u, "", err
		}
		files = append(files, file)
	}
	found, err := user.GetExecUserPath(cmp.Or(in.User, img.Config.User), &user.ExecUser{Home: "/"}, files[0], files[1])
	if err != nil {
		return u, "", sdk.Invalidf("user", "%w", err)
	}
	if found.Uid >= image.SlotSize || found.Gid >= image.SlotSize {
		return u, "", sdk.Invalidf("user", "a container of this provider has %d users and groups", image.SlotSize)
	}
	u = specs.User{UID: uint32(found.Uid), GID: uint32(found.Gid)}
	for _, g := range found.Sgids {
		if g < image.SlotSize {
			u.AdditionalGids = append(u.AdditionalGids, uint32(g))
		}
	}
	return u, found.Home, nil
}

// workdirOf is the working directory, which must be there.
func (in *input) workdirOf(img image.Image) (string, error) {
	if in.Workdir == "" {
		return path.Clean("/" + img.Config.WorkingDir), nil // the runtime makes what the image should have had
	}
	dir := path.Clean("/" + in.Workdir)
	if _, ok := in.Tmpfs[dir]; ok {
		return dir, nil
	}
	real, err := securejoin.SecureJoin(img.Root, dir)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(real); err != nil || !info.IsDir() {
		return "", sdk.Invalidf("workdir", "the image has no folder %s", dir)
	}
	return dir, nil
}
