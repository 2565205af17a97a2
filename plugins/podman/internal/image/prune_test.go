package image

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk/schema"
)

func TestChoose(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	ours := map[string]string{LabelSource: "sha256:0"}
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	all := []stored{ // the oldest first
		{id: "unknown", labels: ours},
		{id: "old", labels: ours, since: ago(48 * time.Hour)},
		{id: "theirs", since: ago(30 * time.Hour)},
		{id: "v1", labels: ours, names: []string{"h:5/a:1"}, since: ago(20 * time.Hour)},
		{id: "v2", labels: ours, names: []string{"h:5/a:2", "h:5/b:2"}, since: ago(10 * time.Hour)},
		{id: "kept", labels: ours, kept: true, since: ago(5 * time.Hour)},
		{id: "used", labels: ours, since: ago(4 * time.Hour)},
		{id: "service", labels: ours, names: []string{"h:5/a:latest"}, since: ago(3 * time.Hour)},
		{id: "v3", labels: map[string]string{LabelSource: "sha256:1", "team": "x"}, names: []string{"h:5/a@sha256:2"}, since: ago(time.Hour)},
	}
	n := needs{ids: map[string]bool{"used": true}, services: []string{"h:5/a"}}
	two, day := 2.0, schema.Duration(24*time.Hour)
	for name, c := range map[string]struct {
		in   PruneInput
		want string
	}{
		"unnamed":         {PruneInput{}, "unknown old"},
		"old":             {PruneInput{OlderThan: &day}, "old"},
		"the last two":    {PruneInput{KeepLast: &two}, "unknown old"}, // the newest are kept and used
		"named":           {PruneInput{Filters: map[string]string{"reference": "h:5/a*"}}, "v1 v3"},
		"all names":       {PruneInput{Filters: map[string]string{"reference": "h:5/*"}}, "v1 v2 v3"},
		"two of each":     {PruneInput{Filters: map[string]string{"reference": "h:5/*"}, KeepLast: &two}, "v1"},
		"label":           {PruneInput{Filters: map[string]string{"reference": "h:5/*", "label": "team"}}, "v3"},
		"label and value": {PruneInput{Filters: map[string]string{"reference": "h:5/*", "label": "team=y"}}, ""},
		"all":             {PruneInput{Filters: map[string]string{"label": "none"}, All: true}, ""},
	} {
		var got []string
		for _, i := range c.in.choose(all, n, now) {
			got = append(got, i.id)
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s: %q, want %q", name, g, c.want)
		}
	}
	var theirs []string
	for _, i := range (PruneInput{All: true, Filters: map[string]string{}}).choose(all, n, now) {
		theirs = append(theirs, i.id)
	}
	if !slices.Contains(theirs, "theirs") {
		t.Errorf("all: %q", theirs)
	}
}

func TestNeedsByID(t *testing.T) {
	id := strings.Repeat("ab", 32)
	for name, want := range map[string]bool{id: true, "sha256:" + id: true, id[:12]: true, id[:11]: false, "": false} {
		if got := (needs{services: []string{name}}).image(stored{id: id}); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestRepositoryOf(t *testing.T) {
	for name, want := range map[string]string{
		"h:5/a:1": "h:5/a", "h:5/a": "h:5/a", "h/a@sha256:0": "h/a", "h:5/a:1@sha256:0": "h:5/a", "localhost/x/y:latest": "localhost/x/y",
	} {
		if got := repositoryOf(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestImagesIn(t *testing.T) {
	text := "[Container]\nImage=h.io/a:1\n#Image=x\n Image = no\nspec:\n  containers:\n  - image: \"h.io/b:2\"\n    name: x\n    image: h.io/c\n"
	if got := strings.Join(imagesIn(text), " "); got != "h.io/a:1 h.io/b:2 h.io/c" {
		t.Errorf("%q", got)
	}
}
