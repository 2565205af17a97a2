package build

import (
	"io/fs"
	"testing"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

func TestReadMark(t *testing.T) {
	req := &sdk.Request{Key: "00ff", Run: "flow/run"}
	for name, c := range map[string]struct {
		state string
		ok    bool
	}{
		"ours":           {`{"type":"buildah","CommonBuildOpts":{"Memory":1,"CgroupParent":"` + mark(req) + `"}}`, true},
		"somebody's":     {`{"CommonBuildOpts":{"CgroupParent":"/user.slice"}}`, false},
		"without a run":  {`{"CommonBuildOpts":{"CgroupParent":"/cpub/00ff"}}`, false},
		"without a key":  {`{"CommonBuildOpts":{"CgroupParent":"/cpub//run-1"}}`, false},
		"deeper":         {`{"CommonBuildOpts":{"CgroupParent":"/cpub/a/b/run-1"}}`, false},
		"without a mark": {`{"CommonBuildOpts":null}`, false},
		"no JSON":        {`{`, false},
	} {
		short, runHash, ok := readMark(hostfs.Content{Data: []byte(c.state)})
		if ok != c.ok || ok && (short != "00ff" || runHash != owner.RunHash("flow/run")) {
			t.Errorf("%s: %q, %q, %v", name, short, runHash, ok)
		}
	}
	if _, _, ok := readMark(hostfs.Content{Err: fs.ErrNotExist}); ok {
		t.Error("a mark was read from nowhere")
	}
}
