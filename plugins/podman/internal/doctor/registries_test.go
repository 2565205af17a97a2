package doctor

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

func TestInFolders(t *testing.T) {
	certificate := func(text string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(text)}))
	}
	mine, other := certificate("mine"), certificate("other")
	for name, c := range map[string]struct {
		files  map[string]string
		ok     bool
		remedy string
	}{
		"none":                   {nil, false, "2/ca.crt"},
		"there":                  {map[string]string{"2/any.crt": other + mine}, true, ""},
		"the first folder alone": {map[string]string{"1/ca.crt": other, "2/ca.crt": mine}, false, "1/ca.crt"},
		"another name":           {map[string]string{"3/ca.pem": mine}, false, "3/ca.crt"},
	} {
		dir := t.TempDir()
		folders := []string{filepath.Join(dir, "1"), filepath.Join(dir, "2"), filepath.Join(dir, "3")}
		for file, text := range c.files {
			path := filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f := inFolders(folders, sdk.Registry{Host: "h", CA: mine})
		if f.OK != c.ok || !strings.HasSuffix(f.Remedy, c.remedy) || f.Detail == "" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
