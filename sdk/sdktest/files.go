package sdktest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// File makes an artifact of a copy of the file at path, for the input of a step.
func (h *Harness) File(path string) *sdk.Artifact {
	h.t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatalf("reading a file of the test: %v", err)
	}
	return h.Bytes(filepath.Base(path), content)
}

// Bytes makes an artifact of a file with that name and content.
func (h *Harness) Bytes(name string, content []byte) *sdk.Artifact {
	h.t.Helper()
	dir := h.mkdir("file-")
	if err := os.WriteFile(filepath.Join(dir, "bytes"), content, 0o644); err != nil { //nolint:gosec // as a worker keeps artifacts: containers read them as other users
		h.t.Fatalf("writing a file: %v", err)
	}
	return h.must(h.add(dir, "bytes", schema.FormatFile, sdk.Artifact{Name: name, MediaType: sdk.MediaTypeBytes}))
}

// Dir makes an artifact of a copy of the folder at path.
func (h *Harness) Dir(path string) *sdk.Artifact {
	h.t.Helper()
	dir := h.mkdir("dir-")
	if err := os.CopyFS(filepath.Join(dir, "tree"), os.DirFS(path)); err != nil {
		h.t.Fatalf("copying a folder of the test: %v", err)
	}
	return h.must(h.add(dir, "tree", schema.FormatDirectory, sdk.Artifact{Name: filepath.Base(path), MediaType: sdk.MediaTypeDirectory}))
}

func (h *Harness) must(a *sdk.Artifact, err error) *sdk.Artifact {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("making an artifact: %v", err)
	}
	return a
}

// Path gives where an artifact of this harness is: a file, or a folder.
func (h *Harness) Path(a *sdk.Artifact) string {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	p, ok := h.files[a.Digest]
	if !ok {
		h.t.Fatalf("the harness has no artifact %q", a.Digest)
	}
	return p
}

// add measures what is at name below dir, and makes it known under its digest.
func (h *Harness) add(dir, name string, format schema.Format, a sdk.Artifact) (*sdk.Artifact, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	sum, counter := sha256.New(), &counter{}
	if err := write(io.MultiWriter(sum, counter), root, name, format); err != nil {
		return nil, err
	}
	a.Digest, a.Size, a.Path = "sha256:"+hex.EncodeToString(sum.Sum(nil)), counter.n, ""
	h.mu.Lock()
	defer h.mu.Unlock()
	h.files[a.Digest] = filepath.Join(dir, name)
	return &a, nil
}

func write(w io.Writer, root *os.Root, name string, format schema.Format) error {
	if format == schema.FormatDirectory {
		sub, err := root.OpenRoot(name)
		if err != nil {
			return err
		}
		defer sub.Close()
		return sdk.WriteTar(w, sub)
	}
	f, err := sdk.OpenRegular(root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// ingest takes the artifacts of outputs out of the scratch folder, and puts their digests where their paths were.
func (h *Harness) ingest(o schema.Object, outputs json.RawMessage, scratch string) (json.RawMessage, error) {
	v, err := schema.DecodeJSON(outputs)
	if err != nil {
		return nil, err
	}
	err = o.EachArtifact(v, func(path string, format schema.Format, fields map[string]any) error {
		a, err := h.take(fields, format, scratch)
		if err != nil {
			return sdk.Permanentf("output %s: %w", path, err)
		}
		delete(fields, "path")
		fields["digest"], fields["size"], fields["media_type"], fields["name"] = a.Digest, a.Size, a.MediaType, a.Name
		return nil
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// take moves one artifact from the scratch folder to one of the harness.
func (h *Harness) take(fields map[string]any, format schema.Format, scratch string) (*sdk.Artifact, error) {
	path, _ := fields["path"].(string)
	if path == "" {
		return nil, fmt.Errorf("the artifact has no path: make it with sdk.File or sdk.Directory")
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(scratch, real)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, fmt.Errorf("%s does not lie below the request's scratch folder", path)
	}
	a := sdk.Artifact{MediaType: sdk.MediaTypeBytes}
	a.Name, _ = fields["name"].(string)
	if m, ok := fields["media_type"].(string); ok && m != "" {
		a.MediaType = m
	}
	dir := h.mkdir("out-")
	if err := os.Rename(real, filepath.Join(dir, "out")); err != nil {
		return nil, err
	}
	return h.add(dir, "out", format, a)
}
