package sdk

import "testing"

func TestCheckHostPath(t *testing.T) {
	rules := []string{"/srv/data", "/srv/cache:rw", "/srv/www:rw,relabel", "broken"}
	for _, tt := range []struct {
		path           string
		write, relabel bool
		ok             bool
	}{
		{"/srv/data", false, false, true},
		{"/srv/data/a", false, false, true},
		{"/srv/data/a", true, false, false},
		{"/srv/data", false, true, false},
		{"/srv/database", false, false, false},
		{"/srv", false, false, false},
		{"/srv/cache", true, false, true},
		{"/srv/cache", true, true, false},
		{"/srv/www/x", true, true, true},
		{"/srv/data/../../etc", false, false, false},
		{"/srv/data/", false, false, false},
		{"srv/data", false, false, false},
		{"broken", false, false, false},
		{"", false, false, false},
	} {
		if err := CheckHostPath(rules, tt.path, tt.write, tt.relabel); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	if err := CheckHostPath([]string{"/"}, "/etc/x", false, false); err != nil {
		t.Error(err)
	}
	for rule, ok := range map[string]bool{"/a": true, "/a:rw": true, "/a:rw,relabel": true, "/a/": false, "a": false, "/a:": false, "/a:ro": false, "": false} {
		if err := ValidHostPath(rule); (err == nil) != ok {
			t.Errorf("rule %q: %v", rule, err)
		}
	}
}
