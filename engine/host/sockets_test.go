package host

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestSocketsHaveRoomUnderALongTemporaryFolder(t *testing.T) {
	t.Setenv("TMPDIR", "/var/tmp")
	if got := shortTempDir(); got != "/var/tmp" {
		t.Errorf("a short TMPDIR gave %s", got)
	}
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), strings.Repeat("x", 60)))
	if got := shortTempDir(); got != "/tmp" {
		t.Errorf("a long TMPDIR gave %s", got)
	}
}
