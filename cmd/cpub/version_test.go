package main

import "testing"

func TestRelease(t *testing.T) {
	for version, want := range map[string]string{
		"v0.1.0": "0.1.0", "v0.2.0-rc.1": "0.2.0-rc.1", "(devel)": "(devel)", "v0.0.0-20261124162300-64c661d18ef0+dirty": "",
	} {
		if got := (buildVersion{Version: version}).release(); got != want {
			t.Errorf("release of %s: %q, want %q", version, got, want)
		}
	}
}
