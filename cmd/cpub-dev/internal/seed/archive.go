// Package seed puts things into the stack's object store and registry: what a platform's upload would, for people who have neither
// an S3 client nor a base image at hand.
package seed

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// epoch is the time of every entry, so that the same folder gives the same bytes.
var epoch = time.Unix(0, 0)

// WriteTar writes the files, folders and symlinks of dir as a tar with normalised owners and times. Unlike sdk.WriteTar it keeps modes and
// links of any kind: dir may be the root of an image.
func WriteTar(w io.Writer, dir string) error {
	tw := tar.NewWriter(w)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return writeEntry(tw, path, filepath.ToSlash(name), d)
	})
	if err != nil {
		return fmt.Errorf("packing %s: %w", dir, err)
	}
	return tw.Close()
}

// WriteTarGz is WriteTar, compressed.
func WriteTarGz(w io.Writer, dir string) error {
	zw := gzip.NewWriter(w)
	if err := WriteTar(zw, dir); err != nil {
		return err
	}
	return zw.Close()
}

func writeEntry(tw *tar.Writer, path, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = os.Readlink(path); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	h.Name, h.ModTime, h.AccessTime, h.ChangeTime = name, epoch, time.Time{}, time.Time{}
	h.Uid, h.Gid, h.Uname, h.Gname = 0, 0, "", ""
	if info.IsDir() {
		h.Name += "/"
	}
	if err := tw.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.Open(path) //nolint:gosec // the caller names the folder
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(tw, f)
	return err
}
