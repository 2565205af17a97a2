package sdktest

import (
	"os"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Secret is the secret that a harness must be granted on which the suite of container_run is run.
func Secret() sdk.Secret {
	return sdk.Secret{Name: "SUITE", Value: "open sesame, twice\nand a second line"}
}

// secretsStaySecret: the container gets a secret in its environment and its standard input, and what is kept of its output has it in no place,
// also where the limit of the output cuts it in two.
func secretsStaySecret(t *testing.T, c *containers) {
	secret := []schema.SecretPart{{Text: "<"}, {Secret: Secret().Name}, {Text: ">"}}
	call := c.call(map[string]any{"env": map[string]string{"A": "shown"}}, "env", "A")
	call.Secrets = []schema.SecretText{{Path: []string{"env", "A"}, Parts: secret}}
	res := c.Run(call)
	c.hidden(t, res, "A=<***>\n")

	for _, limit := range []string{"1KiB", "10b", "20b"} {
		call = c.call(map[string]any{"stdin": "shown", "output_limit": limit}, "cat")
		call.Secrets = []schema.SecretText{{Path: []string{"stdin"}, Parts: secret}}
		c.hidden(t, c.Run(call), "<***>")
	}

	call.Secrets[0].Parts[1].Secret = "NONE"
	if res := c.Run(call); res.Err == nil || !strings.Contains(res.Err.Error(), "NONE") {
		t.Errorf("a secret that was not granted: %v", res.Err)
	}
}

// hidden wants a text in stdout, and no word of the secret anywhere.
func (c *containers) hidden(t *testing.T, res *Result, want string) {
	t.Helper()
	if res.Err != nil {
		t.Fatalf("%v\n%s", res.Err, res.Text("step"))
	}
	var out ran
	res.Decode(&out)
	content, err := os.ReadFile(res.Path("log"))
	if err != nil {
		t.Fatal(err)
	}
	log := string(content)
	if !strings.Contains(out.Stdout, want) || !strings.Contains(log, want) || !strings.Contains(res.Text("stdout"), want) {
		t.Errorf("no %q in stdout %q, the log %q, the live log %q", want, out.Stdout, log, res.Text("stdout"))
	}
	all := string(res.Outputs) + log + res.Text("stdout") + res.Text("stderr") + res.Text("step")
	for _, word := range []string{"sesame", "second"} {
		if strings.Contains(all, word) {
			t.Errorf("%q of the secret is in what is kept:\n%s", word, all)
		}
	}
}
