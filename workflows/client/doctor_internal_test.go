package client

import (
	"strings"
	"testing"
	"time"
)

func TestJudgeVersion(t *testing.T) {
	for version, ok := range map[string]bool{"1.28.9": false, "1.29.0": true, "1.29.0-rc1": true, "1.32.1": true, "": true, "cloud": true} {
		f := judgeVersion(version)
		if f.OK != ok || f.Warning == ok || (f.Remedy == "") != ok || !ok && !strings.Contains(f.Detail, version) {
			t.Errorf("%q: %+v", version, f)
		}
	}
}

func TestJudgeRetention(t *testing.T) {
	for d, ok := range map[time.Duration]bool{24 * time.Hour: false, shortRetention: true, 0: true} { // a namespace may not tell
		f := judgeRetention("ns", d)
		if f.OK != ok || f.Warning == ok || !ok && !strings.Contains(f.Remedy, "--namespace ns --retention 168h") {
			t.Errorf("%v: %+v", d, f)
		}
	}
}

func TestExamineNobody(t *testing.T) {
	found := Examine(t.Context(), Options{Address: "127.0.0.1:1"}, []string{"cpub.a.b"})
	if len(found) != 1 || found[0].Name != findingReachable || found[0].OK || !strings.Contains(found[0].Remedy, "start it") {
		t.Errorf("%+v", found)
	}
}
