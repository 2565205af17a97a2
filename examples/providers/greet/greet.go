// Package greet is a small provider, as a stranger would write one: one step type, with one attribute of its own in the
// configuration. Everything that a provider needs is in it, and nothing else.
package greet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Provider greets people. The zero value is ready to be configured.
type Provider struct {
	greeting string
}

// Info implements sdk.Provider.
func (p *Provider) Info() sdk.Info {
	return sdk.Info{
		Name:    "greet",
		Version: "0.1.0",
		Config: schema.Object{Attrs: []schema.Attr{
			{Name: "greeting", Type: cty.String, Default: `"Hello"`, Doc: "The word to greet with."},
		}},
		Steps: []sdk.StepType{{
			Name: "greet",
			Doc:  "Greets everybody by name, one letter each.",
			Input: schema.Object{Attrs: []schema.Attr{
				{Name: "names", Type: cty.List(cty.String), Required: true, Doc: "Who is greeted."},
			}},
			Output: schema.Object{Attrs: []schema.Attr{
				{Name: "count", Type: cty.Number, Doc: "How many were greeted."},
				schema.Directory("letters", "A folder with one letter for each."),
			}},
			Run: p.greet,
		}},
	}
}

// Configure implements sdk.Provider.
func (p *Provider) Configure(_ context.Context, c sdk.Configuration) (string, error) {
	config := struct{ Greeting string }{Greeting: "Hello"}
	if err := c.Decode(&config); err != nil {
		return "", err
	}
	p.greeting = config.Greeting
	return "", nil // nothing of it exists in one place only
}

type outputs struct {
	Count   int           `json:"count"`
	Letters *sdk.Artifact `json:"letters"`
}

func (p *Provider) greet(ctx context.Context, req *sdk.Request) (any, error) {
	var in struct{ Names []string }
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	dir := filepath.Join(req.Scratch, "letters")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder: %w", err)
	}
	for n, name := range in.Names {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if name == "" || strings.ContainsAny(name, "/\x00") || strings.HasPrefix(name, ".") {
			return nil, sdk.Invalidf(fmt.Sprintf("names[%d]", n), "%q cannot be the name of a letter", name)
		}
		letter := fmt.Sprintf("%s, %s!\n", p.greeting, name)
		if err := os.WriteFile(filepath.Join(dir, name+".txt"), []byte(letter), 0o600); err != nil {
			return nil, fmt.Errorf("writing the letter to %s: %w", name, err)
		}
		req.Logf("wrote to %s", name)
		req.Progress(sdk.Progress{Message: "writing", Done: int64(n + 1), Total: int64(len(in.Names)), Unit: "letters"})
	}
	return outputs{Count: len(in.Names), Letters: sdk.Directory(dir, "letters")}, nil
}
