package doctor

import (
	"fmt"

	"github.com/containerpub/cpub/sdk"
)

const (
	// tightSpace is where the store of images is about to be full, smallSpace where a few larger images fill it; in bytes.
	tightSpace = 1 << 30
	smallSpace = 5 << 30
	// fewInodes is less than one larger image has files.
	fewInodes = 20_000
	// fewLocks is less than some pods at a time take.
	fewLocks = 64
)

// storageDriver tells whether images are kept in layers that containers share.
func storageDriver(f *Facts) []sdk.Finding {
	if f.Info == nil {
		return nil
	}
	driver := f.Info.Store.GraphDriverName
	if driver == "vfs" {
		return warning("images are stored by the driver vfs: each layer and each container is a whole copy, which is slow and takes many times the space",
			"write `driver = \"overlay\"` into the section [storage] of storage.conf, and make the store anew where nothing in it is needed: `podman system reset`")
	}
	return fine("images are stored by the driver %s", driver)
}

// overlay tells whether the kernel itself puts the layers of images together.
func overlay(f *Facts) []sdk.Finding {
	if f.Info == nil || f.Info.Store.GraphDriverName != "overlay" {
		return nil
	}
	if program := mountProgram(f.Info.Store.GraphOptions["overlay.mount_program"]); program != "" && newer(f.Info.Host.Kernel, "5.13.0") {
		return warning(fmt.Sprintf("layers are put together by %s, a process for each container, though the kernel (%s) can do it without privileges", program, f.Info.Host.Kernel),
			"remove `mount_program` from storage.conf, and start the service again")
	}
	return fine("the kernel puts layers together, or a program where the kernel cannot")
}

// mountProgram reads what Podman says of a program: its path, or an object that has it as Executable.
func mountProgram(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		path, ok := v["Executable"].(string)
		if ok {
			return path
		}
	}
	return ""
}

// amount writes an amount as people say it.
func amount(n uint64) string {
	for _, u := range []struct {
		name   string
		factor uint64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}} {
		if n >= u.factor {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.factor), u.name)
		}
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// space tells whether there is room for images.
func space(f *Facts) []sdk.Finding {
	if f.Info == nil {
		return nil
	}
	s := f.Info.Store
	free := s.GraphRootAllocated - min(s.GraphRootUsed, s.GraphRootAllocated)
	if f.Host != nil {
		u, err := f.Host.UsageOf(s.GraphRoot)
		if err != nil {
			return fault(fmt.Sprintf("%s cannot be looked at: %v", s.GraphRoot, err), "let the worker's user read that folder")
		}
		free = u.Free
	} else if s.GraphRootAllocated == 0 {
		return nil
	}
	remedy := fmt.Sprintf("remove what nothing needs (`podman image prune`, `podman system df` tells what takes the space), or give %s more room", s.GraphRoot)
	switch {
	case free < tightSpace:
		return fault(fmt.Sprintf("%s, where images are stored, has %s left", s.GraphRoot, amount(free)), remedy)
	case free < smallSpace:
		return warning(fmt.Sprintf("%s, where images are stored, has %s left", s.GraphRoot, amount(free)), remedy)
	}
	return fine("%s, where images are stored, has %s left", s.GraphRoot, amount(free))
}

// inodes tells whether there are enough of them for the files of images.
func inodes(f *Facts) []sdk.Finding {
	if f.Info == nil || f.Host == nil {
		return nil
	}
	root := f.Info.Store.GraphRoot
	u, err := f.Host.UsageOf(root)
	if err != nil || u.Inodes == 0 { // told of by space; or a file system without a fixed number
		return nil
	}
	if u.FreeInodes < fewInodes {
		return fault(fmt.Sprintf("%s, where images are stored, has %d inodes left, for as many files", root, u.FreeInodes),
			"remove images that nothing needs (`podman image prune`), or put the store on a file system with more inodes")
	}
	return fine("%s has %d inodes left", root, u.FreeInodes)
}

// tmpSpace tells whether there is room for the images that are being pulled and built.
func tmpSpace(f *Facts) []sdk.Finding {
	if f.Info == nil || f.Host == nil || f.Info.Store.ImageCopyTmpDir == "" {
		return nil
	}
	dir := f.Info.Store.ImageCopyTmpDir
	u, err := f.Host.UsageOf(dir)
	if err != nil {
		return nil
	}
	if u.Free < tightSpace {
		return fault(fmt.Sprintf("%s, through which images are pulled and loaded, has %s left", dir, amount(u.Free)),
			"free some of it, or let `image_copy_tmp_dir` in the section [engine] of containers.conf name a folder with room; then start the service again")
	}
	return fine("%s, through which images are pulled and loaded, has %s left", dir, amount(u.Free))
}

// locks tells whether Podman can make more containers, pods and volumes.
func locks(f *Facts) []sdk.Finding {
	if f.Info == nil || f.Info.Host.FreeLocks == nil {
		return nil
	}
	n := *f.Info.Host.FreeLocks
	if n < fewLocks {
		return warning(fmt.Sprintf("Podman has %d locks left, and each container, pod and volume takes one", n),
			"remove what nothing needs (`podman container prune`, `podman volume prune`), or raise `num_locks` in the section [engine] of containers.conf "+
				"and call `podman system renumber` while no container runs")
	}
	return fine("Podman has %d locks left", n)
}
