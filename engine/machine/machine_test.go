package machine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/containerpub/cpub/engine/config"
)

func TestStateDir(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "/var/lib/cpub")
	if got, err := stateDir(""); got != "/var/lib/cpub" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	t.Setenv("STATE_DIRECTORY", "")
	t.Setenv("XDG_STATE_HOME", "/x")
	if got, err := stateDir(""); got != "/x/cpub/worker" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := stateDir("rel"); !filepath.IsAbs(got) || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestConfigFile(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("CPUB_WORKER_CONFIG", "")
	check := func(asked, want string) {
		t.Helper()
		if got, err := configFile(asked); got != want || err != nil {
			t.Errorf("it is %q, %v, want %q", got, err, want)
		}
	}
	check("", "")
	if err := os.WriteFile("worker.hcl", []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("", "worker.hcl")
	t.Setenv("CPUB_WORKER_CONFIG", "/etc/cpub/worker.hcl")
	check("", "/etc/cpub/worker.hcl")
	check("mine.hcl", "mine.hcl")
}

func TestLocalS3(t *testing.T) {
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "K")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "S")
	for endpoint, local := range map[string]bool{
		"": false, "http://127.0.0.1:9000": true, "http://localhost:9000": true, "http://[::1]:9000": true,
		"https://s3.example.com": false, "http://localhost.example.com": false, "http://127.0.0.1@example.com": false, "://": false,
	} {
		t.Setenv("AWS_ENDPOINT_URL", endpoint)
		got := localS3()
		if (got != nil) != local {
			t.Errorf("%q: %+v", endpoint, got)
		}
		if want := (config.MachineS3{Endpoint: endpoint, Region: "us-east-1", AccessKey: "K", SecretKey: "S"}); got != nil && *got != want {
			t.Errorf("%q: %+v", endpoint, got)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
	t.Setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.com")
	if got := localS3(); got != nil {
		t.Errorf("the endpoint of S3 alone is elsewhere, and got %+v", got)
	}
}
