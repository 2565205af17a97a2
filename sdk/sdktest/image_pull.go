package sdktest

import (
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// pulled are the outputs of image_pull.
type pulled struct {
	Image  sdk.Located `json:"image"`
	Digest string      `json:"digest"`
}

// ImagePull is the suite of the contract image_pull.
func ImagePull(t *testing.T, h *Harness, i Images) {
	i = i.prepared(t)
	t.Run("pulls", func(t *testing.T) { pullsImages(t, h.For(t), i) })
	t.Run("policy", func(t *testing.T) { heedsPullPolicy(t, h.For(t), i) })
	t.Run("refuses", func(t *testing.T) { refusesPull(t, h.For(t), i) })
}

// pull pulls a reference by a policy.
func (h *Harness) pull(i Images, reference, policy string) *Result {
	return h.Run(Call{Type: "image_pull", Input: map[string]any{"reference": reference, "policy": policy}, Rules: i.rules()})
}

func pullsImages(t *testing.T, h *Harness, i Images) {
	ref := i.reference("v1")
	digest := i.put(t, ref, i.image(t, ref))
	var byTag, byDigest, again pulled
	first := h.Run(Call{Type: "image_pull", Input: map[string]any{"reference": ref}, Rules: i.rules()})
	first.Decode(&byTag)
	if byTag.Digest != digest {
		t.Errorf("digest %q, want the registry's %q", byTag.Digest, digest)
	}
	wholeInBytes(t, first)
	if byTag.Image.ID == "" || byTag.Image.Location != h.Location {
		t.Errorf("image %+v, want one at %q", byTag.Image, h.Location)
	}
	h.pull(i, withDigest(ref, digest), "missing").Decode(&byDigest)
	if byDigest != byTag {
		t.Errorf("by digest %+v, by tag %+v", byDigest, byTag)
	}
	h.Run(Call{Type: "image_pull", Input: map[string]any{"reference": ref}, Rules: i.rules(), Key: first.Key, Attempt: 2}).Decode(&again)
	if again != byTag {
		t.Errorf("a repeated attempt gives %+v, the first gave %+v", again, byTag)
	}
}

// heedsPullPolicy moves a tag, and looks who notices.
func heedsPullPolicy(t *testing.T, h *Harness, i Images) {
	ref := i.reference("moving")
	var out pulled
	old := i.put(t, ref, i.image(t, "old"))
	wantKind(t, h.pull(i, ref, "never"), sdk.KindPermanent)
	h.pull(i, ref, "missing").Decode(&out)
	if out.Digest != old {
		t.Fatalf("pulled %q, want %q", out.Digest, old)
	}
	moved := i.put(t, ref, i.image(t, "new"))
	for _, tt := range []struct{ policy, want string }{
		{"missing", old}, {"never", old}, {"newer", moved}, {"always", moved}, {"missing", moved},
	} {
		h.pull(i, ref, tt.policy).Decode(&out)
		if out.Digest != tt.want {
			t.Errorf("policy %s: pulled %q, want %q", tt.policy, out.Digest, tt.want)
		}
	}
}

func refusesPull(t *testing.T, h *Harness, i Images) {
	ref := i.reference("v1")
	digest := i.put(t, ref, i.image(t, ref))
	none := strings.Repeat("0", 64)
	wantCode(t, h.pull(i, withDigest(ref, "sha256:"+none), "missing"), sdk.KindPermanent, "not_found")
	wantCode(t, h.pull(i, i.reference("none"), "missing"), sdk.KindPermanent, "not_found")
	wantCode(t, h.pull(i, "not a reference", "missing"), sdk.KindInvalid, "")
	wantCode(t, h.pull(i, ref, "sometimes"), sdk.KindInvalid, "")
	for _, r := range []string{ref, withDigest(ref, digest)} {
		res := h.Run(Call{Type: "image_pull", Input: map[string]any{"reference": r}})
		wantCode(t, res, sdk.KindPermanent, sdk.CodeDenied)
	}
	// Nobody listens there: that may pass.
	rules := sdk.Rules{PullFrom: []string{"127.0.0.1:1/*"}}
	wantCode(t, h.Run(Call{Type: "image_pull", Input: map[string]any{"reference": "127.0.0.1:1/x:1"}, Rules: rules}), sdk.KindTransient, "")
}

// withDigest is a reference by digest in place of its tag.
func withDigest(ref, digest string) string {
	return ref[:strings.LastIndexByte(ref, ':')] + "@" + digest
}
