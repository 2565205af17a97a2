package sdktest

import (
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// prunedImages are the outputs of image_prune.
type prunedImages struct {
	Removed        []string `json:"removed"`
	ReclaimedBytes int64    `json:"reclaimed_bytes"`
}

// prunes is the suite of image_prune on one base image, with a repository of its own for each test.
type prunes struct {
	*builds

	name string
}

// ImagePrune is the suite of the contract image_prune. The provider serves image_build too, from which the images come.
func ImagePrune(t *testing.T, h *Harness, i Images) {
	i = i.prepared(t)
	base := i.reference("base")
	i.put(t, base, i.image(t, base))
	for _, test := range []struct {
		name string
		run  func(*testing.T, *prunes)
	}{
		{"unnamed", prunesUnnamed},
		{"names", prunesNames},
		{"needed", keepsNeeded},
		{"others", keepsOthers},
		{"at once", prunesAtOnce},
		{"mistakes", mistakesInPruning},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, &prunes{&builds{Harness: h.For(t), Images: i, base: base}, "localhost/sdktest-" + NewKey()[:12]})
		})
	}
}

// make builds an image with a content and a tag. Its run needs it no longer, unless it is kept.
func (p *prunes) make(t *testing.T, tag, content string, kept bool) (string, *Result) {
	t.Helper()
	files := map[string]string{"Containerfile": "FROM " + p.base + "\nCOPY f /f\n", "f": content + p.name}
	res := p.Run(p.call(t, files, map[string]any{"tags": []string{p.name + ":" + tag}}))
	var out built
	res.Decode(&out)
	if !kept {
		check(t, p.Release(res.Key))
	}
	return out.Image.ID, res
}

// prune gives those of these images that were removed, in the order that the step tells, and the bytes of all.
func (p *prunes) prune(t *testing.T, input map[string]any, of ...string) ([]string, prunedImages) {
	t.Helper()
	var out prunedImages
	p.Run(Call{Type: "image_prune", Input: input}).Decode(&out)
	return slices.DeleteFunc(slices.Clone(out.Removed), func(id string) bool { return !slices.Contains(of, id) }), out
}

func removedAre(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: removed %q, want %q", what, got, want)
	}
}

// named is a filter for the images of the test.
func (p *prunes) named(more map[string]any) map[string]any {
	in := map[string]any{"filters": map[string]string{"reference": p.name + ":*"}}
	for k, v := range more {
		in[k] = v
	}
	return in
}

// prunesUnnamed: an image whose tag another one has taken goes; dry_run says the same, and changes nothing.
func prunesUnnamed(t *testing.T, p *prunes) {
	old, _ := p.make(t, "1", "old", false)
	now, _ := p.make(t, "1", "new", false)
	for range 2 {
		got, out := p.prune(t, map[string]any{"dry_run": true}, old, now)
		removedAre(t, "a dry run", got, old)
		if out.ReclaimedBytes <= 0 {
			t.Errorf("it would free %d bytes", out.ReclaimedBytes)
		}
	}
	_, dry := p.prune(t, map[string]any{"dry_run": true})
	got, out := p.prune(t, map[string]any{}, old, now)
	removedAre(t, "the first", got, old)
	if !slices.Equal(out.Removed, dry.Removed) || out.ReclaimedBytes != dry.ReclaimedBytes {
		t.Errorf("it did %+v, and the dry run said %+v", out, dry)
	}
	got, out = p.prune(t, map[string]any{}, old, now)
	removedAre(t, "the second", got)
	if len(out.Removed) != 0 || out.ReclaimedBytes != 0 {
		t.Errorf("there was something left: %+v", out)
	}
	got, _ = p.prune(t, p.named(nil), old, now)
	removedAre(t, "by its name", got, now)
}

// prunesNames: with a filter of names, the newest of a repository and those that are not old are kept.
func prunesNames(t *testing.T, p *prunes) {
	var ids []string
	for n := range 4 {
		id, _ := p.make(t, strconv.Itoa(n), strconv.Itoa(n), false)
		ids = append(ids, id)
	}
	for _, c := range []struct {
		what string
		in   map[string]any
		want []string
	}{
		{"no filter", map[string]any{"dry_run": true}, nil},
		{"young ones", p.named(map[string]any{"older_than": "1h"}), nil},
		{"the last five", p.named(map[string]any{"keep_last": 5}), nil},
		{"another name", map[string]any{"filters": map[string]string{"reference": "localhost/none:*"}}, nil},
		{"another label", map[string]any{"filters": map[string]string{"reference": p.name + ":*", "label": "none"}}, nil},
		{"another value", map[string]any{"filters": map[string]string{"reference": p.name + ":*", "label": "io.cpub.pipeline=none"}}, nil},
		{"all but two, dry", p.named(map[string]any{"keep_last": 2, "dry_run": true}), ids[:2]},
		{"all but two", p.named(map[string]any{"keep_last": 2}), ids[:2]},
		{"all but two, again", p.named(map[string]any{"keep_last": 2}), nil},
		{"one of them", map[string]any{"filters": map[string]string{"reference": p.name + ":2", "label": "io.cpub.pipeline=test"}}, ids[2:3]},
		{"the rest", p.named(map[string]any{"older_than": "0s"}), ids[3:]},
	} {
		got, _ := p.prune(t, c.in, ids...)
		removedAre(t, c.what, got, c.want...)
	}
}

// keepsNeeded: what a run needs stays until it is released, and what has a name besides those of the filter.
func keepsNeeded(t *testing.T, p *prunes) {
	id, res := p.make(t, "1", "kept", true)
	got, _ := p.prune(t, p.named(nil), id)
	removedAre(t, "a run's", got)
	check(t, p.Release(res.Key))
	files := map[string]string{"Containerfile": "FROM " + p.base + "\nCOPY f /f\n", "f": "kept" + p.name}
	other := p.Run(p.call(t, files, map[string]any{"tags": []string{p.name + "-other:1"}}))
	check(t, p.Release(other.Key))
	got, _ = p.prune(t, p.named(nil), id)
	removedAre(t, "one with another name", got)
	got, _ = p.prune(t, map[string]any{"filters": map[string]string{"reference": p.name + "*"}}, id)
	removedAre(t, "by both names", got, id)
}

// keepsOthers: what no image_build made is left alone, unless all is said.
func keepsOthers(t *testing.T, p *prunes) {
	if p.info.Step("image_pull") == nil {
		return
	}
	ref := p.reference("theirs")
	digest := p.put(t, ref, p.image(t, ref))
	for _, name := range []string{ref, withDigest(ref, digest)} {
		var out pulled
		res := p.pull(p.Images, name, "missing")
		res.Decode(&out)
		check(t, p.Release(res.Key))
		in := map[string]any{"filters": map[string]string{"reference": ref[:len(ref)-len(":theirs")] + "*"}}
		got, _ := p.prune(t, in, out.Image.ID)
		removedAre(t, "somebody else's", got)
		in["all"] = true
		got, _ = p.prune(t, in, out.Image.ID)
		removedAre(t, "all", got, out.Image.ID)
	}
}

// prunesAtOnce: each image is removed once, and nobody fails.
func prunesAtOnce(t *testing.T, p *prunes) {
	var ids []string
	for n := range 3 {
		id, _ := p.make(t, strconv.Itoa(n), strconv.Itoa(n), false)
		ids = append(ids, id)
	}
	results := make([]*Result, 3)
	var wait sync.WaitGroup
	for n := range results {
		wait.Go(func() { results[n] = p.Run(Call{Type: "image_prune", Input: p.named(nil)}) })
	}
	wait.Wait()
	var removed []string
	for _, res := range results {
		var out prunedImages
		res.Decode(&out)
		removed = append(removed, out.Removed...)
	}
	slices.Sort(ids)
	slices.Sort(removed)
	removedAre(t, "three at once", removed, ids...)
}

func mistakesInPruning(t *testing.T, p *prunes) {
	for name, in := range map[string]map[string]any{
		"a filter":      {"filters": map[string]string{"name": "x"}},
		"a number":      {"keep_last": -1},
		"half an image": {"keep_last": 1.5},
		"a duration":    {"older_than": "soon"},
		"everything":    {"all": true},
	} {
		t.Run(name, func(t *testing.T) { wantKind(t, p.Run(Call{Type: "image_prune", Input: in}), sdk.KindInvalid) })
	}
}
