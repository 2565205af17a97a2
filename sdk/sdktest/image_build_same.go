package sdktest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// manifestOf is what the suite reads of a manifest.
type manifestOf struct {
	Annotations map[string]string `json:"annotations"`
}

func (b *builds) annotations(t *testing.T, out built) map[string]string {
	t.Helper()
	raw, err := b.pushed(t, out.Image).RawManifest()
	check(t, err)
	var m manifestOf
	check(t, json.Unmarshal(raw, &m))
	return m.Annotations
}

// buildsReproducibly: the same input gives the same image, whatever is in the cache, and whatever run asks.
func buildsReproducibly(t *testing.T, b *builds) {
	text := "FROM " + b.base + "\nCOPY a /a\nRUN [\"/probe\", \"write\", \"/made\"]\nWORKDIR /w\nENV X=1\n"
	files := map[string]string{"Containerfile": text, "a": "A"}
	// Layers of another kind of build are in the cache.
	other := b.Run(b.call(t, files, nil))
	other.Decode(&built{})
	var first built
	for i, more := range []map[string]any{{}, {"no_cache": true}, {}} {
		more["reproducible"] = true
		call := b.call(t, files, more)
		call.Run = []string{"a/1", "a/2", "a/3"}[i]
		res := b.Run(call)
		var out built
		res.Decode(&out)
		if i == 0 {
			first = out
		}
		if out.Image != first.Image {
			t.Errorf("build %d gave the image %s, the first one %s", i+1, out.Image, first.Image)
		}
		if b.info.Step("image_push") != nil {
			a, err := b.pushed(t, first.Image).Digest()
			check(t, err)
			d, err := b.pushed(t, out.Image).Digest()
			check(t, err)
			file, err := b.pushed(t, out.Image).ConfigFile()
			check(t, err)
			if a != d || file.Created.Unix() > 0 {
				t.Errorf("build %d was pushed as %s, the first one as %s; made at %s", i+1, d, a, file.Created)
			}
		}
		b.release(t, res)
	}
	b.release(t, other)
}

// tellsOrigin: the image and its manifest say where they came from, and other runs get the same ones from the cache.
func tellsOrigin(t *testing.T, b *builds) {
	if b.info.Step("image_push") == nil {
		return
	}
	text := "FROM " + b.base + "\nCOPY a /" + NewKey() + "\n"
	mine := map[string]string{"mine": "yes", "io.cpub.pipeline": "my own"}
	call := b.call(t, map[string]string{"Containerfile": text, "a": "A"}, map[string]any{"annotations": mine})
	call.Run = "first/1"
	res := b.Run(call)
	var out, again, other built
	res.Decode(&out)
	input, _ := call.Input.(map[string]any)
	source := input["context"].(*sdk.Artifact).Digest //nolint:forcetypeassert // as call makes it
	file, err := b.pushed(t, out.Image).ConfigFile()
	check(t, err)
	if labels := file.Config.Labels; labels["io.cpub.source"] != source || labels["io.cpub.pipeline"] != "test" {
		t.Errorf("the labels are %v, want the source %s and the pipeline", labels, source)
	}
	if got := b.annotations(t, out); got["mine"] != "yes" || got["io.cpub.pipeline"] != "my own" || got["io.cpub.source"] != source {
		t.Errorf("the annotations are %v", got)
	}
	call.Run, call.Key = "second/1", ""
	second := b.Run(call)
	second.Decode(&again)
	if !again.Cached || again.Image != out.Image {
		t.Errorf("another run's build: %+v, want it from the cache as %s", again, out.Image.ID)
	}
	// Another context of which the same is copied: the layer comes from the cache.
	third := b.Run(b.call(t, map[string]string{"Containerfile": text, "a": "A", "more": "M"}, map[string]any{"annotations": mine}))
	third.Decode(&other)
	if !strings.Contains(third.Text("step"), "Using cache") || other.Cached || other.Image == out.Image {
		t.Errorf("another context with the same layer: %+v\n%s", other, third.Text("step"))
	}
	// A Containerfile without an instruction gives its base.
	fourth, fifth := b.Run(b.containerfile(t, "", nil)), b.Run(b.containerfile(t, "", nil))
	fourth.Decode(&out)
	fifth.Decode(&again)
	if again.Image != out.Image {
		t.Errorf("FROM alone gives %s, and then %s", out.Image, again.Image)
	}
	b.release(t, res, second, third, fourth, fifth)
}
