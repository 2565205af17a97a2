package doctor

import (
	"context"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/engine/machine"
	"github.com/containerpub/cpub/sdk"
)

// place is a machine that a test makes up: a folder with worker.hcl, a store and a state folder, in which everything is well.
type place struct {
	t    *testing.T
	dir  string
	file string // the text of worker.hcl
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir()}
	for _, dir := range []string{"store", "state", "tmp"} {
		if err := os.Mkdir(p.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TMPDIR", p.path("tmp"))
	t.Setenv("CPUB_STORE", "")
	t.Setenv("XDG_STATE_HOME", p.path("home"))
	p.file = fmt.Sprintf("store { url = %q }\n", "file://"+p.path("store")+"?no_tmp_dir=1")
	return p
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) write(name, text string, mode fs.FileMode) {
	p.t.Helper()
	err := os.WriteFile(p.path(name), []byte(text), 0o600)
	if err == nil {
		err = os.Chmod(p.path(name), mode)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) chmod(name string, mode fs.FileMode) {
	p.t.Helper()
	if err := os.Chmod(p.path(name), mode); err != nil {
		p.t.Fatal(err)
	}
}

// look looks at the machine, with worker.hcl as it is now.
func (p *place) look() []Finding {
	p.t.Helper()
	if p.file != "" {
		p.write("worker.hcl", p.file, 0o600)
	}
	return p.lookAt(p.path("worker.hcl"))
}

func (p *place) lookAt(config string) []Finding {
	p.t.Helper()
	r, err := Look(p.t.Context(), Options{Machine: machine.Options{Config: config, State: p.path("state"), Folders: []string{p.path("bin")}}})
	if err != nil {
		p.t.Fatal(err)
	}
	return r.Findings
}

// named is the finding of that name that is not fine, or else the last one of that name.
func named(all []Finding, name string) *Finding {
	var last *Finding
	for i, f := range all {
		if f.Name == name {
			if last = &all[i]; !f.OK {
				return last
			}
		}
	}
	return last
}

func TestEverythingIsWell(t *testing.T) {
	for _, f := range newPlace(t).look() {
		if !f.OK || f.Remedy != "" || f.Detail == "" {
			t.Errorf("%+v", f)
		}
	}
}

// wrong is one thing that can be wrong: how it comes, how it is told, and what the remedy says, done. Without a cure the fixes are applied.
type wrong struct {
	finding, name  string
	cause          func(p *place)
	warning        bool
	detail, remedy string // parts of them
	cure           func(p *place)
}

// TestEachFault causes what can be caused on a machine of files, does what the remedy says, and finds nothing wrong afterwards.
func TestEachFault(t *testing.T) {
	for _, w := range append(workerFaults(), storeFaults()...) {
		t.Run(w.finding+" "+w.name, func(t *testing.T) {
			p := newPlace(t)
			w.cause(p)
			f := named(p.look(), w.finding)
			if f == nil || f.OK || f.Warning != w.warning || !strings.Contains(f.Detail, w.detail) || !strings.Contains(f.Remedy, w.remedy) || w.remedy == "" {
				t.Fatalf("caused, it is found as %+v", f)
			}
			if w.cure != nil {
				w.cure(p)
			} else if did, err := f.Fix(t.Context()); err != nil || len(did) == 0 || !f.Fixable() || len(f.Plan()) != len(did) {
				t.Fatalf("fixing: %v, %v", did, err)
			}
			if f := named(p.look(), w.finding); f != nil && !f.OK {
				t.Errorf("after the remedy: %+v", f)
			}
		})
	}
}

func workerFaults() []wrong {
	add := func(text string) func(*place) { return func(p *place) { p.file += text } }
	return []wrong{
		{
			finding: nameWorker, cause: func(p *place) { p.file = "" }, detail: "cannot be read", remedy: "name the right file",
			cure: func(p *place) { p.file = "store { url = \"mem://\" }\n" },
		},
		{
			finding: nameConfig, cause: add("metrics { listn = \"x\" }\n"), detail: "listn", remedy: "correct that line",
			cure: func(p *place) { p.file = strings.Replace(p.file, "listn", "listen", 1) },
		},
		{
			finding: nameConfig, name: "a secret that is not there",
			cause: func(p *place) {
				p.file += fmt.Sprintf("provider \"x\" \"y\" {}\nsecret \"A\" {\n  file = %q\n  allow = [x.y]\n}\n", p.path("secret"))
			},
			detail: "no such file", remedy: "correct that line", cure: func(p *place) { p.write("secret", "s3cret", 0o600) },
		},
		{
			finding: nameSecretMode, warning: true, detail: "others may use it (0644)", remedy: "`chmod go= ",
			cause: func(p *place) {
				p.write("password", "p", 0o644)
				p.file += fmt.Sprintf("registry \"127.0.0.1:1\" {\n  username = \"u\"\n  password_file = %q\n}\n", p.path("password"))
			},
		},
		{
			finding: host.FindingBinary, cause: add("provider \"none\" \"local\" {}\n"), detail: "no path in worker.hcl", remedy: "install the provider",
			cure: func(p *place) { p.file = strings.Replace(p.file, "provider \"none\" \"local\" {}\n", "", 1) },
		},
		{
			finding: nameState, cause: func(p *place) { p.chmod("state", 0o777) }, detail: "others may change", remedy: "`chmod go= ",
		},
		{
			finding: nameState, name: "a file", detail: "is no folder", remedy: "cpub-worker -state",
			cause: func(p *place) {
				if err := os.Remove(p.path("state")); err != nil {
					p.t.Fatal(err)
				}
				p.write("state", "", 0o600)
			},
			cure: func(p *place) {
				if err := os.Remove(p.path("state")); err != nil {
					p.t.Fatal(err)
				}
			},
		},
	}
}

func storeFaults() []wrong {
	return []wrong{
		{
			finding: nameStoreNamed, cause: func(p *place) { p.file = "# nothing\n" }, detail: "no store is named", remedy: "write `store",
			cure: func(p *place) { p.file = "store { url = \"mem://\" }\n" },
		},
		{
			finding: nameStoreOpen, detail: "is not there", remedy: "mkdir -p -m 700",
			cause: func(p *place) {
				if err := os.Remove(p.path("store")); err != nil {
					p.t.Fatal(err)
				}
			},
		},
		{
			finding: nameStoreOpen, name: "of no kind", cause: func(p *place) { p.file = "store { url = \"ftp://x\" }\n" }, detail: "a store is a file://", remedy: "check the URL",
			cure: func(p *place) { p.file = "store { url = \"mem://\" }\n" },
		},
		{finding: nameStoreMode, cause: func(p *place) { p.chmod("store", 0o777) }, detail: "everybody on this machine may change", remedy: "`chmod o= "},
		{
			finding: nameStoreMode, name: "readable", warning: true, detail: "may read", remedy: "`chmod o= ",
			cause: func(p *place) {
				p.chmod("store", 0o755)
				for _, dir := range []string{p.dir, filepath.Dir(p.dir)} { // what is above is open
					if err := os.Chmod(dir, 0o755); err != nil {
						p.t.Fatal(err)
					}
				}
			},
		},
		{
			finding: nameStoreWrite, detail: "writing to the store", remedy: "read, write and delete",
			cause: func(p *place) { p.write("store/doctor", "in the way", 0o600) },
			cure: func(p *place) {
				if err := os.Remove(p.path("store/doctor")); err != nil {
					p.t.Fatal(err)
				}
			},
		},
	}
}

// Nothing of a look is left, neither in the store nor in the user's folders.
func TestALookLeavesNothing(t *testing.T) {
	p := newPlace(t)
	p.look()
	for _, dir := range []string{"store/doctor", "home/cpub", "tmp"} {
		entries, err := os.ReadDir(p.path(dir))
		if err == nil && len(entries) > 0 {
			t.Errorf("%s holds %v", dir, entries)
		}
	}
}

func TestOwnMode(t *testing.T) {
	p := newPlace(t)
	p.file += "provider \"s3\" \"x\" {\n  config {\n    secret_access_key = \"k\"\n  }\n}\n"
	p.look()
	p.chmod("worker.hcl", 0o644)
	f := named(p.lookAt(p.path("worker.hcl")), nameConfigMode)
	if f == nil || !f.Warning || !strings.Contains(f.Remedy, "chmod go=") {
		t.Fatalf("%+v", f)
	}
	if _, err := f.Fix(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f := named(p.lookAt(p.path("worker.hcl")), nameConfigMode); f == nil || !f.OK {
		t.Errorf("after the fix: %+v", f)
	}
}

func TestNoFileAndNoProviders(t *testing.T) {
	p := newPlace(t)
	t.Chdir(p.dir)
	t.Setenv("CPUB_WORKER_CONFIG", "")
	if f := named(p.lookAt(""), nameWorker); f == nil || f.OK || !strings.Contains(f.Detail, "no default can stand in") || !strings.Contains(f.Remedy, "install the providers") {
		t.Errorf("%+v", f)
	}
}

// server is a registry that wants this password, and tells that time.
func server(t *testing.T, password string, skew time.Duration) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
		if _, given, _ := r.BasicAuth(); given != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestRegistries(t *testing.T) {
	plain, secret, late, secure := server(t, "", 0), server(t, "p", 0), server(t, "", -time.Minute), server(t, "", 0)
	for _, s := range []*httptest.Server{plain, secret, late} {
		s.Start()
	}
	secure.StartTLS()
	of := func(s *httptest.Server) string { return s.Listener.Addr().String() }
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	none := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(none.Close)
	for _, w := range []struct {
		finding, name  string
		given, cured   sdk.Registry
		warning        bool
		detail, remedy string
	}{
		{nameRegistry, "nobody", sdk.Registry{Host: "127.0.0.1:1"}, sdk.Registry{Host: of(plain), Insecure: true}, false, "refused", "check the host"},
		{nameRegistry, "no registry", sdk.Registry{Host: of(none), Insecure: true}, sdk.Registry{Host: of(plain), Insecure: true}, false, "that is no registry", "check the host"},
		{nameRegistryTLS, "plain", sdk.Registry{Host: of(plain)}, sdk.Registry{Host: of(plain), Insecure: true}, false, "plain HTTP", "insecure = true"},
		{nameRegistryTLS, "its own CA", sdk.Registry{Host: of(secure)}, sdk.Registry{Host: of(secure), CA: ca}, false, "a CA that this machine does not know", "ca_file"},
		{nameRegistryTLS, "no CA", sdk.Registry{Host: of(secure), CA: "none"}, sdk.Registry{Host: of(secure), CA: ca}, false, "no certificate", "PEM"},
		{nameRegistryCredentials, "wrong", sdk.Registry{Host: of(secret), Insecure: true, Username: "u", Password: "q"}, sdk.Registry{Host: of(secret), Insecure: true, Username: "u", Password: "p"}, false, "does not take the credentials of u", "correct `username`"},
		{nameRegistryCredentials, "none", sdk.Registry{Host: of(secret), Insecure: true}, sdk.Registry{Host: of(secret), Insecure: true, Username: "u", Password: "p"}, true, "worker.hcl has none", "password_file"},
		{nameRegistryClock, "", sdk.Registry{Host: of(late), Insecure: true}, sdk.Registry{Host: of(plain), Insecure: true}, false, "signatures and leases", "NTP"},
	} {
		t.Run(w.finding+" "+w.name, func(t *testing.T) {
			f := named(registry(t.Context(), w.given), w.finding)
			if f == nil || f.OK || f.Warning != w.warning || f.Subject != w.given.Host || !strings.Contains(f.Detail, w.detail) || !strings.Contains(f.Remedy, w.remedy) {
				t.Fatalf("%+v", f)
			}
			for _, f := range registries(t.Context(), []sdk.Registry{w.cured}) {
				if !f.OK {
					t.Errorf("after the remedy: %+v", f)
				}
			}
		})
	}
	for hostname, ok := range map[string]bool{"localhost:1": true, "127.0.0.1:1": true, "[::1]:1": true, "registry.example": false, "10.0.0.1:5000": false} {
		f := transportOf(sdk.Registry{Host: hostname, Insecure: true}, "http")
		if f.Name != nameRegistryInsecure || f.OK != ok || !ok && !strings.Contains(f.Remedy, "remove `insecure`") {
			t.Errorf("%s: %+v", hostname, f)
		}
	}
	if f := transportOf(sdk.Registry{Host: "registry.example", CA: ca}, "https"); !f.OK {
		t.Errorf("after the remedy: %+v", f)
	}
}

func TestClock(t *testing.T) {
	now := time.Now()
	for skew, ok := range map[time.Duration]bool{0: true, -maxSkew: true, maxSkew: true, -maxSkew - 3*time.Second: false, time.Hour: false} {
		f := clock(GroupStore, nameStoreClock, "", now.Add(skew), now, now)
		if f.OK != ok || !ok && !strings.Contains(f.Remedy, "NTP") {
			t.Errorf("%v: %+v", skew, f)
		}
	}
}

func TestRoom(t *testing.T) {
	all := func(u space) []Finding { return room(GroupMachine, nameDiskSpace, nameDiskInodes, "", "/d", u) }
	well := space{free: smallSpace, inodes: 1 << 20, freeInodes: fewInodes}
	for name, c := range map[string]struct {
		u       space
		finding string
		warning bool
		detail  string
	}{
		"full":      {space{free: tightSpace - 1<<20, inodes: 1 << 20, freeInodes: fewInodes}, nameDiskSpace, false, "255.0 MiB left"},
		"small":     {space{free: tightSpace, inodes: 1 << 20, freeInodes: fewInodes}, nameDiskSpace, true, "256.0 MiB left"},
		"no inodes": {space{free: 1 << 40, inodes: 1 << 20, freeInodes: 3}, nameDiskInodes, false, "3 inodes left"},
	} {
		f := named(all(c.u), c.finding)
		if f == nil || f.OK || f.Warning != c.warning || !strings.Contains(f.Detail, c.detail) || f.Remedy == "" {
			t.Errorf("%s: %+v", name, f)
		}
	}
	for _, u := range []space{well, {free: smallSpace}} {
		for _, f := range all(u) {
			if !f.OK {
				t.Errorf("with room: %+v", f)
			}
		}
	}
}

func TestProbed(t *testing.T) {
	now := time.Now()
	for finding, p := range map[string]artifact.Probe{
		nameStoreCondition: {Overwrites: true, Time: now}, nameStoreClock: {Time: now.Add(-time.Hour)}, nameStoreWrite: {Err: os.ErrPermission},
	} {
		if f := named(probed(p, now, now), finding); f == nil || f.OK || f.Remedy == "" {
			t.Errorf("%s: %+v", finding, f)
		}
	}
	for _, f := range probed(artifact.Probe{Time: now}, now, now) {
		if !f.OK {
			t.Errorf("%+v", f)
		}
	}
}

func TestServed(t *testing.T) {
	w := &config.Worker{Serve: []config.Serve{{StepType: "a", Instance: "x.y"}, {StepType: "b", Instance: "x.y"}, {StepType: "b", Instance: "not.started"}}}
	all := []host.Diagnosis{{Instance: "x.y", Info: sdk.Info{Name: "x", Steps: []sdk.StepType{{Name: "a"}}}}, {Instance: "not.started"}}
	found := served(w, all)
	if len(found) != 2 || !found[0].OK || found[1].OK || found[1].Subject != "b" || !strings.Contains(found[1].Remedy, "cpub provider list") {
		t.Errorf("%+v", found)
	}
}

func TestElsewhere(t *testing.T) {
	all := []Finding{
		fault("s3.a", "s3_bucket", "b", "not there", "make it"), fine("s3.b", "s3_bucket", "b", "there"), fault("s3.a", "s3_bucket", "c", "not there", "make it"),
	}
	elsewhere(all)
	if all[0].Failed() || !all[2].Failed() {
		t.Errorf("%+v", all)
	}
}

func TestFix(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("a:1:2"), 0o640); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a fix may be applied again
		if err := apply(sdk.Fix{Kind: sdk.FixLine, Path: file, Line: "b:3:4"}, []string{file}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(file); string(b) != "a:1:2\nb:3:4\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if err := apply(sdk.Fix{Kind: sdk.FixMode, Path: file, Mode: 0o604}, nil); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a fix gave permissions: %v, %v", info.Mode(), err)
	}
	for _, x := range []sdk.Fix{
		{Kind: sdk.FixLine, Path: file, Line: "b"},
		{Kind: "remove", Path: file},
		{Kind: sdk.FixFolder, Path: "relative"},
		{Kind: sdk.FixLine, Path: "/etc/subuid", Line: "a\nb"},
		{Kind: sdk.FixMode, Path: filepath.Join(dir, "none")},
	} {
		if err := apply(x, lineFiles()); err == nil {
			t.Errorf("%+v was applied", x)
		}
	}
	failing := Finding{Apply: func(context.Context) (string, error) { return "", os.ErrPermission }}
	if did, err := failing.Fix(t.Context()); err == nil || len(did) > 0 {
		t.Errorf("%v, %v", did, err)
	}
}
