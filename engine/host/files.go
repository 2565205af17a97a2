package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/internal/wire"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// fetch brings the artifacts of an input here, and gives their paths by digest.
func (h *Host) fetch(ctx context.Context, o schema.Object, input json.RawMessage) (map[string]string, error) {
	v, err := schema.DecodeJSON(input)
	if err != nil {
		return nil, sdk.Invalidf("", "%s", err)
	}
	files := map[string]string{}
	err = o.EachArtifact(v, func(path string, format schema.Format, fields map[string]any) error {
		a := artifactOf(fields)
		if isDir := a.MediaType == sdk.MediaTypeDirectory; isDir != (format == schema.FormatDirectory) {
			return sdk.Invalidf(path, "a %s is needed, not a %s", format, map[bool]string{true: "directory", false: "file"}[isDir])
		}
		local, err := h.cache.Path(ctx, a)
		switch {
		case errors.Is(err, artifact.ErrNotFound), errors.Is(err, artifact.ErrCorrupt):
			return sdk.Permanentf("the artifact of %s cannot be had: %w", path, err)
		case err != nil:
			return fmt.Errorf("fetching the artifact of %s: %w", path, err)
		case files[a.Digest] != "" && files[a.Digest] != local:
			return sdk.Invalidf(path, "the same bytes are used as a file and as a directory")
		}
		files[a.Digest] = local
		return nil
	})
	return files, err
}

func artifactOf(fields map[string]any) sdk.Artifact {
	text := func(name string) string {
		s, _ := fields[name].(string)
		return s
	}
	return sdk.Artifact{Digest: text("digest"), MediaType: text("media_type"), Name: text("name"), Path: text("path")}
}

// take checks a provider's outputs and takes their artifacts into the store; what the provider gave as a path leaves as a digest.
func (h *Host) take(ctx context.Context, o schema.Object, outputs json.RawMessage, req *sdk.Request) (json.RawMessage, error) {
	if problems := o.CheckOutput(outputs); len(problems) > 0 {
		return nil, sdk.Permanentf("the provider's outputs do not fit its own schema: %w", problems[0])
	}
	v, err := schema.DecodeJSON(outputs)
	if err != nil {
		return nil, sdk.Permanentf("the provider's outputs: %w", err)
	}
	scratch, err := os.OpenRoot(req.Scratch)
	if err != nil {
		return nil, fmt.Errorf("opening the scratch folder: %w", err)
	}
	defer scratch.Close()
	err = o.EachArtifact(v, func(path string, format schema.Format, fields map[string]any) error {
		if err := h.takeArtifact(ctx, scratch, format, fields, req); err != nil {
			return fmt.Errorf("the artifact of output %s: %w", path, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding the outputs: %w", err)
	}
	if len(data) > wire.MaxOutputs {
		return nil, sdk.Permanentf("the outputs have %d bytes, more than %d: they must be given as a file", len(data), wire.MaxOutputs)
	}
	return data, nil
}

func (h *Host) takeArtifact(ctx context.Context, scratch *os.Root, format schema.Format, fields map[string]any, req *sdk.Request) error {
	given := artifactOf(fields)
	if given.Path == "" {
		if _, ok := req.Files[given.Digest]; ok { // one of the input's, passed on
			delete(fields, "path")
			return nil
		}
		return sdk.Permanentf("it has no path: it is made with sdk.File or sdk.Directory")
	}
	name, err := below(scratch.Name(), given.Path)
	if err != nil {
		return err
	}
	var a sdk.Artifact
	if format == schema.FormatDirectory {
		a, err = h.cache.AddDir(ctx, scratch, name)
	} else {
		a, err = h.cache.AddFile(ctx, scratch, name)
	}
	if errors.Is(err, artifact.ErrUnfit) {
		return sdk.Permanent(err)
	}
	if err != nil {
		return err
	}
	if format == schema.FormatFile && given.MediaType != "" && given.MediaType != sdk.MediaTypeDirectory {
		a.MediaType = given.MediaType
	}
	delete(fields, "path")
	fields["digest"], fields["size"], fields["media_type"], fields["name"] = a.Digest, a.Size, a.MediaType, given.Name
	return nil
}

// below gives a path relative to the folder. That its links do not lead out is then os.Root's matter, whatever becomes of them.
func below(folder, path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", sdk.Permanentf("the path %q is not absolute", path)
	}
	name, err := filepath.Rel(folder, filepath.Clean(path))
	if err != nil || !filepath.IsLocal(name) || name == "." {
		return "", sdk.Permanentf("the path %q does not lie below the scratch folder of its step", path)
	}
	return name, nil
}
