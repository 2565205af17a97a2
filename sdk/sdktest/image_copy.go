package sdktest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	oci "github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/containerpub/cpub/sdk"
)

// copied are the outputs of image_copy.
type copied struct {
	Reference *string       `json:"reference"`
	Digest    string        `json:"digest"`
	Size      int64         `json:"size"`
	Archive   *sdk.Artifact `json:"archive"`
	Cached    bool          `json:"cached"`
}

// ImageCopy is the suite of the contract image_copy. Where the provider serves image_pull, images of its store are copied, too.
func ImageCopy(t *testing.T, h *Harness, i Images) {
	i = i.prepared(t)
	t.Run("registries", func(t *testing.T) { copiesBetweenRegistries(t, h.For(t), i) })
	t.Run("archive", func(t *testing.T) { copiesToArchives(t, h.For(t), i) })
	t.Run("store", func(t *testing.T) { copiesFromStores(t, h.For(t), i) })
	t.Run("damaged", func(t *testing.T) { refusesDamaged(t, h.For(t), i) })
	t.Run("refuses", func(t *testing.T) { refusesCopy(t, h.For(t), i) })
}

func (h *Harness) copy(i Images, input map[string]any) Call {
	return Call{Type: "image_copy", Input: input, Rules: i.rules()}
}

// putIndex puts an image of two platforms into the registry, and gives its digest.
func (i Images) putIndex(t *testing.T, ref string) string {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, arch := range []string{"amd64", "arm64"} {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: i.image(t, arch+ref), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	parsed, opts := i.remote(t, ref)
	check(t, oci.WriteIndex(parsed, index, opts...))
	digest, err := index.Digest()
	check(t, err)
	return digest.String()
}

// has checks that the registry has an image whole: its manifests, and their layers.
func (i Images) has(t *testing.T, ref, digest string) {
	t.Helper()
	parsed, opts := i.remote(t, ref)
	got, err := oci.Get(parsed, opts...)
	if err != nil || got.Digest.String() != digest {
		t.Errorf("the registry has %s as %v (%v), want %s", ref, got, err, digest)
		return
	}
	images := []v1.Image{}
	if index, err := got.ImageIndex(); got.MediaType.IsIndex() && err == nil {
		manifest, err := index.IndexManifest()
		check(t, err)
		for _, m := range manifest.Manifests {
			img, err := index.Image(m.Digest)
			check(t, err)
			images = append(images, img)
		}
	} else {
		img, err := got.Image()
		check(t, err)
		images = append(images, img)
	}
	for _, img := range images {
		layers, err := img.Layers()
		check(t, err)
		for _, l := range layers {
			r, err := l.Compressed()
			check(t, err)
			_, err = bytes.NewBuffer(nil).ReadFrom(r) // it verifies
			check(t, err)
			check(t, r.Close())
		}
	}
}

func copiesBetweenRegistries(t *testing.T, h *Harness, i Images) {
	one, many := i.reference("one"), i.reference("many")
	for source, digest := range map[string]string{one: i.put(t, one, i.image(t, one)), many: i.putIndex(t, many)} {
		dest := i.reference("copy")
		var out, again copied
		first := h.Run(h.copy(i, map[string]any{"source": source, "destination": dest}))
		first.Decode(&out)
		if out.Digest != digest || out.Reference == nil || *out.Reference != withDigest(dest, digest) || out.Archive != nil || out.Cached || out.Size <= 0 {
			t.Errorf("copied %s: %+v, want %s", source, out, digest)
		}
		i.has(t, dest, digest)
		inBytes(t, first, out.Size)
		for _, call := range []Call{
			{Type: "image_copy", Input: map[string]any{"source": source, "destination": dest}, Rules: i.rules(), Key: first.Key, Attempt: 2},
			h.copy(i, map[string]any{"source": withDigest(source, digest), "destination": dest}),
		} {
			h.Run(call).Decode(&again)
			if !again.Cached || again.Digest != digest {
				t.Errorf("copied again: %+v", again)
			}
		}
		// A tag that is something else moves.
		other := i.reference("other")
		moved := i.put(t, other, i.image(t, other))
		h.Run(h.copy(i, map[string]any{"source": other, "destination": dest})).Decode(&again)
		if again.Cached || again.Digest != moved {
			t.Errorf("copied another image: %+v, want %s", again, moved)
		}
		i.has(t, dest, moved)
	}
}

// inBytes checks that a step told how far it was, to the end.
func inBytes(t *testing.T, res *Result, size int64) {
	t.Helper()
	var last sdk.Progress
	for _, p := range res.ProgressReports() {
		if p.Unit == "bytes" {
			last = p
		}
	}
	if last.Done != size || last.Total != size {
		t.Errorf("the last progress is %+v, want %d bytes of as many", last, size)
	}
}

func copiesToArchives(t *testing.T, h *Harness, i Images) {
	one, many := i.reference("one"), i.reference("many")
	for source, digest := range map[string]string{one: i.put(t, one, i.image(t, one)), many: i.putIndex(t, many)} {
		var out, again, back copied
		first := h.Run(h.copy(i, map[string]any{"source": source}))
		first.Decode(&out)
		if out.Digest != digest || out.Reference != nil || out.Archive == nil || out.Archive.Size < out.Size {
			t.Fatalf("%s as an archive: %+v, want %s", source, out, digest)
		}
		inBytes(t, first, out.Size)
		h.Run(h.copy(i, map[string]any{"source": source})).Decode(&again)
		if again.Archive.Digest != out.Archive.Digest {
			t.Errorf("the second archive is %s, the first one %s", again.Archive.Digest, out.Archive.Digest)
		}
		dest := i.reference("back")
		restored := h.Run(h.copy(i, map[string]any{"archive": out.Archive, "destination": dest}))
		restored.Decode(&back)
		if back.Digest != digest || back.Reference == nil || *back.Reference != withDigest(dest, digest) || back.Size != out.Size {
			t.Errorf("back from the archive: %+v, want %s", back, digest)
		}
		inBytes(t, restored, out.Size)
		i.has(t, dest, digest)
	}
}

// copiesFromStores: what is in the provider's store goes to an archive, and comes back from a registry as the same image.
func copiesFromStores(t *testing.T, h *Harness, i Images) {
	if h.info.Step("image_pull") == nil {
		return
	}
	image, config := h.pulledImage(t, i)
	var out, again, back copied
	h.Run(h.copy(i, map[string]any{"image": image})).Decode(&out)
	h.Run(h.copy(i, map[string]any{"image": image})).Decode(&again)
	if out.Archive == nil || again.Archive == nil || out.Archive.Digest != again.Archive.Digest || out.Digest != again.Digest {
		t.Fatalf("an image of the store as an archive: %+v, and then %+v", out, again)
	}
	dest := i.reference("restored")
	h.Run(h.copy(i, map[string]any{"archive": out.Archive, "destination": dest})).Decode(&back)
	if have, err := i.get(t, dest).ConfigName(); err != nil || have != config || back.Digest != out.Digest {
		t.Errorf("restored %+v with the config %s (%v), want %s", back, have, err, config)
	}
	var pulledBack pulled
	h.pull(i, *back.Reference, "always").Decode(&pulledBack)
	if pulledBack.Image != image {
		t.Errorf("the image that came back is %+v, want %+v", pulledBack.Image, image)
	}
	dest = i.reference("pushed")
	h.Run(h.copy(i, map[string]any{"image": image, "destination": dest})).Decode(&back)
	i.has(t, dest, back.Digest)
}

// refusesDamaged: no byte of an archive may be another one.
func refusesDamaged(t *testing.T, h *Harness, i Images) {
	ref := i.reference("v1")
	i.put(t, ref, i.image(t, ref))
	var out copied
	h.Run(h.copy(i, map[string]any{"source": ref})).Decode(&out)
	content, err := os.ReadFile(h.Path(out.Archive))
	check(t, err)
	at := bytes.Index(content, []byte("\x1f\x8b")) // in a layer
	if at < 0 {
		t.Fatal("the archive has no compressed layer")
	}
	damaged := bytes.Clone(content)
	damaged[at+100] ^= 1
	for name, archive := range map[string][]byte{
		"a layer": damaged, "an end": content[:len(content)/2], "no archive": []byte("hello"), "nothing": {},
		"a manifest": bytes.Replace(content, []byte(`"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest`), []byte(`"schemaVersion":2,"mediaTypo":"application/vnd.oci.image.manifest`), 1),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "image.tar")
			check(t, os.WriteFile(path, archive, 0o600))
			dest := i.reference("damaged")
			res := h.For(t).Run(h.copy(i, map[string]any{"archive": h.File(path), "destination": dest}))
			wantKind(t, res, sdk.KindPermanent)
			if i.get(t, dest) != nil {
				t.Error("it is in the registry all the same")
			}
		})
	}
}

func refusesCopy(t *testing.T, h *Harness, i Images) {
	ref, dest := i.reference("v1"), i.reference("copy")
	digest := i.put(t, ref, i.image(t, ref))
	for name, c := range map[string]struct {
		input map[string]any
		kind  sdk.Kind
		code  string
	}{
		"nothing":                  {map[string]any{"destination": dest}, sdk.KindInvalid, ""},
		"two sources":              {map[string]any{"source": ref, "image": sdk.Located{ID: "a", Location: "b"}}, sdk.KindInvalid, ""},
		"no reference":             {map[string]any{"source": "not a reference", "destination": dest}, sdk.KindInvalid, ""},
		"no host":                  {map[string]any{"source": ref, "destination": "nohost:1"}, sdk.KindInvalid, ""},
		"to a digest":              {map[string]any{"source": ref, "destination": withDigest(dest, digest)}, sdk.KindInvalid, ""},
		"an image that is not":     {map[string]any{"source": i.reference("none"), "destination": dest}, sdk.KindPermanent, "not_found"},
		"a digest that is not":     {map[string]any{"source": withDigest(ref, "sha256:"+strings.Repeat("0", 64))}, sdk.KindPermanent, "not_found"},
		"a place that is not here": {map[string]any{"image": sdk.Located{ID: NewKey(), Location: "elsewhere"}}, sdk.KindPermanent, ""},
		"nobody listens":           {map[string]any{"source": ref, "destination": "127.0.0.1:1/x:1"}, sdk.KindTransient, ""},
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, h.Run(h.copy(i, c.input)), c.kind, c.code)
			if i.get(t, dest) != nil {
				t.Error("something was copied all the same")
			}
		})
	}
	res := h.Run(Call{Type: "image_copy", Input: map[string]any{"source": ref, "destination": dest}})
	wantCode(t, res, sdk.KindPermanent, sdk.CodeDenied)
}
