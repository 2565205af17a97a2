package stepdocs

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

func TestPageTellsDefaultsAndRequirements(t *testing.T) {
	text := Page(contract.ContainerRun())
	for _, want := range []string{"| `memory` | size | `\"128m\"` |", "| `image` | located value or string | required |", "- `limits.memory`: number"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestPageOfAProvidersOwnType(t *testing.T) {
	got := Page(contract.Type{Name: "serve", Step: schema.Step{Input: schema.Object{
		Attrs: []schema.Attr{{Name: "mode", Type: cty.String, Enum: []string{"a", "b"}, Doc: "Which | way.", Deprecated: "Use `way`."}},
		Blocks: []schema.Block{{Name: "port", Nesting: schema.NestingMap, Doc: "What is published.", Required: true, Object: schema.Object{
			Blocks: []schema.Block{{Name: "tls", Nesting: schema.NestingSingle, Object: schema.Object{Attrs: []schema.Attr{schema.File("key", "Of the host.")}}}},
		}}},
	}}})
	want := "# `serve`\n\n## In\n\n| attribute | type | default | |\n|---|---|---|---|\n" +
		"| `mode` | string |  | Which \\| way. One of `a`, `b`. Deprecated: Use `way`. |\n" +
		"\n### block `port`\n\nWhat is published. Any number, each with a label of its own. Required.\n\nNo attributes.\n" +
		"\n### block `port.tls`\n\nAt most one.\n\n| attribute | type | default | |\n|---|---|---|---|\n" +
		"| `key` | file artifact |  | Of the host. |\n" +
		"\n## Out\n\nNo outputs.\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
