package sdktest

import (
	"io"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/containerpub/cpub/sdk"
)

// pushed are the outputs of image_push.
type pushed struct {
	Reference string `json:"reference"`
	Digest    string `json:"digest"`
	Cached    bool   `json:"cached"`
}

// ImagePush is the suite of the contract image_push. The provider serves image_pull too, from which the images come.
func ImagePush(t *testing.T, h *Harness, i Images) {
	i = i.prepared(t)
	t.Run("pushes", func(t *testing.T) { pushesImages(t, h.For(t), i) })
	t.Run("compression", func(t *testing.T) { compressesLayers(t, h.For(t), i) })
	t.Run("refuses", func(t *testing.T) { refusesPush(t, h.For(t), i) })
}

// pulledImage brings a new image into the provider's store, which the registry knows under another name.
func (h *Harness) pulledImage(t *testing.T, i Images) (located sdk.Located, config v1.Hash) {
	t.Helper()
	ref := i.reference("source")
	img := i.image(t, ref)
	i.put(t, ref, img)
	var out pulled
	h.pull(i, ref, "missing").Decode(&out)
	config, err := img.ConfigName()
	check(t, err)
	return out.Image, config
}

func (h *Harness) push(image sdk.Located, destination string) Call {
	return Call{Type: "image_push", Input: map[string]any{"image": image, "destination": destination}}
}

func pushesImages(t *testing.T, h *Harness, i Images) {
	image, config := h.pulledImage(t, i)
	dest := i.reference("v1")
	var out, again pushed
	first := h.Run(h.push(image, dest))
	first.Decode(&out)
	if out.Cached || out.Reference != withDigest(dest, out.Digest) {
		t.Errorf("outputs: %+v", out)
	}
	wholeInBytes(t, first)
	got := i.get(t, dest)
	if got == nil {
		t.Fatalf("the registry has no %s", dest)
	}
	if digest, err := got.Digest(); err != nil || digest.String() != out.Digest {
		t.Errorf("the registry has %s (%v), the step says %s", digest, err, out.Digest)
	}
	if have, err := got.ConfigName(); err != nil || have != config {
		t.Errorf("the registry has the image %s (%v), want %s", have, err, config)
	}
	if i.get(t, out.Reference) == nil {
		t.Errorf("the registry has no %s", out.Reference)
	}
	// The same attempt again, and another step of the same: the registry has it already.
	repeat := h.push(image, dest)
	repeat.Key, repeat.Attempt = first.Key, 2
	for _, call := range []Call{repeat, h.push(image, dest)} {
		h.Run(call).Decode(&again)
		if !again.Cached || again.Digest != out.Digest || again.Reference != out.Reference {
			t.Errorf("pushed again: %+v, the first time: %+v", again, out)
		}
	}
	// A tag that is somebody else's moves.
	other, config := h.pulledImage(t, i)
	h.Run(h.push(other, dest)).Decode(&again)
	if have, err := i.get(t, dest).ConfigName(); again.Cached || err != nil || have != config {
		t.Errorf("pushed another image: %+v, and the registry has %s (%v), want %s", again, have, err, config)
	}
}

// compressesLayers: the registry gets layers of the compression that was asked for, or the step says that it cannot do that.
func compressesLayers(t *testing.T, h *Harness, i Images) {
	image, _ := h.pulledImage(t, i)
	push := func(compression string) (*Result, string) {
		dest := i.reference(compression)
		call := h.push(image, dest)
		call.Input = map[string]any{"image": image, "destination": dest, "compression": compression}
		return h.Run(call), dest
	}
	for compression, magic := range map[string]string{"gzip": "\x1f\x8b", "zstd": "\x28\xb5\x2f\xfd"} {
		res, dest := push(compression)
		if res.Err != nil {
			wantKind(t, res, sdk.KindPermanent)
			continue
		}
		layers, err := i.get(t, dest).Layers()
		check(t, err)
		for _, l := range layers {
			r, err := l.Compressed()
			check(t, err)
			begin := make([]byte, len(magic))
			_, err = io.ReadFull(r, begin)
			check(t, err)
			check(t, r.Close())
			if string(begin) != magic {
				t.Errorf("a layer with compression %s begins with %q", compression, begin)
			}
		}
	}
	res, _ := push("rar")
	wantKind(t, res, sdk.KindInvalid)
}

func refusesPush(t *testing.T, h *Harness, i Images) {
	image, _ := h.pulledImage(t, i)
	dest := i.reference("v1")
	gone := sdk.Located{ID: NewKey() + NewKey(), Location: image.Location}
	for name, tt := range map[string]struct {
		call Call
		kind sdk.Kind
	}{
		"no registry":          {h.push(image, "nohost"), sdk.KindInvalid},
		"no reference":         {h.push(image, "not a reference"), sdk.KindInvalid},
		"a digest":             {h.push(image, withDigest(dest, "sha256:"+NewKey()+NewKey())), sdk.KindInvalid},
		"an image that is not": {h.push(gone, dest), sdk.KindPermanent},
		"another place":        {h.push(sdk.Located{ID: image.ID, Location: "elsewhere"}, dest), sdk.KindPermanent},
		"nobody listens":       {h.push(image, "127.0.0.1:1/x:1"), sdk.KindTransient},
	} {
		t.Run(name, func(t *testing.T) {
			wantKind(t, h.Run(tt.call), tt.kind)
			if i.get(t, dest) != nil {
				t.Error("something was pushed all the same")
			}
		})
	}
}
